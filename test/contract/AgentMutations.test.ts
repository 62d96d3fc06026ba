/** Whatever bytes are sent to an Agent, it answers each message in a way that can be read, keeps nothing, and serves on. */
import { assert, it } from "@effect/vitest"
import { type ServiceError, status } from "@grpc/grpc-js"
import { Effect, Option } from "effect"
import * as Status from "#layers/grpc/Status"
import { MemoryWorkers } from "#layers/memory/MemoryWorkers"
import { eventually } from "#test/support/Eventually"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import { anyOf, chance, mutated } from "#test/support/Mutations"

const count = 10_000
const atOnce = 64
const seed = 20_260_201

const methods = Object.keys(ForeignAgentCalls.Agents.service)

/** Valid requests of every kind, about a worker that is there, and another that will not be there for long. */
const requestsAbout = (
  id: string,
  doomed: string
): ReadonlyArray<readonly [method: string, request: Foreign.Message]> => {
  const named = { container_id: id, owner_id: "mine" }
  const environment = {
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
    AWS_LAMBDA_FUNCTION_TIMEOUT: "3",
    _HANDLER: "index.handler"
  }
  return [
    ["EnsureContainer", { function_name: "echo", image: "i", owner_id: "mine", env: environment, spec_hash: "5ec" }],
    ["EnsureContainer", { function_name: "echo", image: "artifact:sha256:" + "0".repeat(64), owner_id: "theirs" }],
    ["DestroyContainer", { ...named, container_id: doomed, function_name: "echo" }],
    ["PauseContainer", named],
    ["ResumeContainer", named],
    ["ListContainers", { owner_id: "mine" }],
    ["GetContainerMetrics", named],
    [
      "InvokeWorker",
      { ...named, payload: Buffer.from('{"n":1}'), timeout_ms: 500, headers: { "x-amzn-requestid": "a1" } }
    ],
    [
      "InvokeWorker",
      { ...named, payload: Buffer.alloc(300, "[1,2]"), path: "/2015-03-31/functions/function/invocations" }
    ]
  ]
}

/** What came of one message. */
interface Outcome {
  readonly method: string
  readonly bytes: Buffer
  readonly error: ServiceError | undefined
  readonly answer: Foreign.Message | undefined
}

/** Why an outcome is not as it should be; `undefined`: it is. */
const objectionTo = ({ error }: Outcome): string | undefined => {
  if (error === undefined) return undefined
  const { code, details } = error
  if (status[code] === undefined || code === status.UNKNOWN || code === status.UNIMPLEMENTED)
    return `its code is ${code}`
  if (details === "" || !details.isWellFormed()) return "it says nothing"
  if (code === status.INTERNAL && !details.startsWith("failed to")) return `it is a bug: ${details}`
  return Option.isNone(Status.failureIn(error)) ? "it brings no failure" : undefined
}

it.live(
  `each of ${count} mutated messages is answered, and the server serves on`,
  () =>
    ForeignAgentCalls.using(
      { functions: { echo: { handler: (event: unknown) => event } } },
      ({ call, client, lines, start }) =>
        Effect.gen(function* () {
          const send = (method: string, bytes: Buffer) =>
            Effect.callback<Outcome>((resume) => {
              const definition = ForeignAgentCalls.Agents.service[method]
              assert.isDefined(definition)
              const answered = (error: ServiceError | null, answer: Foreign.Message | undefined): void =>
                resume(Effect.succeed({ method, bytes, error: error ?? undefined, answer }))
              const readAnswer = (answer: Buffer): Foreign.Message =>
                definition.responseDeserialize(answer) as Foreign.Message
              const asItIs = (raw: Buffer): Buffer => raw
              client.makeUnaryRequest(
                definition.path,
                asItIs,
                readAnswer,
                bytes,
                { deadline: Date.now() + 20_000 },
                answered
              )
            })

          const own = yield* start("echo")
          const valid = requestsAbout(own, yield* start("echo")).map(([method, request]) => ({
            method,
            bytes: Foreign.encoded(ForeignAgentCalls.Agents, method, request).bytes
          }))
          const resources = process.getActiveResourcesInfo().length
          const pick = chance(seed)
          const all = valid.map(({ bytes }) => bytes)
          const messages = Array.from({ length: count }, () => {
            const { bytes, method } = anyOf(valid, pick)
            // Some arrive where another message is expected.
            const to = pick(4) === 0 ? anyOf(methods, pick) : method
            return [to, mutated(bytes, all, pick)] as const
          })
          const outcomes = yield* Effect.forEach(messages, ([method, bytes]) => send(method, bytes), {
            concurrency: atOnce
          })

          const bad = outcomes.flatMap((outcome) => {
            const objection = objectionTo(outcome)
            return objection === undefined ? [] : [`${outcome.method} ${outcome.bytes.toString("hex")}: ${objection}`]
          })
          assert.deepStrictEqual(bad.slice(0, 5), [])
          assert.deepStrictEqual(
            lines.filter(({ level }) => level === "Error"),
            []
          )
          // Enough of them were no nonsense to the server.
          const well = outcomes.filter(({ error }) => error === undefined)
          assert.isAbove(well.length, count / 100)
          assert.sameMembers([...new Set(well.map(({ method }) => method))], methods)

          // Every worker is one that somebody was told of.
          const told = new Set(
            well.flatMap(({ answer, method }) => (method === "EnsureContainer" ? [answer?.["id"]] : []))
          )
          const { workers } = yield* MemoryWorkers
          assert.deepStrictEqual(
            [...workers.keys()].filter((id) => id !== own && !told.has(id)),
            []
          )
          yield* eventually(
            "nothing is kept open",
            Effect.sync(() => process.getActiveResourcesInfo().length),
            (open) => open <= resources
          )
          const id = yield* start("echo")
          const answer = yield* call("InvokeWorker", {
            container_id: id,
            owner_id: "mine",
            payload: Buffer.from('"well"')
          })
          assert.strictEqual(Buffer.from(answer["body"] as Uint8Array).toString(), '"well"')
        })
    ),
  60_000
)
