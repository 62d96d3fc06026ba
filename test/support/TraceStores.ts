/**
 * A stand-in for VictoriaTraces: takes what OpenTelemetry's protocol allows in JSON, by the letter, and objects to all else.
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { createServer } from "node:http"
import { Effect, Result, Schema } from "effect"
import { listening } from "./StoreServers.ts"

const digits = (count: number) => Schema.String.check(Schema.isPattern(new RegExp(`^(?!0+$)[0-9a-f]{${count}}$`)))

/** A 64-bit integer is text in JSON. */
const Integer = Schema.String.check(Schema.isPattern(/^-?\d{1,20}$/))

const Value = Schema.Union([
  Schema.Struct({ stringValue: Schema.String }),
  Schema.Struct({ boolValue: Schema.Boolean }),
  Schema.Struct({ intValue: Integer }),
  Schema.Struct({ doubleValue: Schema.Finite })
])
const Attributes = Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Value }))

const Span = Schema.Struct({
  traceId: digits(32),
  spanId: digits(16),
  parentSpanId: Schema.optionalKey(digits(16)),
  name: Schema.NonEmptyString,
  kind: Schema.Literals([1, 2, 3, 4, 5]),
  startTimeUnixNano: Integer,
  endTimeUnixNano: Integer,
  attributes: Attributes,
  status: Schema.Struct({
    code: Schema.optionalKey(Schema.Literals([0, 1, 2])),
    message: Schema.optionalKey(Schema.String)
  })
})
export type Span = typeof Span.Type

const Request = Schema.fromJsonString(
  Schema.Struct({
    resourceSpans: Schema.Array(
      Schema.Struct({
        resource: Schema.Struct({ attributes: Attributes }),
        scopeSpans: Schema.Array(
          Schema.Struct({ scope: Schema.Struct({ name: Schema.String }), spans: Schema.Array(Span) })
        )
      })
    )
  })
)
const decode = Schema.decodeUnknownResult(Request, { onExcessProperty: "error" })

/** What an attribute of a span says. */
export const said = ({ attributes }: Pick<Span, "attributes">, key: string): unknown =>
  Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0]

export const recorder = Effect.gen(function* () {
  const spans: Array<Span & { readonly service: unknown }> = []
  const objections: Array<string> = []
  let status = 200

  const take = (body: string): number => {
    const request = decode(body)
    if (Result.isFailure(request)) {
      objections.push(String(request.failure))
      return 400
    }
    for (const { resource, scopeSpans } of request.success.resourceSpans) {
      const service = said(resource, "service.name")
      for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ ...span, service })))
    }
    return 200
  }

  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url} ${request.headers["content-type"]}`
    const expected = "POST /insert/opentelemetry/v1/traces application/json"
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => (body += chunk))
    request.on("end", () => {
      if (asked !== expected) objections.push(asked)
      response.writeHead(status === 200 ? take(body) : status).end("{}")
    })
  })
  const port = yield* listening(server)
  return {
    url: `http://127.0.0.1:${port}`,
    spans: spans as ReadonlyArray<Span & { readonly service: unknown }>,
    objections: objections as ReadonlyArray<string>,
    /** What it answers from now on, whatever it is sent. */
    answer: (next: number) => {
      status = next
    }
  }
})
