/** What containers of a Docker Engine promise beyond every other engine's workers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { readdirSync } from "node:fs"
import { ContainerId, type Worker } from "#domain/Worker"
import { DockerApi } from "#layers/docker/DockerApi"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import { mine, started } from "#test/support/LentWorkers"
import { type Asked, specOf, WorkerFunctions } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const functionNamed = (handler: string, asked?: Asked) =>
  Effect.map(
    Effect.promise(() => FunctionImage.reference()),
    (image) => specOf(image, `index.${handler}`, asked)
  )

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, event))
  return JSON.parse(Buffer.from(result.payload).toString()) as unknown
})

/** A call of this worker under another id. */
const calledAs = (worker: Worker, id: ContainerId) =>
  Effect.flatMap(WorkerClient, (client) => client.send({ ...worker, id }, call(worker)))

/** What the engine has of a stack: names of containers, and whether there is a network. */
const leftOf = Effect.fnUntraced(function* (stack: string) {
  const { call, engine } = yield* DockerApi
  const containers = yield* call(() => engine.listContainers({ all: true, filters: { label: [`esb_env=${stack}`] } }))
  const networks = yield* call(() => engine.listNetworks({ filters: { name: [`esb-${stack}`] } }))
  return { containers: containers.flatMap(({ Names }) => Names), networks: networks.map(({ Name }) => Name) }
})

/** What a shell in the container of a worker says, which has the worker's rights. */
const inside = Effect.fnUntraced(function* (worker: Worker, command: string) {
  const { call, engine } = yield* DockerApi
  const exec = yield* call(() =>
    engine.getContainer(worker.name).exec({ Cmd: ["sh", "-c", `${command} 2>&1`], AttachStdout: true, Tty: true })
  )
  const stream = yield* call(() => exec.start({ Tty: true }))
  return yield* Effect.promise(async () => {
    let said = ""
    for await (const chunk of stream) said += String(chunk)
    return said.trim()
  })
})

const openFiles = (): number => readdirSync("/proc/self/fd").length

