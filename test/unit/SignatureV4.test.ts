import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Redacted, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import { type SignatureFailure, type Verify, verifier } from "#layers/auth/SignatureV4"
import type { SignedRequest } from "#services/Authenticator"
import { accessKeyId, presign, type Request, request, secret, sign } from "#test/support/Signer"

const verify = verifier([{ accessKeyId, secret }])
const now = request.atUnixMs

const failureOf = (verdict: ReturnType<Verify>): SignatureFailure => {
  assert(Result.isFailure(verdict), "the request was believed")
  return verdict.failure
}

const refusal = (received: SignedRequest, at = now) => {
  const failure = failureOf(verify(received, at))
  return `${failure._tag}: ${failure.message}`
}

const withHeader = (received: SignedRequest, name: string, value: string | undefined): SignedRequest => {
  const kept = received.rawHeaders.flatMap((text, at, all) =>
    at % 2 === 0 && text.toLowerCase() !== name.toLowerCase() ? [text, all[at + 1] ?? ""] : []
  )
  return { ...received, rawHeaders: value === undefined ? kept : [...kept, name, value] }
}

const authorizationOf = (received: SignedRequest) =>
  received.rawHeaders[received.rawHeaders.indexOf("Authorization") + 1] ?? ""

const mismatch =
  "SignatureRefused: The request signature we calculated does not match the signature you provided. Check your AWS " +
  "Secret Access Key and signing method. Consult the service documentation for details."

