/** What becomes of an accepted event whose function fails, is busy, or is gone. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as AcceptedEvents from "#test/support/AcceptedEvents"
import { needs, pathOf } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as RoutedStack from "#test/support/RoutedStack"

const environment = { INVOKE_AUTH: "none", EVENT_RETRY_BASE: "0.2", POOL_ACQUIRE_TIMEOUT: "0.2" }

/** Sends one event and waits until it has ended well. */
const endsWell = Effect.fnUntraced(function* (functionName: string, payload: Readonly<Record<string, unknown>>) {
  const stack = yield* RoutedStack.RoutedStack
  const file = AcceptedEvents.fileOf(stack, `${functionName}-${String(payload["id"])}`)
  const requestId = yield* AcceptedEvents.accepted(stack, functionName, { ...payload, file })
  yield* AcceptedEvents.untilStored(stack, requestId, "ends", (event) => event === undefined)
  return { file, requestId, runs: AcceptedEvents.runsIn(file) }
})

/** Sends one event and waits until it is given up. */
const isGivenUp = Effect.fnUntraced(function* (functionName: string, id: string) {
  const stack = yield* RoutedStack.RoutedStack
  const file = AcceptedEvents.fileOf(stack, `${functionName}-${id}`)
  const requestId = yield* AcceptedEvents.accepted(stack, functionName, { id, file })
  const event = yield* AcceptedEvents.untilStored(
    stack,
    requestId,
    "is given up",
    (stored) => stored === undefined || stored.state === "failed"
  )
  return { event, requestId, runs: AcceptedEvents.runsIn(file) }
})

/** What the function that is an event's destination has written down, once it was called. */
const recordsTold = (file: string) =>
  eventually(
    "the destination is told",
    Effect.sync(() => AcceptedEvents.recordsIn(file)),
    (records) => records.length > 0
  )

/** The times at which each of a call's runs began, by the log. */
const startsOf = Effect.fnUntraced(function* (requestId: string) {
  const stack = yield* RoutedStack.RoutedStack
  const { stdout } = yield* stack.esb("logs", "--json", "--request", requestId)
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly atUnixMs: number; readonly message: string })
    .flatMap(({ atUnixMs, message }) => (message.startsWith("START ") ? [atUnixMs] : []))
})

/** Much of the time of these tests is waiting. */
const concurrent = { ...RoutedStack.live, concurrent: true }

