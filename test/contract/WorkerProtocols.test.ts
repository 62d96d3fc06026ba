/** How the protocol of a new worker is found out: the three signs together, and the traps in which one alone would end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { createServer } from "node:http"
import { emulatorPort } from "#domain/ProtocolChoice"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { type UnsettledWorker, WorkerProtocols } from "#services/WorkerProtocols"
import type { RuntimeApi } from "#services/RuntimeApi"
import * as Emulators from "#test/support/Emulators"
import { type Bench, openDoor } from "#test/support/OpenDoor"
import * as RecordedLog from "#test/support/RecordedLog"

const graceMs = 200
const initLimitMs = 800
/** What is decided without waiting takes less than this. */
const atOnceMs = 100

const emulated = ["/usr/local/bin/aws-lambda-rie", "/bootstrap"]

/** A worker that shows nothing; each test says what else. */
const worker = (asked: Partial<UnsettledWorker> = {}): UnsettledWorker => ({
  imageDigest: "sha256:one",
  entrypoint: emulated,
  contacted: Effect.never,
  host: Emulators.nextHost(),
  ...asked
})

/** Something that accepts connections where emulators do, from now or from later on. */
const listen = ({ host }: UnsettledWorker, afterMs = 0) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const server = createServer((_, response) => void response.end())
      const timer = setTimeout(() => server.listen(emulatorPort, host), afterMs)
      return { server, timer }
    }),
    ({ server, timer }) =>
      Effect.promise(async () => {
        clearTimeout(timer)
        await new Promise((resolve) => server.close(resolve))
      })
  )

/** Asks for a call that never comes: the door closes first. */
const poll = (runtime: Bench["runtime"]): void => void runtime.next().catch(() => undefined)

/** The verdict, and how long it took. */
const settle = Effect.fnUntraced(function* (unsettled: UnsettledWorker) {
  const protocols = yield* WorkerProtocols
  const startedAtMs = performance.now()
  const protocol = yield* protocols.settle(unsettled)
  return { protocol, tookMs: performance.now() - startedAtMs }
})

const live = <A, E>(
  title: string,
  test: () => Effect.Effect<A, E, RuntimeApi | WorkerProtocols | Scope.Scope>,
  settings: Partial<ProbedWorkerProtocols.ProtocolSettings> = {}
) =>
  it.live(title, () =>
    Effect.provide(
      test(),
      Layer.merge(
        ProbedWorkerProtocols.layer({ graceMs, initLimitMs, ...settings }),
        LambdaRuntimeApi.layer().pipe(Layer.provide(RecordedLog.make().layer))
      )
    )
  )

describe("the protocol of a new worker", Emulators.needsEmulator("stand-in"), () => {
  live("is the Runtime API at once when its entrypoint names no emulator, though a web server listens on 8080", () =>
    Effect.gen(function* () {
      const adapted = worker({ entrypoint: ["/opt/extensions/lambda-adapter", "node", "server.js"] })
      yield* listen(adapted)
      const { protocol, tookMs } = yield* settle(adapted)
      assert.strictEqual(protocol, "runtime-api")
      assert.isBelow(tookMs, atOnceMs)
    })
  )

  live("is an emulator's when the door stays silent through the grace and 8080 accepts", () =>
    Effect.gen(function* () {
      const silent = worker()
      yield* listen(silent)
      const { protocol, tookMs } = yield* settle(silent)
      assert.strictEqual(protocol, "rie")
      assert.isAtLeast(tookMs, graceMs - 1)
    })
  )

  live("is an emulator's as soon as a slow one listens", () =>
    Effect.gen(function* () {
      const slow = worker()
      yield* listen(slow, graceMs + 200)
      assert.strictEqual((yield* settle(slow)).protocol, "rie")
    })
  )

  live("is the Runtime API when the door is contacted, though 8080 accepts", () =>
    Effect.gen(function* () {
      const { door, runtime } = yield* openDoor()
      const both = worker({ contacted: door.contacted })
      yield* listen(both)
      poll(runtime)
      const { protocol, tookMs } = yield* settle(both)
      assert.strictEqual(protocol, "runtime-api")
      assert.isBelow(tookMs, graceMs)
    })
  )

  live("is the Runtime API when a slow runtime contacts the door after the grace, and 8080 does not accept", () =>
    Effect.gen(function* () {
      const { door, runtime } = yield* openDoor()
      setTimeout(() => poll(runtime), graceMs + 200)
      const { protocol, tookMs } = yield* settle(worker({ contacted: door.contacted }))
      assert.strictEqual(protocol, "runtime-api")
      assert.isBelow(tookMs, initLimitMs)
    })
  )

  live("is left to the Runtime API when nothing shows within the init limit, and that is not remembered", () =>
    Effect.gen(function* () {
      const dead = yield* settle(worker())
      assert.strictEqual(dead.protocol, "runtime-api")
      assert.isAtLeast(dead.tookMs, initLimitMs - 1)
      const next = worker()
      yield* listen(next)
      assert.strictEqual((yield* settle(next)).protocol, "rie")
    })
  )

  live("is remembered: the next worker of the image waits for nothing", () =>
    Effect.gen(function* () {
      const first = worker({ imageDigest: "sha256:emulated" })
      yield* listen(first)
      yield* settle(first)
      const { door, runtime } = yield* openDoor()
      poll(runtime)
      yield* settle(worker({ imageDigest: "sha256:obedient", contacted: door.contacted }))
      for (const [imageDigest, expected] of [
        ["sha256:emulated", "rie"],
        ["sha256:obedient", "runtime-api"]
      ] as const) {
        const { protocol, tookMs } = yield* settle(worker({ imageDigest }))
        assert.strictEqual(protocol, expected)
        assert.isBelow(tookMs, atOnceMs)
      }
    })
  )

  live(
    "is forgotten when too many other images were settled since",
    () =>
      Effect.gen(function* () {
        for (const imageDigest of ["sha256:one", "sha256:two", "sha256:one"]) {
          const settled = worker({ imageDigest })
          yield* listen(settled)
          assert.isAtLeast((yield* settle(settled)).tookMs, graceMs - 1)
        }
      }),
    { rememberedImages: 1 }
  )

  for (const setting of ["runtime-api", "rie"] as const) {
    live(
      `is ${setting} at once when the setting says so`,
      () =>
        Effect.gen(function* () {
          for (const entrypoint of [emulated, ["/lambda-entrypoint.sh"]]) {
            const { protocol, tookMs } = yield* settle(worker({ entrypoint }))
            assert.strictEqual(protocol, setting)
            assert.isBelow(tookMs, atOnceMs)
          }
        }),
      { setting }
    )
  }
})

for (const name of Emulators.emulatorNames) {
  describe(`the protocol of a worker with an emulator (${name})`, Emulators.needsEmulator(name), () => {
    live("is found out although its environment names a door, which it does not use", () =>
      Effect.gen(function* () {
        const { door } = yield* openDoor({ admitted: false })
        const { address, entrypoint } = yield* Emulators.start(name, "index.echo", {
          AWS_LAMBDA_RUNTIME_API: door.endpoint
        })
        door.admit(address.host)
        const { contacted } = door
        const { protocol } = yield* settle(worker({ entrypoint, contacted, host: address.host }))
        assert.strictEqual(protocol, "rie")
      })
    )
  })
}
