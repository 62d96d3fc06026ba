/** Signs as a client does: from the parts of a request, before they become a target and header lines. */
import { createHash, createHmac } from "node:crypto"
import { Redacted } from "effect"
import type { SignedRequest } from "#services/Authenticator"

export const accessKeyId = "AKIDEXAMPLE"
export const secret = Redacted.make("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

export interface Request {
  readonly method: string
  readonly segments: ReadonlyArray<string>
  readonly query: ReadonlyArray<readonly [string, string]>
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly body: Uint8Array
  readonly atUnixMs: number
  readonly region: string
  readonly service: string
}

export const request: Request = {
  method: "POST",
  segments: ["2015-03-31", "functions", "hello", "invocations"],
  query: [],
  headers: [["Host", "localhost:8000"]],
  body: new TextEncoder().encode(`{"n":1}`),
  atUnixMs: Date.UTC(2026, 0, 1, 12, 0, 0),
  region: "eu-central-1",
  service: "lambda"
}

const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex")
const mac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest()

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** Header lines reach a server as bytes; Node shows each byte as one character. */
const onTheWire = (text: string) => Buffer.from(text, "utf8").toString("latin1")

const ordered = (pairs: ReadonlyArray<readonly [string, string]>) =>
  pairs.toSorted(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))

const timestampOf = (atUnixMs: number) => `${new Date(atUnixMs).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`

const scopeOf = (parts: Request) =>
  `${timestampOf(parts.atUnixMs).slice(0, 8)}/${parts.region}/${parts.service}/aws4_request`

const targetOf = (parts: Request) => {
  const query = parts.query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")
  return `/${parts.segments.map(encode).join("/")}${query === "" ? "" : `?${query}`}`
}

/** Lower-case names of all headers, sorted, and the signature over them. */
const signatureOf = (parts: Request, key: Redacted.Redacted): readonly [signedHeaders: string, signature: string] => {
  const byName = new Map<string, Array<string>>()
  for (const [name, value] of parts.headers) {
    byName.set(name.toLowerCase(), [...(byName.get(name.toLowerCase()) ?? []), value.trim().replace(/\s+/g, " ")])
  }
  const names = [...byName.keys()].toSorted()
  const canonical = [
    parts.method,
    `/${parts.segments.map((segment) => encode(encode(segment))).join("/")}`,
    ordered(parts.query.map(([name, value]) => [encode(name), encode(value)]))
      .map(([name, value]) => `${name}=${value}`)
      .join("&"),
    ...names.map((name) => `${name}:${byName.get(name)?.join(",")}`),
    "",
    names.join(";"),
    byName.get("x-amz-content-sha256")?.[0] ?? sha256(parts.body)
  ].join("\n")
  const timestamp = timestampOf(parts.atUnixMs)
  const day = mac(`AWS4${Redacted.value(key)}`, timestamp.slice(0, 8))
  const signing = mac(mac(mac(day, parts.region), parts.service), "aws4_request")
  const toSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scopeOf(parts)}\n${sha256(canonical)}`
  return [names.join(";"), mac(signing, toSign).toString("hex")]
}

/** What arrives: the target, the raw headers with `X-Amz-Date` and `Authorization` among them, the body. */
export const sign = (parts: Request, key: Redacted.Redacted = secret): SignedRequest => {
  const headers = [...parts.headers, ["X-Amz-Date", timestampOf(parts.atUnixMs)] as const]
  const [signedHeaders, signature] = signatureOf({ ...parts, headers }, key)
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scopeOf(parts)}, ` +
    `SignedHeaders=${signedHeaders}, Signature=${signature}`
  return {
    method: parts.method,
    target: targetOf(parts),
    rawHeaders: [...headers, ["Authorization", authorization] as const].flatMap(([name, value]) => [
      name,
      onTheWire(value)
    ]),
    body: parts.body
  }
}

/** A URL that carries its own signature and holds for some seconds. */
export const presign = (parts: Request, expiresSeconds: number): SignedRequest => {
  const query = [
    ...parts.query,
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"] as const,
    ["X-Amz-Credential", `${accessKeyId}/${scopeOf(parts)}`] as const,
    ["X-Amz-Date", timestampOf(parts.atUnixMs)] as const,
    ["X-Amz-Expires", String(expiresSeconds)] as const,
    ["X-Amz-SignedHeaders", "host"] as const
  ]
  const [, signature] = signatureOf({ ...parts, query }, secret)
  return {
    method: parts.method,
    target: targetOf({ ...parts, query: [...query, ["X-Amz-Signature", signature]] }),
    rawHeaders: parts.headers.flatMap(([name, value]) => [name, onTheWire(value)]),
    body: parts.body
  }
}