it.layer(RoutedStack.layer({ sample: "events", environment }), concurrent)("An accepted event", (it) => {
  it.effect("runs under the request id that its caller was given", () =>
    Effect.gen(function* () {
      const { requestId, runs } = yield* endsWell("record", { id: "plain" })
      assert.deepStrictEqual([...runs], [[requestId, 1]])
    })
  )

  it.effect("runs again under the same id when its function fails, each time after a longer wait", () =>
    Effect.gen(function* () {
      const { requestId, runs } = yield* endsWell("flaky", { id: "twice" })
      assert.deepStrictEqual([...runs], [[requestId, 3]])
      const [first = 0, second = 0, third = 0] = yield* startsOf(requestId)
      assert.isAtLeast(second - first, 200)
      assert.isAtLeast(third - second, 400)
    })
  )

  it.effect("is shown as failed by `esb events` after its retries", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const { event, requestId, runs } = yield* isGivenUp("failing", "always")
      assert.deepStrictEqual([...runs], [[requestId, 3]])
      assert.deepInclude(event, { state: "failed", reason: "RetriesExhausted: TypeError", functionName: "failing" })
      const { code, stdout } = yield* stack.esb("events")
      assert.strictEqual(code, 0)
      assert.match(stdout, new RegExp(`${requestId} +failing +failed .*RetriesExhausted: TypeError`))
    })
  )

  it.effect("runs once when its function wants no retries", () =>
    Effect.gen(function* () {
      const { event, requestId, runs } = yield* isGivenUp("once", "once")
      assert.deepStrictEqual([...runs], [[requestId, 1]])
      assert.strictEqual(event?.reason, "RetriesExhausted: TypeError")
    })
  )

  it.effect("waits for a busy function without using up an attempt", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const file = AcceptedEvents.fileOf(stack, "throttled")
      const call = stack.ask({
        method: "POST",
        target: "/2015-03-31/functions/single/invocations",
        body: JSON.stringify({ id: "caller", file: `${file}.caller`, ms: 2_000 })
      })
      const busy = yield* Effect.forkChild(call)
      yield* eventually(
        "the only worker is busy",
        Effect.sync(() => AcceptedEvents.runsIn(`${file}.caller`).size),
        (count) => count === 1
      )
      const ids = yield* Effect.forEach([1, 2, 3, 4, 5], (id) =>
        AcceptedEvents.accepted(stack, "single", { id: `${id}`, file, ms: 20 })
      )
      const postponed = yield* eventually("an event is throttled", AcceptedEvents.stored(stack), (events) =>
        events.some(({ reason }) => reason === "PoolExhausted")
      )
      assert.isTrue(postponed.filter(({ id }) => ids.includes(id)).every(({ failures }) => failures === 0))
      assert.strictEqual(AcceptedEvents.runsIn(file).size, 0)
      assert.strictEqual((yield* Fiber.join(busy)).status, 200)
      yield* eventually(
        "all events have run",
        Effect.sync(() => AcceptedEvents.runsIn(file).size),
        (count) => count === ids.length,
        15_000
      )
      assert.deepStrictEqual([...AcceptedEvents.runsIn(file).keys()].toSorted(), ids.toSorted())
      assert.isTrue([...AcceptedEvents.runsIn(file).values()].every((count) => count === 1))
    })
  )

  it.effect(
    "ends as failed when its function is deployed no more",
    () =>
      Effect.gen(function* () {
        const stack = yield* RoutedStack.RoutedStack
        const file = AcceptedEvents.fileOf(stack, "passing")
        const requestId = yield* AcceptedEvents.accepted(stack, "passing", { id: "gone", file })
        const template = join(stack.directory, "template.yaml")
        writeFileSync(template, readFileSync(template, "utf8").replace(/ {2}Passing:\n(?: {4}.*\n)+/, ""))
        yield* eventually(
          "the function is gone",
          Effect.map(stack.askWithToken({ target: "/functions" }), ({ text }) => text),
          (text) => !text.includes("passing")
        )
        const isFailed = (event: AcceptedEvents.StoredEvent | undefined) => event?.state === "failed"
        const event = yield* AcceptedEvents.untilStored(stack, requestId, "ends as failed", isFailed, 45_000)
        assert.match(event?.reason ?? "", /^FunctionNotFound: /)
      }),
    60_000
  )
})

/** The members of a record, those inside included, without the values that differ from one to the next. */
const shapeOf = (value: unknown, path = ""): ReadonlyArray<string> =>
  typeof value === "object" && value !== null && !path.endsWith("Payload")
    ? Object.entries(value).flatMap(([name, member]) => shapeOf(member, `${path}.${name}`))
    : [path]

const recorded = (name: string): Readonly<Record<string, unknown>> => {
  const path = join(pathOf("golden"), "aws-recordings/lambda___test_lambda_destinations.snapshot.json")
  const prefix = "tests/aws/services/lambda_/test_lambda_destinations.py::TestLambdaDestinationSqs::"
  const content = JSON.parse(readFileSync(path, "utf8"))[`${prefix}${name}`]["recorded-content"]
  return content.receive_message_result.Messages[0].Body
}