describe("containers of a Docker Engine", { ...needs("docker"), timeout: 60_000 }, () => {
  it.live("are refused for an image, or a tag, that nobody has, and leave nothing", () => {
    const stack = DockerWorkers.freshStack()
    return Effect.gen(function* () {
      const image = yield* Effect.promise(() => FunctionImage.reference())
      const [repository = ""] = image.split(":")
      const runtime = yield* ContainerRuntime
      for (const missing of ["esb-test/nobody-has-this:1", `${repository}:no-such-tag`]) {
        const failure = yield* Effect.flip(runtime.ensure(specOf(missing, "index.echo"), mine))
        assert.strictEqual(failure._tag, "ArtifactNotFound")
        assert.include(failure.message, missing)
      }
      assert.deepStrictEqual((yield* leftOf(stack)).containers, [])
    }).pipe(Effect.provide(DockerWorkers.layer({ stack, docker: { pullPolicy: "never" } })))
  })

  it.live("leave nothing when their start fails, and say why", () => {
    const stack = DockerWorkers.freshStack()
    return Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      // Less than the engine gives any container.
      const failure = yield* Effect.flip(runtime.ensure(yield* functionNamed("echo", { memoryMiB: 1 }), mine))
      assert.strictEqual(failure._tag, "RuntimeUnavailable")
      assert.match(failure.message, /memory/i)
      assert.deepStrictEqual((yield* leftOf(stack)).containers, [])
    }).pipe(Effect.provide(DockerWorkers.layer({ stack })))
  })

  it.live(
    "may use the processor by weight alone, or by a quota, once their function has begun, where it was asked for",
    () =>
      Effect.gen(function* () {
        const { call, engine } = yield* DockerApi
        const limitOf = Effect.fnUntraced(function* (worker: Worker) {
          const { HostConfig } = yield* call(() => engine.getContainer(worker.name).inspect())
          return { quota: HostConfig.CpuQuota ?? 0, period: HostConfig.CpuPeriod ?? 0 }
        })
        const spec = yield* functionNamed("echo", { memoryMiB: 128 })
        const weighed = yield* started(spec).pipe(
          Effect.flatMap(limitOf),
          Effect.provide(DockerWorkers.layer()),
          Effect.scoped
        )
        assert.deepStrictEqual(weighed, { quota: 0, period: 0 })
        yield* Effect.gen(function* () {
          const worker = yield* started(spec)
          yield* eventually("there is a quota", limitOf(worker), ({ quota }) => quota !== 0)
          assert.deepStrictEqual(yield* limitOf(worker), { quota: 7_236, period: 100_000 })
          const told = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null"
          assert.match(yield* inside(worker, told), /^7236\b/)
          assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
        }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer({ docker: { cpuLimit: "quota" } })))
      }).pipe(Effect.provide(DockerWorkers.engine))
  )

  it.live("have their limits at the engine, and nothing of the machine's", () =>
    Effect.gen(function* () {
      const worker = yield* started(yield* functionNamed("echo"))
      const { call, engine } = yield* DockerApi
      const { HostConfig } = yield* call(() => engine.getContainer(worker.name).inspect())
      assert.deepInclude(HostConfig, { Memory: 256 * 1_048_576, MemorySwap: 256 * 1_048_576, PidsLimit: 1_024 })
      assert.isAbove(HostConfig.CpuShares ?? 0, 100)
      assert.isUndefined(HostConfig.Binds ?? undefined)
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  )

  it.live("get nothing back from another worker, whom they can name by its address", () =>
    Effect.gen(function* () {
      const spec = yield* functionNamed("visit")
      const [one, other] = yield* Effect.all([started(spec), started(spec)])
      const { call, engine } = yield* DockerApi
      const { name } = yield* WorkersNetwork
      const { NetworkSettings } = yield* call(() => engine.getContainer(other.name).inspect())
      const neighbour = NetworkSettings.Networks[name]?.IPAddress ?? ""
      assert.match(neighbour, /^\d+\.\d+\.\d+\.\d+$/)
      assert.deepStrictEqual(yield* answerOf(one, { host: neighbour, port: 8_080, path: "/" }), { bytes: 0 })
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  )

  it.live("go by their name, and by nothing else that the engine would take for them", () =>
    Effect.gen(function* () {
      const worker = yield* started(yield* functionNamed("echo"))
      assert.strictEqual(worker.id, worker.name)
      const { call, engine } = yield* DockerApi
      const { Id } = yield* call(() => engine.getContainer(worker.name).inspect())
      const runtime = yield* ContainerRuntime
      for (const other of [Id, Id.slice(0, 12), `/${worker.name}`, worker.name.slice(0, -1), `${worker.name} `]) {
        const id = ContainerId.make(other)
        const attempts = [
          runtime.suspend(id, mine),
          runtime.resume(id, mine),
          runtime.metrics(id, mine),
          runtime.touch(id, mine)
        ]
        const failures = yield* Effect.forEach(attempts, (attempt) => Effect.flip(Effect.asVoid(attempt)))
        assert.deepStrictEqual(new Set(failures.map(({ _tag }) => _tag)), new Set(["ContainerNotFound"]))
        // Gone is gone, and this one never was.
        yield* runtime.destroy(id, mine)
        assert.strictEqual((yield* Effect.flip(calledAs(worker, id)))._tag, "WorkerUnreachable")
      }
      assert.deepStrictEqual(yield* answerOf(worker, { still: "here" }), { still: "here" })
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  )

  it.live("of two stacks on one engine do not see each other, and are collected by nobody else", () => {
    const theirs = DockerWorkers.layer()
    return Effect.gen(function* () {
      const worker = yield* started(yield* functionNamed("echo"))
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        assert.deepStrictEqual(yield* runtime.list(mine), [])
        assert.strictEqual(yield* runtime.gc(() => true), 0)
        assert.strictEqual((yield* Effect.flip(runtime.suspend(worker.id, mine)))._tag, "ContainerNotFound")
        yield* runtime.destroy(worker.id, mine)
      }).pipe(Effect.provide(theirs))
      assert.deepStrictEqual(yield* answerOf(worker, { still: "here" }), { still: "here" })
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  })

  it.live("that nobody can take over are removed by the next run, and later ones by the collection", () => {
    const stack = DockerWorkers.freshStack()
    const orphan = Effect.gen(function* () {
      const { call, engine } = yield* DockerApi
      const image = yield* Effect.promise(() => FunctionImage.reference())
      const labels = { created_by: "esb-agent", esb_env: stack, "com.esb.kind": "function" }
      return yield* call(() =>
        engine.createContainer({ Image: image, Labels: labels, HostConfig: { NetworkMode: "none" } })
      )
    })
    return Effect.gen(function* () {
      yield* orphan
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        assert.deepStrictEqual((yield* leftOf(stack)).containers, [])
        const worker = yield* started(yield* functionNamed("echo"))
        yield* orphan
        assert.strictEqual(yield* runtime.gc(() => false), 1)
        assert.deepStrictEqual((yield* leftOf(stack)).containers, [`/${worker.name}`])
      }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer({ stack })))
    }).pipe(Effect.provide(DockerWorkers.engine))
  })

  it.live("leave no network, socket or file descriptor behind when they are destroyed and their stack ends", () =>
    Effect.gen(function* () {
      const stack = DockerWorkers.freshStack()
      const spec = yield* functionNamed("echo")
      const before = openFiles()
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const workers = yield* Effect.forEach([1, 2, 3], () => runtime.ensure(spec, mine), { concurrency: 3 })
        yield* Effect.forEach(workers, (worker) => client.ready(worker), { concurrency: 3 })
        // One that nobody waits for any more.
        const late = yield* Effect.forkChild(runtime.ensure(spec, mine))
        yield* Effect.sleep(100)
        yield* Fiber.interrupt(late)
        yield* Effect.forEach(workers, ({ id }) => runtime.destroy(id, mine), { concurrency: 3 })
      }).pipe(Effect.provide(DockerWorkers.layer({ stack, leavesWorkers: true })))
      const left = yield* leftOf(stack).pipe(Effect.provide(DockerWorkers.engine))
      assert.deepStrictEqual(left, { containers: [], networks: [] })
      yield* eventually("open files", Effect.sync(openFiles), (count) => count <= before)
    })
  )

  it.live("start from the image that is here when it should be fetched first and cannot be", () =>
    Effect.gen(function* () {
      const { spec } = yield* WorkerFunctions
      // Nobody serves this image but the engine itself.
      const worker = yield* started(spec("echo"))
      assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer({ docker: { pullPolicy: "always" } })))
  )
})
