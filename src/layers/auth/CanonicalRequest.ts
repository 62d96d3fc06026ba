/**
 * The one text that a signer and a verifier of Signature Version 4 must agree on. Everything here is the request as it was
 * received: a character of a target or header stands for one byte, as Node hands them over (latin1).
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

/** Values of each header in order of arrival, by lower-case name. */
export type ReceivedHeaders = ReadonlyMap<string, ReadonlyArray<string>>

/** Names and values of a query in order of arrival, both in canonical percent-encoding. */
export type QueryParameters = ReadonlyArray<readonly [name: string, value: string]>

/** `rawHeaders` holds name and value in turn. */
export const receivedHeaders = (rawHeaders: ReadonlyArray<string>): ReceivedHeaders => {
  const headers = new Map<string, Array<string>>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase()
    const value = rawHeaders[at + 1] ?? ""
    const known = headers.get(name)
    if (known === undefined) {
      headers.set(name, [value])
    } else {
      known.push(value)
    }
  }
  return headers
}

/** Before and after the first `?`. */
export const splitTarget = (target: string): readonly [path: string, query: string] => {
  const mark = target.indexOf("?")
  return mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)]
}

const unreserved = /^[A-Za-z0-9\-._~]$/

/** The canonical spelling of each byte: itself, or `%` and two upper-case digits. */
const spelling: ReadonlyArray<string> = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
})

const reserved = /[^A-Za-z0-9\-._~]/g

const encode = (text: string): string =>
  text.replace(reserved, (character) => spelling[character.charCodeAt(0) & 0xff] ?? "")

const escapes = /%([0-9A-Fa-f]{2})/g

const decode = (text: string): string =>
  text.includes("%")
    ? text.replace(escapes, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : text

const plainPath = /^(?:\/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+\/?$/

/** `.`, `..` and empty segments resolved, then every segment encoded once more: what was `%3A` becomes `%253A`. */
const canonicalPath = (path: string): string => {
  if (plainPath.test(path)) {
    return path
  }
  const segments: Array<string> = []
  for (const segment of path.split("/")) {
    if (segment === "..") {
      segments.pop()
    } else if (segment !== "" && segment !== ".") {
      segments.push(encode(segment))
    }
  }
  return segments.length === 0 ? "/" : `/${segments.join("/")}${/\/\.{0,2}$/.test(path) ? "/" : ""}`
}

export const queryParameters = (query: string): QueryParameters =>
  query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const mark = pair.indexOf("=")
      return mark < 0
        ? [encode(decode(pair)), ""]
        : [encode(decode(pair.slice(0, mark))), encode(decode(pair.slice(mark + 1)))]
    })

/** The decoded value of the first parameter of this name. */
export const queryValue = (parameters: QueryParameters, name: string): string | undefined => {
  const found = parameters.find(([candidate]) => candidate === name)
  return found === undefined ? undefined : decode(found[1])
}

const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

const canonicalQuery = (parameters: QueryParameters): string =>
  parameters
    .toSorted((left, right) => byText(left[0], right[0]) || byText(left[1], right[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join("&")

const canonicalValue = (value: string): string => {
  const trimmed = value.trim()
  return /\s\s|[\t\r\n]/.test(trimmed) ? trimmed.replace(/\s+/g, " ") : trimmed
}

export interface Parts {
  readonly method: string
  /** Raw, without its query. */
  readonly path: string
  /** Without the signature itself. */
  readonly query: QueryParameters
  readonly headers: ReceivedHeaders
  /** Lower-case names with `;` between them. */
  readonly signedHeaders: string
  /** Lower-case hex of SHA-256, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string
}

export const canonicalRequest = (parts: Parts): string => {
  let headers = ""
  for (const name of parts.signedHeaders.split(";")) {
    const values = parts.headers.get(name) ?? []
    headers += `${name}:${values.length === 1 ? canonicalValue(values[0] ?? "") : values.map(canonicalValue).join(",")}\n`
  }
  return (
    `${parts.method}\n${canonicalPath(parts.path)}\n${canonicalQuery(parts.query)}\n` +
    `${headers}\n${parts.signedHeaders}\n${parts.payloadHash}`
  )
}