it.layer(RoutedStack.layer({ sample: "events", environment }), concurrent)("A destination", (it) => {
  it.effect("is told of an event that ended well", () =>
    Effect.gen(function* () {
      const { file, requestId } = yield* endsWell("told", { id: "well" })
      const [record, ...others] = yield* recordsTold(file)
      assert.strictEqual(others.length, 0)
      assert.deepInclude(record, {
        version: "1.0",
        requestContext: {
          requestId,
          functionArn: "arn:aws:lambda:us-east-1:000000000000:function:told:$LATEST",
          condition: "Success",
          approximateInvokeCount: 1
        },
        requestPayload: { id: "well", file },
        responseContext: { statusCode: 200, executedVersion: "$LATEST" },
        responsePayload: { done: "well" }
      })
      assert.isBelow(Math.abs(Date.now() - Date.parse(String(record?.["timestamp"]))), 10_000)
    })
  )

  it.effect("is told of an event that was given up, which then is kept no longer", () =>
    Effect.gen(function* () {
      const { file, requestId, runs } = yield* endsWell("told", { id: "badly", fail: true })
      assert.deepStrictEqual([...runs], [[requestId, 3]])
      const [record] = yield* recordsTold(file)
      assert.deepInclude(record?.["requestContext"], {
        requestId,
        condition: "RetriesExhausted",
        approximateInvokeCount: 3
      })
      assert.deepStrictEqual(record?.["responseContext"], {
        statusCode: 200,
        executedVersion: "$LATEST",
        functionError: "Unhandled"
      })
      assert.deepInclude(record?.["responsePayload"], { errorType: "TypeError", errorMessage: "as asked" })
    })
  )

  it.effect(
    "is told what AWS was recorded to tell, member by member",
    () =>
      Effect.gen(function* () {
        const pairs = [
          [{ id: "a" }, "test_assess_lambda_destination_invocation[payload0]"],
          [{ id: "b", fail: true }, "test_assess_lambda_destination_invocation[payload1]"]
        ] as const
        for (const [payload, name] of pairs) {
          const { file } = yield* endsWell("told", payload)
          const [record] = yield* recordsTold(file)
          assert.deepStrictEqual(shapeOf(record).toSorted(), shapeOf(recorded(name)).toSorted())
        }
      }),
    needs("golden")
  )
})

describe("Limits of accepted events", () => {
  it.live("an event is given up when its next run would come after its time", () =>
    Effect.gen(function* () {
      // Longer than the least age that AWS allows.
      const stack = yield* RoutedStack.make({
        sample: "events",
        environment: { ...environment, EVENT_RETRY_BASE: "61" }
      })
      const file = AcceptedEvents.fileOf(stack, "aging")
      const requestId = yield* AcceptedEvents.accepted(stack, "aging", { id: "old", file })
      const [record] = yield* recordsTold(file)
      assert.deepInclude(record?.["requestContext"], {
        requestId,
        condition: "EventAgeExceeded",
        approximateInvokeCount: 1
      })
      assert.deepStrictEqual([...AcceptedEvents.runsIn(file)], [[requestId, 1]])
      assert.deepStrictEqual(yield* AcceptedEvents.stored(stack), [])
    }).pipe(Effect.scoped)
  )

  it.live("events that would be more than the queue holds are refused, and accepted when there is room again", () =>
    Effect.gen(function* () {
      const limit = 4
      const stack = yield* RoutedStack.make({
        sample: "events",
        environment: { ...environment, EVENT_QUEUE_LIMIT: String(limit) }
      })
      const file = AcceptedEvents.fileOf(stack, "full")
      const attempts = yield* Effect.forEach(
        Array.from({ length: 3 * limit }, (_, at) => at),
        (at) => AcceptedEvents.send(stack, "single", { id: `${at}`, file, ms: 500 }),
        // Faster than any of them runs.
        { concurrency: "unbounded" }
      )
      const refused = attempts.filter(({ status }) => status !== 202)
      assert.isAtLeast(refused.length, limit)
      for (const answer of refused) {
        assert.strictEqual(answer.status, 429)
        assert.strictEqual(answer.header("x-amzn-errortype"), "TooManyRequestsException")
        assert.strictEqual(answer.header("retry-after"), "1")
        assert.include(answer.text, `"Type":"User"`)
      }
      yield* eventually("the queue is empty", AcceptedEvents.stored(stack), (events) => events.length === 0, 15_000)
      assert.strictEqual((yield* AcceptedEvents.send(stack, "single", { id: "again", file })).status, 202)
      const ran = AcceptedEvents.runsIn(file)
      for (const answer of attempts) {
        assert.strictEqual(ran.get(answer.header("x-amzn-requestid") ?? ""), answer.status === 202 ? 1 : undefined)
      }
    }).pipe(Effect.scoped)
  )
})