describe("SignatureV4", () => {
  it("believes a signed request and names its access key", () => {
    assert.deepStrictEqual(verify(sign(request), now), Result.succeed(accessKeyId))
  })

  it("believes any region and any service", () => {
    assert.isTrue(Result.isSuccess(verify(sign({ ...request, region: "mars-1", service: "s3" }), now)))
  })

  it("asks for an access key that was issued here", () => {
    const stranger = verifier([{ accessKeyId: "AKIDOTHER", secret }])
    const failure = failureOf(stranger(sign(request), now))
    assert.strictEqual(failure._tag, "UnknownCredential")
    assert.strictEqual(failure.message, "The security token included in the request is invalid.")
  })

  it("refuses the signature of another secret", () => {
    assert.strictEqual(refusal(sign(request, Redacted.make("another secret"))), mismatch)
  })

  it("accepts a clock that is up to five minutes off, and says which way a worse one is wrong", () => {
    const received = sign(request)
    assert.isTrue(Result.isSuccess(verify(received, now + 300_000)))
    assert.isTrue(Result.isSuccess(verify(received, now - 300_000)))
    assert.strictEqual(
      refusal(received, now + 301_000),
      "SignatureRefused: Signature expired: 20260101T120000Z is now earlier than 20260101T120001Z (20260101T120501Z - 5 min.)"
    )
    assert.strictEqual(
      refusal(received, now - 301_000),
      "SignatureRefused: Signature not yet current: 20260101T120000Z is still later than 20260101T115959Z (20260101T115459Z + 5 min.)"
    )
  })

  it("takes the time from Date when there is no X-Amz-Date", () => {
    const received = withHeader(sign(request), "X-Amz-Date", undefined)
    const dated = withHeader(received, "Date", new Date(now).toUTCString())
    // The date is read and in time; it is the signed header that is gone.
    assert.strictEqual(refusal(dated), mismatch)
    assert.include(
      refusal(withHeader(received, "Date", "yesterday")),
      "Date must be in ISO-8601 'basic format'. Got 'yesterday'."
    )
    assert.include(
      refusal(withHeader(received, "Date", "20261301T000000Z")),
      "Date must be in ISO-8601 'basic format'."
    )
  })

  it("compares the day of the scope with the day of the request", () => {
    const received = sign(request)
    const other = withHeader(received, "Authorization", authorizationOf(received).replace("/20260101/", "/20251231/"))
    assert.strictEqual(
      refusal(other),
      "SignatureRefused: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: " +
        "'20251231' != '20260101', from '20260101T120000Z'."
    )
  })

  it("tells what an unreadable Authorization header lacks without repeating it", () => {
    const received = sign(request)
    const digest = (text: string) => createHash("sha256").update(text).digest("base64")
    assert.strictEqual(
      refusal(withHeader(received, "Authorization", "Basic dXNlcjpwYXNz")),
      "SignatureIncomplete: Authorization header requires 'Credential' parameter. Authorization header requires " +
        "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. " +
        `(Hashed with SHA-256 and encoded with Base64) Authorization=${digest("Basic dXNlcjpwYXNz")}`
    )
    assert.strictEqual(
      refusal(withHeader(received, "Authorization", "AWS4-HMAC-SHA256 Credential=a/b, nonsense")),
      "SignatureIncomplete: Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and " +
        `encoded with Base64): '${digest("AWS4-HMAC-SHA256 Credential=a/b, nonsense")}'.`
    )
    assert.strictEqual(
      refusal(withHeader(received, "Authorization", "AWS4-ECDSA-P256-SHA256 Credential=a")),
      "SignatureIncomplete: Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."
    )
    assert.include(
      refusal(
        withHeader(received, "Authorization", "AWS4-HMAC-SHA256 Credential=AKID/x, SignedHeaders=host, Signature=0")
      ),
      "SignatureIncomplete: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/x'"
    )
    assert.include(
      refusal(withHeader(received, "X-Amz-Date", undefined)),
      "SignatureIncomplete: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    )
  })

  it("wants the Host and every X-Amz header signed", () => {
    const received = sign({ ...request, headers: [] })
    assert.strictEqual(
      refusal(withHeader(received, "Host", "localhost")),
      "SignatureRefused: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    )
    assert.include(
      refusal(withHeader(sign(request), "X-Amz-Invocation-Type", "Event")),
      "SignatureRefused: There were headers present in the request which were not signed: x-amz-invocation-type"
    )
  })

  it("ignores headers that were not signed, a session token among them", () => {
    const added = withHeader(withHeader(sign(request), "User-Agent", "curl"), "X-Amz-Security-Token", "from elsewhere")
    assert.isTrue(Result.isSuccess(verify(added, now)))
  })

  it("holds x-amz-content-sha256 against the body, unless it says UNSIGNED-PAYLOAD", () => {
    const declare = (hash: string) =>
      sign({ ...request, headers: [...request.headers, ["X-Amz-Content-Sha256", hash]] })
    const right = createHash("sha256").update(request.body).digest("hex")
    assert.isTrue(Result.isSuccess(verify(declare(right), now)))
    assert.strictEqual(refusal({ ...declare(right), body: new Uint8Array() }), mismatch)
    assert.strictEqual(refusal(declare("0".repeat(64))), mismatch)
    assert.isTrue(Result.isSuccess(verify({ ...declare("UNSIGNED-PAYLOAD"), body: new Uint8Array(9) }, now)))
    assert.strictEqual(refusal(declare("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")), mismatch)
  })

  it("believes a presigned URL for as long as it says", () => {
    const received = presign({ ...request, query: [["Qualifier", "$LATEST"]] }, 3600)
    assert.deepStrictEqual(verify(received, now + 3_600_000), Result.succeed(accessKeyId))
    assert.strictEqual(
      refusal(received, now + 3_601_000),
      "SignatureRefused: Signature expired: 20260101T120000Z is now earlier than 20260101T120001Z (20260101T130001Z - 60 min.)"
    )
    assert.strictEqual(refusal({ ...received, target: received.target.replace("LATEST", "OLDEST") }), mismatch)
    assert.strictEqual(
      refusal({ ...received, target: received.target.replace("Expires=3600", "Expires=9999") }),
      mismatch
    )
    assert.strictEqual(refusal({ ...received, body: new Uint8Array() }), mismatch)
    assert.include(
      refusal(presign(request, 604_801)),
      "X-Amz-Expires must be a number of seconds between 1 and 604800."
    )
    assert.include(
      refusal({ ...received, target: "/?X-Amz-Signature=0" }),
      "must include 'X-Amz-Algorithm=AWS4-HMAC-SHA256'"
    )
  })

  it("remembers a signing key only for as long as it is the right one", () => {
    const own = verifier([{ accessKeyId, secret }])
    for (let day = 0; day < 300; day++) {
      const atUnixMs = now + day * 86_400_000
      const received = sign({ ...request, atUnixMs })
      assert.isTrue(Result.isSuccess(own(received, atUnixMs)))
      assert.isTrue(Result.isSuccess(own(received, atUnixMs)))
      assert.isTrue(Result.isFailure(own({ ...received, method: "GET" }, atUnixMs)))
    }
  })
})

const text = (characters: string, maxLength: number) =>
  Arbitrary.array(Arbitrary.schema(Schema.Literals(characters.split("") as [string, ...Array<string>])), {
    maxLength
  }).pipe(Arbitrary.map((letters) => letters.join("")))

const readable = text("azAZ09-_.~:/?#[]@!$&'()*+,;= %\"<>ä€ሴ", 12)
const token = text("abcXYZ019-", 8).pipe(Arbitrary.map((name) => `X-Test-${name}`))

const requests: Arbitrary.Arbitrary<Request> = Arbitrary.all({
  method: Arbitrary.schema(Schema.Literals(["GET", "POST", "PUT", "DELETE"])),
  segments: Arbitrary.array(readable, { minLength: 1, maxLength: 4 }).pipe(
    // A signer resolves `.`, `..` and empty segments before it signs; here they never arise.
    Arbitrary.map((segments) => segments.map((segment) => `s${segment}`))
  ),
  query: Arbitrary.array(Arbitrary.all([readable, readable]), { maxLength: 4 }).pipe(
    Arbitrary.map((pairs) => pairs.map(([name, value]) => [`q${name}`, value] as const))
  ),
  headers: Arbitrary.array(Arbitrary.all([token, readable]), { maxLength: 4 }).pipe(
    Arbitrary.map((pairs) => [["Host", "127.0.0.1:8000"] as const, ...pairs])
  ),
  body: Arbitrary.schema(Schema.Uint8Array)
}).pipe(Arbitrary.map((parts) => ({ ...request, ...parts })))

/** One byte of a text, changed into another that means something else. */
const changed = (whole: string, at: number): string => {
  const index = at % whole.length
  return `${whole.slice(0, index)}${whole[index] === "x" ? "y" : "x"}${whole.slice(index + 1)}`
}

describe("SignatureV4, whatever the request", () => {
  it.prop("believes what was signed", { parts: requests }, ({ parts }) => {
    const verdict = verify(sign(parts), now)
    assert.deepStrictEqual(verdict, Result.succeed(accessKeyId))
  })

  it.prop(
    "refuses a request of which one byte was changed on the way",
    { parts: requests, at: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))) },
    ({ parts, at }) => {
      const received = sign(parts)
      // Header values, `Authorization` among them: every second text. Space around a value is not part of it.
      const values = received.rawHeaders.flatMap((value, index) =>
        index % 2 === 1 && value.trim() !== "" ? [index] : []
      )
      const position = values[at % values.length] ?? 1
      const rawHeaders = received.rawHeaders.map((value, index) => {
        const trimmed = value.trim()
        return index === position ? changed(trimmed, at) : value
      })
      assert.isTrue(Result.isFailure(verify({ ...received, target: changed(received.target, at) }, now)), "target")
      assert.isTrue(Result.isFailure(verify({ ...received, rawHeaders }, now)), `header ${rawHeaders[position]}`)
      assert.isTrue(Result.isFailure(verify({ ...received, method: changed(received.method, at) }, now)), "method")
      const body =
        received.body.length === 0
          ? Uint8Array.of(0)
          : received.body.map((byte, index) => (index === at % received.body.length ? byte ^ 1 : byte))
      assert.isTrue(Result.isFailure(verify({ ...received, body }, now)), "body")
    }
  )
})

