import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { canonicalRequest, queryParameters, receivedHeaders, splitTarget } from "#layers/auth/CanonicalRequest"
import { fromHeader } from "#layers/auth/SignatureClaim"
import { verifier } from "#layers/auth/SignatureV4"
import { engine, needs } from "#test/support/Engines"
import { accessKeyId, secret } from "#test/support/Signer"

/** The directories of AWS's own test cases; none when they are not at hand. */
const cases = (): ReadonlyArray<string> => {
  const golden = engine("golden")
  if (!golden.present) return []
  const root = join(golden.path, "sigv4")
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".sreq"))
    .map((path) => join(root, dirname(path)))
}

/** One character for each byte, as Node shows what it receives. */
const file = (directory: string, extension: string) =>
  readFileSync(join(directory, `${basename(directory)}.${extension}`), "latin1").replaceAll("\r\n", "\n")

/** The signed request as a server receives it, a folded line joined to the one before. */
const received = (directory: string) => {
  const [head = "", body = ""] = file(directory, "sreq").split("\n\n")
  const [first = "", ...lines] = head.replaceAll(/\n(?=[ \t])/g, "").split("\n")
  const [, method = "", target = ""] = /^(\S+) (.*) HTTP\/1\.1$/.exec(first) ?? []
  return {
    method,
    target,
    rawHeaders: lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    body: Buffer.from(body, "latin1")
  }
}

const at = Date.UTC(2015, 7, 30, 12, 36, 0)
const verify = verifier([{ accessKeyId, secret }])

/** The signature in `.sreq` and the one in `.authz` should be the same; in one case only `.authz` has the right one. */
const withAuthorization = (request: ReturnType<typeof received>, authorization: string) => ({
  ...request,
  rawHeaders: request.rawHeaders.map((text, at, all) => (all[at - 1] === "Authorization" ? authorization : text))
})

describe("SignatureV4 and AWS's test cases", needs("golden"), () => {
  it("finds them", () => {
    assert.isAbove(cases().length, 30)
  })

  for (const directory of cases()) {
    const name = basename(directory)

    it(`believes ${name} and refuses it with another secret`, () => {
      const request = withAuthorization(received(directory), file(directory, "authz"))
      assert.deepStrictEqual(verify(request, at), Result.succeed(accessKeyId))
      const other = verifier([{ accessKeyId, secret: Redacted.make("another") }])
      assert.isTrue(Result.isFailure(other(request, at)))
    })

    it(`writes the canonical request of ${name} as AWS does`, () => {
      const request = received(directory)
      const headers = receivedHeaders(request.rawHeaders)
      const [path, query] = splitTarget(request.target)
      const { signedHeaders } = Result.getOrThrow(fromHeader(file(directory, "authz"), headers))
      const expected = file(directory, "creq")
      const payloadHash = expected.slice(expected.lastIndexOf("\n") + 1)
      const parts = { method: request.method, path, query: queryParameters(query), headers, signedHeaders, payloadHash }
      assert.strictEqual(canonicalRequest(parts), expected)
    })
  }

  it("refuses get-vanilla-with-session-token with the signature of get-vanilla", () => {
    const [directory] = cases().filter((path) => basename(path) === "get-vanilla-with-session-token")
    assert(directory !== undefined)
    assert.isTrue(Result.isFailure(verify(received(directory), at)))
  })
})
