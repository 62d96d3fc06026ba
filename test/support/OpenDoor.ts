/** A door of the Runtime API with a runtime in front of it, for tests that play both the function and its caller. */
import { Effect, Layer, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { FunctionName } from "#domain/FunctionName"
import type { AnswerStream, Invocation } from "#domain/Invocation"
import { ContainerId, OwnerId } from "#domain/Worker"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { type DoorSpec, RuntimeApi } from "#services/RuntimeApi"
import * as RawRuntime from "./RawRuntime.ts"
import * as RecordedLog from "./RecordedLog.ts"

export const containerId = ContainerId.make("esb-test-orders-00000001")

export const spec: DoorSpec = {
  containerId,
  containerName: "esb-test-orders-00000001",
  owner: OwnerId.make("gateway-test"),
  functionName: FunctionName.make("orders"),
  handler: "app.handler",
  memoryMiB: 128,
  timeoutMs: 5_000,
  extensionNames: []
}

export const invocation = (changed: Partial<Invocation> = {}): Invocation => ({
  requestId: randomUUID(),
  functionName: spec.functionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:orders",
  payload: Buffer.from('{"n":1}'),
  clientContext: undefined,
  wantsLogTail: false,
  ...changed
})

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
export const heard = (answer: Promise<RawRuntime.Heard>) => Effect.promise(() => answer)

interface Options {
  readonly settings?: Partial<DoorSettings>
  readonly spec?: Partial<DoorSpec>
  /** `false`: the test admits the worker itself. */
  readonly admitted?: boolean
}

/** A door, and a runtime in front of it. */
export const openDoor = Effect.fnUntraced(function* (options: Options = {}) {
  const api = yield* RuntimeApi
  const door = yield* api.open({ ...spec, ...options.spec })
  if (options.admitted !== false) door.admit("127.0.0.1")
  const runtime = RawRuntime.make(door.endpoint)
  yield* Effect.addFinalizer(() => Effect.sync(runtime.leave))
  return { api, door, runtime }
})

export type Bench = Effect.Success<ReturnType<typeof openDoor>> & { readonly log: RecordedLog.RecordedLog }

/** A call that the runtime has been handed, and has not answered yet. */
export const handed = Effect.fnUntraced(function* (
  { api, runtime }: Pick<Bench, "api" | "runtime">,
  call: Invocation,
  listener?: AnswerStream
) {
  const polled = runtime.next()
  const fiber = yield* Effect.forkScoped(api.invoke(containerId, call, listener))
  yield* heard(polled)
  return fiber
})

export const withDoor =
  (options: Options, test: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>) =>
  (): Effect.Effect<void, unknown> => {
    const log = RecordedLog.make()
    const layer = LambdaRuntimeApi.layer(options.settings).pipe(Layer.provide(log.layer))
    return openDoor(options).pipe(
      Effect.flatMap((bench) => test({ ...bench, log })),
      Effect.scoped,
      Effect.provide(layer)
    )
  }

/** Waits for something another party is about to do. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.delay(until(holds), 2))).pipe(
    Effect.timeout(5_000),
    Effect.orDie
  )