describe("SignatureV4 and the AWS SDK", () => {
  const sent = Effect.fnUntraced(function* (input: ConstructorParameters<typeof InvokeCommand>[0]) {
    const seen: Array<SignedRequest> = []
    const client = new LambdaClient({
      endpoint: "http://127.0.0.1:8000",
      region: "eu-central-1",
      credentials: { accessKeyId, secretAccessKey: Redacted.value(secret) },
      maxAttempts: 1
    })
    client.middlewareStack.add(
      () => async (args) => {
        const { method, path, query, headers, body } = args.request as {
          readonly method: string
          readonly path: string
          readonly query: Readonly<Record<string, string>>
          readonly headers: Readonly<Record<string, string>>
          readonly body: Uint8Array | undefined
        }
        const search = new URLSearchParams(query).toString()
        seen.push({
          method,
          target: search === "" ? path : `${path}?${search}`,
          rawHeaders: Object.entries(headers).flat(),
          body: body ?? new Uint8Array()
        })
        throw new Error("seen")
      },
      // The last step before a request leaves: nothing is added after it.
      { step: "finalizeRequest", priority: "low", name: "seen" }
    )
    yield* Effect.ignore(Effect.tryPromise(() => client.send(new InvokeCommand(input))))
    client.destroy()
    return seen
  })

  it.effect("believes what its signer sends", () =>
    Effect.gen(function* () {
      const inputs = [
        { FunctionName: "hello" },
        { FunctionName: "arn:aws:lambda:us-east-1:123456789012:function:hello", Qualifier: "$LATEST" },
        { FunctionName: "hello", InvocationType: "Event", Payload: new TextEncoder().encode(`{"ä":"€"}`) } as const,
        { FunctionName: "hello", LogType: "Tail", ClientContext: Buffer.from("{}").toString("base64") } as const
      ]
      for (const input of inputs) {
        const [received] = yield* sent(input)
        assert(received !== undefined, "the SDK sent nothing")
        assert.deepStrictEqual(verify(received, Date.now()), Result.succeed(accessKeyId))
        assert.isTrue(Result.isFailure(verify({ ...received, target: `${received.target}x` }, Date.now())))
      }
    })
  )
})
