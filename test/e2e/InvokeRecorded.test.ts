/** Our answers beside those recorded from AWS: status, exception, payload and log, word for word. */
import { assert, it } from "@effect/vitest"
import type { InvokeCommandInput } from "@aws-sdk/client-lambda"
import { Effect, Fiber } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Recorded from "#test/support/Recorded"
import * as Stack from "#test/support/Stack"

const call = Effect.fnUntraced(function* (
  FunctionName: string,
  event: unknown = {},
  more: Partial<InvokeCommandInput> = {}
) {
  const stack = yield* Stack.Running
  return yield* Recorded.answer(stack, { FunctionName, Payload: JSON.stringify(event), ...more })
})

/** The log of a call as the recordings have it: the lines, each with its end. */
const lines = (log: string): ReadonlyArray<string> => log.split(/(?<=\n)/)

/** A call whose answer is all that was recorded. */
const plain: ReadonlyArray<
  readonly [test: string, step: string, functionName: string, event?: unknown, more?: Partial<InvokeCommandInput>]
> = [
  ["TestLambdaFeatures::test_invocation_type_request_response[nodejs16.x]", "invoke-result", "echo"],
  [
    "TestLambdaFeatures::test_invocation_type_event[python3.10]",
    "invoke-result",
    "echo",
    {},
    { InvocationType: "Event" }
  ],
  ["TestLambdaFeatures::test_invocation_type_no_return_payload[nodejs-RequestResponse]", "invoke-result", "silent"],
  [
    "TestLambdaFeatures::test_invocation_type_no_return_payload[nodejs-Event]",
    "invoke-result",
    "silent",
    {},
    { InvocationType: "Event" }
  ],
  ["TestLambdaBehavior::test_lambda_invoke_with_timeout", "invoke-result", "sleeping", { ms: 5_000 }],
  ["TestLambdaBehavior::test_lambda_invoke_no_timeout", "invoke-result", "sleeping", { ms: 10 }],
  ["TestLambdaErrors::test_lambda_handler_exit", "invocation_error", "exiting"],
  ["TestLambdaErrors::test_lambda_runtime_wrapper_not_found", "invocation_error", "wrapped"],
  ["TestLambdaBaseFeatures::test_lambda_too_large_response", "invoke_result", "large", { bytes: 7_000_000 }],
  ["TestLambdaBaseFeatures::test_lambda_too_large_response", "invoke_result_2", "large", { bytes: 6_291_555 }],
  ["TestLambdaFeatures::test_invoke_exceptions", "invoke_function_doesnotexist", "doesnotexist"],
  ["TestLambdaConcurrency::test_reserved_concurrency", "exc_no_cap_requestresponse", "closed"]
]

const arn = (region: string, name: string) => `arn:aws:lambda:${region}:111111111111:function:${name}`

/** How functions were named in the recordings that refuse to know them. */
const references: Readonly<Record<string, Pick<InvokeCommandInput, "FunctionName" | "Qualifier">>> = {
  function_name_is_single_invalid: { FunctionName: "*" },
  invalid_characters_in_function_name: { FunctionName: "my-function!" },
  invalid_characters_in_qualifier: { FunctionName: "my-function", Qualifier: "invalid!" },
  invalid_account_id_in_partial_arn: { FunctionName: "invalid-account:function:my-function" },
  invalid_region_in_arn: { FunctionName: arn("invalid-region", "my-function") },
  non_lambda_arn: { FunctionName: "arn:aws:ec2:us-east-1:111111111111:instance:i-1234567890abcdef0" },
  function_name_too_long: { FunctionName: "a".repeat(65) },
  function_name_too_long_and_invalid_region: { FunctionName: arn("invalid-region", `my-function${"a".repeat(170)}`) },
  full_arn_and_qualifier_too_long_and_invalid_region: {
    FunctionName: arn("invalid-region", `my-function-${"a".repeat(170)}`),
    Qualifier: "a".repeat(129)
  },
  qualifier_too_long: { FunctionName: "my-function", Qualifier: "a".repeat(129) },
  qualifier_too_long1: { FunctionName: "my-function", Qualifier: "a".repeat(65) },
  full_arn_with_multiple_qualifiers: { FunctionName: arn("us-east-1", "my-function:1:2") },
  partial_arn_with_extra_qualifier: { FunctionName: "function:my-function:$LATEST:extra" },
  lowercase_latest_qualifier: { FunctionName: "my-function", Qualifier: "$latest" },
  missing_region_in_arn: { FunctionName: arn("", "my-function") },
  missing_account_id_in_arn: { FunctionName: "arn:aws:lambda:us-east-1::function:my-function" }
}

