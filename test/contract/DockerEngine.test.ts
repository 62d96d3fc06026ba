/** A Docker Engine that is away for a while, registries that lack what is asked of them, and images that bring an emulator. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { WorkerSpec } from "#domain/Worker"
import { DockerApi } from "#layers/docker/DockerApi"
import * as EmulatorPort from "#layers/rie/EmulatorPort"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { docker } from "#test/support/DockerImages"
import * as DockerRegistry from "#test/support/DockerRegistry"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as EngineWire from "#test/support/EngineWire"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import { mine, started } from "#test/support/LentWorkers"
import { temporaryDirectory } from "#test/support/ProcessWorkers"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const answers = Effect.fnUntraced(function* (spec: WorkerSpec) {
  const client = yield* WorkerClient
  const worker = yield* started(spec)
  const result = yield* client.send(worker, call(worker, { n: 1 }))
  assert.strictEqual(Buffer.from(result.payload).toString(), '{"n":1}')
  return worker
})

describe("a Docker Engine", { ...needs("docker"), timeout: 60_000 }, () => {
  it.live("that is away keeps nobody waiting and costs no worker; what ended meanwhile is found when it is back", () =>
    Effect.gen(function* () {
      const wire = yield* EngineWire.make
      const image = yield* Effect.promise(() => FunctionImage.reference())
      const spec = specOf(image, "index.echo")
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const [lost, kept] = yield* Effect.all([answers(spec), answers(spec)])
        yield* wire.cut
        const failure = yield* Effect.flip(runtime.ensure(spec, mine))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.include(failure.message, "the Docker Engine does not answer")
        assert.isFalse(runtime.isReachable())
        assert.isUndefined((yield* client.send(kept, call(kept))).errorType)
        yield* docker("kill", lost.name)

        yield* wire.mend
        yield* eventually(
          "the end is found",
          runtime.list(mine),
          (states) => states.find(({ id }) => id === lost.id)?.status === "STOPPED"
        )
        assert.isTrue(runtime.isReachable())
        assert.isUndefined((yield* client.send(kept, call(kept))).errorType)
        yield* answers(spec)
      }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer({ socketPath: wire.socketPath })))
    })
  )

  it.live("whose connections break once is asked again", () =>
    Effect.gen(function* () {
      const wire = yield* EngineWire.make
      yield* Effect.gen(function* () {
        const { call, engine } = yield* DockerApi
        yield* call(() => engine.ping())
        yield* wire.cut
        yield* Effect.forkChild(Effect.andThen(Effect.sleep(200), wire.mend))
        yield* call(() => engine.ping())
      }).pipe(Effect.provide(DockerWorkers.layer({ socketPath: wire.socketPath })))
    })
  )

  it.live("starts images that bring an emulator, and their doors are closed", () =>
    Effect.gen(function* () {
      const image = yield* Effect.promise(() => FunctionImage.withEmulator())
      const worker = yield* answers(specOf(image, "index.echo"))
      assert.strictEqual(worker.protocol, "rie")
      assert.strictEqual(worker.address.port, 8_080)
      const runtime = yield* ContainerRuntime
      assert.deepInclude((yield* runtime.list(mine))[0], { status: "RUNNING", phase: "idle", protocol: "rie" })
      const door = yield* docker("inspect", "--format", '{{index .Config.Labels "com.esb.listener"}}', worker.name)
      const [host = "", port = ""] = door.split(":")
      assert.isAbove(Number(port), 0)
      assert.isTrue(yield* EmulatorPort.accepts(worker.address, 1_000))
      assert.isFalse(yield* EmulatorPort.accepts({ host, port: Number(port) }, 1_000))
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  )
})

describe("a registry", { ...needs("docker", "registry"), timeout: 60_000 }, () => {
  it.live("gives the engine what that lacks, and is named in what itself lacks", () =>
    Effect.gen(function* () {
      const registry = yield* DockerRegistry.make()
      const local = yield* Effect.promise(() => FunctionImage.reference())
      const image = `${registry.host}/esb-test/functions:1`
      yield* Effect.acquireRelease(docker("tag", local, image), () => docker("rmi", "--force", image))
      yield* docker("push", image)
      yield* docker("rmi", image)
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        yield* answers(specOf(image, "index.echo"))
        for (const missing of [`${registry.host}/esb-test/functions:2`, `${registry.host}/esb-test/nobody:1`]) {
          const failure = yield* Effect.flip(runtime.ensure(specOf(missing, "index.echo"), mine))
          assert.strictEqual(failure._tag, "ArtifactNotFound", failure.message)
          assert.include(failure.message, missing)
        }
      }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
    })
  )

  it.live("lets the engine in as the user that it is told for this registry, and nobody else", () =>
    Effect.gen(function* () {
      const registry = yield* DockerRegistry.make({ password: true })
      const { password, username } = DockerRegistry.reader
      const local = yield* Effect.promise(() => FunctionImage.reference())
      const image = `${registry.host}/esb-test/private:1`
      yield* Effect.acquireRelease(docker("tag", local, image), () => docker("rmi", "--force", image))
      const auth = Buffer.from(`${username}:${Redacted.value(password)}`).toString("base64")
      const directory = temporaryDirectory()
      writeFileSync(join(directory, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }))
      yield* docker("--config", directory, "push", image)
      yield* docker("rmi", image)
      const login = { registry: registry.host, username, password }
      const refused = [[], [{ ...login, password: Redacted.make("wrong") }], [{ ...login, registry: "127.0.0.1:1" }]]
      for (const logins of refused) {
        const failure = yield* Effect.flatMap(ContainerRuntime, (runtime) =>
          Effect.flip(runtime.ensure(specOf(image, "index.echo"), mine))
        ).pipe(Effect.provide(DockerWorkers.layer({ docker: { logins } })))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.match(failure.message, /no basic auth credentials|unauthorized/)
        assert.notInclude(failure.message, "wrong")
      }
      yield* answers(specOf(image, "index.echo")).pipe(
        Effect.scoped,
        Effect.provide(DockerWorkers.layer({ docker: { logins: [login] } }))
      )
    })
  )
})