/** The recorder took these refusals apart. */
const takenApart = (refusal: Stack.Refusal) => {
  const [, count, errors = ""] = /^(\d+) validation errors? detected: (.*)$/.exec(refusal.message) ?? []
  return count === undefined
    ? { Code: refusal.name, Message: refusal.message }
    : { Code: refusal.name, Count: Number(count), Errors: errors.split("; ") }
}

describe("AWS's recordings", needs("golden"), () => {
  it.layer(Stack.layer({ template: "recorded.yaml" }), Stack.live)("of the Invoke API", (it) => {
    it.effect.each(plain)("%s, step %s, is answered the same", ([test, step, functionName, event, more]) =>
      Effect.gen(function* () {
        Recorded.assertSame(Recorded.find(test), step, yield* call(functionName, event, more))
      })
    )

    it.effect("test_invocation_with_logs: the log tail of a first call", () =>
      Effect.gen(function* () {
        const recording = Recorded.find("TestLambdaFeatures::test_invocation_with_logs[nodejs16.x]")
        const answer = (yield* call("logging", {}, { LogType: "Tail" })) as { readonly LogResult: string }
        Recorded.assertSame(recording, "invoke", answer)
        Recorded.assertSame(recording, "logs", { logs: lines(Buffer.from(answer.LogResult, "base64").toString()) })
      })
    )

    it.effect("test_lambda_cache_local: what a worker keeps between two calls", () =>
      Effect.gen(function* () {
        const recording = Recorded.find("TestLambdaBehavior::test_lambda_cache_local[nodejs]")
        Recorded.assertSame(recording, "first_invoke_result", yield* call("counting"))
        Recorded.assertSame(recording, "second_invoke_result", yield* call("counting"))
      })
    )

    it.effect("test_uncaught_exception_invoke: a handler that throws", () =>
      Effect.gen(function* () {
        const recording = Recorded.find(
          "TestLambdaRuntimesCommon::test_uncaught_exception_invoke[nodejs24.x]",
          "lambda___test_lambda_common"
        )
        Recorded.assertSame(recording, "error_result", yield* call("raising", { error_msg: "some_error_msg" }))
      })
    )

    it.effect("test_introspection_invoke: the context, and the variables that tell the function about itself", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const recording = Recorded.find(
          "TestLambdaRuntimesCommon::test_introspection_invoke[nodejs24.x]",
          "lambda___test_lambda_common"
        )
        const told = [
          "AWS_DEFAULT_REGION",
          "AWS_EXECUTION_ENV",
          "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
          "AWS_LAMBDA_FUNCTION_NAME",
          "AWS_LAMBDA_FUNCTION_VERSION",
          "AWS_LAMBDA_INITIALIZATION_TYPE",
          "AWS_LAMBDA_LOG_GROUP_NAME",
          "AWS_LAMBDA_LOG_STREAM_NAME",
          "AWS_ACCESS_KEY_ID",
          "AWS_SECRET_ACCESS_KEY",
          "AWS_REGION",
          "LANG",
          "TEST_KEY",
          "TZ",
          "_X_AMZN_TRACE_ID"
        ]
        for (const [step, more] of [
          ["invocation_result_payload", {}],
          ["invocation_result_payload_qualified", { Qualifier: "$LATEST" }]
        ] as const) {
          const { payload } = yield* Stack.invoke(stack, "introspection", {}, more)
          const { ctx, environment } = payload as {
            readonly ctx: unknown
            readonly environment: Record<string, string>
          }
          Recorded.assertSame(recording, `${step}.ctx`, ctx)
          for (const name of told) Recorded.assertSame(recording, `${step}.environment.${name}`, environment[name])
        }
      })
    )

    it.effect("test_reserved_concurrency: an event of a function that may have no worker", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const recording = Recorded.find("TestLambdaConcurrency::test_reserved_concurrency")
        const file = join(stack.directory, "witness")
        Recorded.assertSame(recording, "invoke_result", yield* call("closed", { file }, { InvocationType: "Event" }))
        // A file that is just being written is there, and empty.
        const told = yield* eventually(
          "the destination is told",
          Effect.sync(() => (existsSync(file) ? readFileSync(file, "utf8") : "")),
          (text) => text !== ""
        )
        const record = JSON.parse(told)
        assert.deepStrictEqual(record.requestPayload, { file })
        Recorded.assertSame(recording, "msg.Body", { ...record, requestPayload: {} })
      })
    )

    it.effect("test_reserved_concurrency_async_queue: one call more than may run at once", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const recording = Recorded.find("TestLambdaConcurrency::test_reserved_concurrency_async_queue")
        const busy = yield* Effect.forkChild(call("single", { ms: 4_000 }))
        yield* eventually("the only worker is busy", Stack.pool(stack, "single"), ({ busy }) => busy === 1)
        Recorded.assertSame(recording, "too_many_requests_exc", yield* call("single"))
        yield* Fiber.join(busy)
      })
    )

    it.effect.each([
      ["body", Buffer.from([0x6e, 0x87, 0x72, 0x9e, 0xe9, 0xb5, 0xd7, 0x49, 0xee, 0x9b, 0x6d, 0x74])],
      ["message", Buffer.from([0x99, 0xeb, 0x2c, 0x6a, 0x07, 0xa1, 0x7a, 0x59, 0x68])]
    ] as const)("test_lambda_invoke_payload_encoding_error: a payload that is not UTF-8 (%s)", ([part, Payload]) =>
      Effect.gen(function* () {
        const [recording, ...others] = Recorded.all("lambda___test_lambda", (test) =>
          test.includes(`::test_lambda_invoke_payload_encoding_error[${part}-`)
        )
        assert(recording !== undefined && others.length === 0)
        Recorded.assertSame(recording, `invoke_function_invalid_payload_${part}`, yield* call("echo", {}, { Payload }))
      })
    )

    it.effect("test_invalid_invoke: a name that is none", () =>
      Effect.gen(function* () {
        const recording = Recorded.find("TestLambdaFunction::test_invalid_invoke", "lambda___test_lambda_api")
        const answer = yield* call("arn:aws:lambda:us-east-1:123400000000@function:myfn")
        Recorded.assertSame(recording, "invoke_function_name_pattern_exc", answer)
      })
    )

    it.effect("test_get_function_wrong_region: a function of another region", () =>
      Effect.gen(function* () {
        const recording = Recorded.find(
          "TestLambdaFunction::test_get_function_wrong_region[invoke]",
          "lambda___test_lambda_api"
        )
        Recorded.assertSame(recording, "wrong_region_exception", yield* call(arn("eu-central-1", "echo")))
      })
    )

    it.effect.each(Object.keys(references))("test_function_name_and_qualifier_validation: %s", (id) =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const recording = Recorded.find(
          `TestLambdaFunction::test_function_name_and_qualifier_validation[${id}-invoke]`,
          "lambda___test_lambda_api"
        )
        const refusal = yield* Effect.flip(Stack.send(stack, { FunctionName: "none", ...references[id] }))
        Recorded.assertSame(recording, "invoke_exception", takenApart(refusal))
      })
    )

    it.effect(
      "test_lambda_handler_error: a Python handler that raises",
      () =>
        Effect.gen(function* () {
          const recording = Recorded.find("TestLambdaErrors::test_lambda_handler_error")
          Recorded.assertSame(recording, "invocation_error", yield* call("snake-fails"))
        }),
      needs("python")
    )

    it.effect(
      "test_request_id_invoke: one request id in a Python function's answer and in every line of its log",
      () =>
        Effect.gen(function* () {
          const recording = Recorded.find("TestRequestIdHandling::test_request_id_invoke")
          const { LogResult, ...answer } = (yield* call("snake-request", {}, { LogType: "Tail" })) as {
            readonly LogResult: string
          }
          Recorded.assertSame(recording, "invoke_result", answer)
          // The recorder trimmed these lines.
          const logs = lines(Buffer.from(LogResult, "base64").toString()).map((line) => line.trim())
          Recorded.assertSame(recording, "log_entries", { logs })
        }),
      needs("python")
    )
  })
})
