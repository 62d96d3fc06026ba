/** What is special about workers that are child processes: their surroundings, their limits, and how they end. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { OwnerId, type Worker } from "#domain/Worker"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { needs } from "#test/support/Engines"
import { mine, started } from "#test/support/LentWorkers"
import { isAlive, needsProc } from "#test/support/Processes"
import * as ProcessWorkers from "#test/support/ProcessWorkers"
import { type Asked, samples, specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

/** A layer of the function: a wrapper script, modules for both languages, and an extension unless told otherwise. */
const layerDirectory = (withExtension: boolean): string => {
  const path = ProcessWorkers.temporaryDirectory()
  for (const part of ["bin", "python", ...(withExtension ? ["extensions"] : [])]) {
    cpSync(join(samples("layer"), part), join(path, part), { recursive: true })
  }
  mkdirSync(join(path, "nodejs/node_modules/greeting"), { recursive: true })
  const greeting = "exports.hello = (name) => `hello ${name}`\n"
  writeFileSync(join(path, "nodejs/node_modules/greeting/index.js"), greeting)
  return path
}

interface Wanted extends Asked {
  readonly code?: "node" | "python" | "provided"
  readonly layers?: ReadonlyArray<string>
}

const specFor = Effect.fnUntraced(function* (handler: string, { code = "node", layers = [], ...asked }: Wanted = {}) {
  const store = yield* ArtifactStore
  const artifact = yield* store.put({ taskDirectory: samples(code), layerDirectories: layers })
  return { artifact, spec: specOf(artifact.image, handler, asked) }
})

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown = {}) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, event))
  assert.isUndefined(result.errorType, Buffer.from(result.payload).toString())
  return JSON.parse(Buffer.from(result.payload).toString()) as Record<string, never>
})

const within = (limitMs: number, holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(10), within(limitMs - 10, holds)))).pipe(
    Effect.timeout(limitMs),
    Effect.orDie
  )

describe("a worker that is a child process", () => {
  const stateDirectory = ProcessWorkers.temporaryDirectory()
  const layer = ProcessWorkers.layer({
    stateDirectory,
    process: { sdk: { node: "/sdk/node_modules", python: "/sdk/python" } }
  })

  it.layer(layer, { excludeTestServices: true })((it) => {
    it.effect("sees AWS's variables and its own, and nothing of its parent's", () =>
      Effect.gen(function* () {
        process.env["SECRET_OF_THE_PARENT"] = "1"
        const { artifact, spec } = yield* specFor("index.environment", {
          environment: { GREETING: "hello", TZ: "Europe/Vienna", PATH: "/opt/tools:/somewhere" },
          layers: [layerDirectory(false)]
        })
        const worker = yield* started(spec)
        const seen = yield* answerOf(worker)
        delete process.env["SECRET_OF_THE_PARENT"]
        assert.notProperty(seen, "SECRET_OF_THE_PARENT")
        assert.notProperty(seen, "ESB_WORKER_TOKEN")
        assert.deepInclude(seen as unknown, {
          ...spec.environment,
          GREETING: "hello",
          TZ: "Europe/Vienna",
          PATH: seen["PATH"],
          LAMBDA_TASK_ROOT: artifact.taskDirectory,
          LANG: "en_US.UTF-8",
          AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/sample",
          TMPDIR: join(stateDirectory, "workers", worker.name, "tmp"),
          AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${worker.address.port}`
        })
        assert.match(seen["AWS_LAMBDA_LOG_STREAM_NAME"] ?? "", /^\d{4}\/\d{2}\/\d{2}\/\[\$LATEST\][0-9a-f]{32}$/)
        assert.match(
          seen["PATH"] ?? "",
          new RegExp(`^${artifact.optDirectory}/tools:/somewhere:.*:${artifact.optDirectory}/bin$`)
        )
        assert.strictEqual(
          seen["NODE_PATH"],
          [
            `${artifact.optDirectory}/nodejs/node24/node_modules`,
            `${artifact.optDirectory}/nodejs/node_modules`,
            "/sdk/node_modules"
          ].join(":")
        )
      })
    )

    it.effect("runs where its code is, with a heap that fits its memory", () =>
      Effect.gen(function* () {
        const { artifact, spec } = yield* specFor("index.where", { memoryMiB: 200 })
        const seen = yield* answerOf(yield* started(spec))
        assert.deepInclude(seen as unknown, {
          directory: artifact.taskDirectory,
          arguments: ["--max-old-space-size=180"]
        })
      })
    )

    it.effect(
      "leads a session of its own, with limits on open files and without core files",
      () =>
        Effect.gen(function* () {
          const { spec } = yield* specFor("index.where")
          const { pid = 0 } = yield* answerOf(yield* started(spec))
          const limits = readFileSync(`/proc/${pid}/limits`, "utf8")
          assert.match(limits, /Max core file size\s+0\s+0/)
          assert.match(limits, /Max open files\s+1024\s/)
          assert.match(limits, /Max address space\s+unlimited/)
          const [, , group, session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
          assert.deepStrictEqual([group, session], [String(pid), String(pid)])
        }),
      needsProc
    )

    it.effect("finds the modules of its layers", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("index.greet", { layers: [layerDirectory(false)] })
        assert.strictEqual(yield* answerOf(yield* started(spec), { name: "node" }), "hello node" as never)
      })
    )

    it.effect("is started through a wrapper script when it names one", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("index.environment", {
          layers: [layerDirectory(false)],
          environment: { AWS_LAMBDA_EXEC_WRAPPER: "/opt/bin/wrapper" }
        })
        const seen = yield* answerOf(yield* started(spec))
        assert.strictEqual(seen["WRAPPED"], process.execPath)
      })
    )

    it.effect("tells AWS's exit status when its wrapper script is not there", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("index.echo", { environment: { AWS_LAMBDA_EXEC_WRAPPER: "/opt/nowhere" } })
        const failure = yield* Effect.flip(started(spec))
        assert.strictEqual(failure._tag, "InitFailed")
        assert.match(
          Buffer.from((failure as { payload: Uint8Array }).payload).toString(),
          /Runtime exited with error: exit status 127/
        )
      }).pipe(Effect.scoped)
    )

    it.effect("is measured from its first call on", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("index.echo")
        const worker = yield* started(spec)
        const client = yield* WorkerClient
        const { report } = yield* client.send(worker, call(worker))
        assert.isAbove(report.maxMemoryBytes, 20 * 1_048_576)
        assert.isBelow(report.maxMemoryBytes, 256 * 1_048_576)
      })
    )

    it.effect("runs any bootstrap of a provided runtime", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("hello.handler", { code: "provided", runtime: "provided.al2023" })
        const worker = yield* started(spec)
        assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { event: { n: 1 } } as never)
        assert.deepStrictEqual(yield* answerOf(worker, { n: 2 }), { event: { n: 2 } } as never)
      })
    )

    it.effect("does not start without the bootstrap that its runtime promises", () =>
      Effect.gen(function* () {
        const { spec } = yield* specFor("hello.handler", { runtime: "provided.al2023" })
        const failure = yield* Effect.flip(started(spec))
        assert.deepInclude(failure, { _tag: "InitFailed", errorType: "Runtime.ExitError" })
      }).pipe(Effect.scoped)
    )

    it.effect("is refused for images and for languages that child processes do not run", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { spec } = yield* specFor("Handler::run", { runtime: "java21" })
        const java = yield* Effect.flip(runtime.ensure(spec, mine))
        assert.deepInclude(java, { _tag: "RuntimeUnsupported", runtime: "java21" })
        assert.match(java.message, /docker mode/)
        const image = yield* Effect.flip(runtime.ensure({ ...spec, image: "registry:5010/orders:latest" }, mine))
        assert.deepInclude(image, { _tag: "RuntimeUnsupported", runtime: "registry:5010/orders:latest" })
      })
    )

    it.effect(
      "takes every process it started with it, those that left its group too",
      () =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const { spec } = yield* specFor("index.family")
          const worker = yield* started(spec)
          const { far = 0, near = 0 } = yield* answerOf(worker)
          assert.isTrue(isAlive(near) && isAlive(far))
          yield* runtime.destroy(worker.id, mine)
          yield* within(1_000, () => !isAlive(near) && !isAlive(far))
          assert.isFalse(existsSync(join(stateDirectory, "workers", worker.name)))
        }),
      needsProc
    )
  })

  describe("in Python", needs("python"), () => {
    it.layer(layer, { excludeTestServices: true })((it) => {
      it.effect("finds its own modules, those of its layers, and the SDK last", () =>
        Effect.gen(function* () {
          const asked: Wanted = { code: "python", runtime: "python3.13", layers: [layerDirectory(false)] }
          const { artifact, spec } = yield* specFor("app.where", asked)
          const seen = yield* answerOf(yield* started(spec))
          const path = seen["path"] as unknown as ReadonlyArray<string>
          assert.strictEqual(seen["directory"], artifact.taskDirectory as never)
          assert.include(path, artifact.taskDirectory)
          assert.isBelow(path.indexOf(artifact.taskDirectory), path.indexOf(`${artifact.optDirectory}/python`))
          assert.isBelow(path.indexOf(`${artifact.optDirectory}/python`), path.indexOf("/sdk/python"))
          const greeting = yield* specFor("app.greet", asked)
          assert.strictEqual(
            yield* answerOf(yield* started(greeting.spec), { name: "python" }),
            "hello python" as never
          )
        })
      )

      it.effect("leaves its artifact as it was: what Python compiles goes elsewhere", () =>
        Effect.gen(function* () {
          const { artifact, spec } = yield* specFor("app.echo", { code: "python", runtime: "python3.13" })
          yield* answerOf(yield* started(spec))
          assert.deepStrictEqual(readdirSync(artifact.taskDirectory), ["app.py"])
        })
      )
    })
  })
})

describe("an external extension", () => {
  const events = (file: string): ReadonlyArray<string> =>
    existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []

  const withAgent = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>> = {}) {
    const file = join(ProcessWorkers.temporaryDirectory(), "events")
    const { spec } = yield* specFor("index.echo", {
      layers: [layerDirectory(true)],
      environment: { ...environment, EVENTS_FILE: file }
    })
    const worker = yield* started(spec)
    return { file, worker }
  })

  it.layer(ProcessWorkers.layer(), { excludeTestServices: true })((it) => {
    it.effect("is started beside the function, gets its events, and its time at the end", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { file, worker } = yield* withAgent()
        const first = call(worker)
        yield* client.send(worker, first)
        yield* answerOf(worker)
        yield* within(2_000, () => events(file).length === 2)
        assert.strictEqual(events(file)[0], `INVOKE ${first.requestId}`)
        yield* runtime.destroy(worker.id, mine)
        assert.strictEqual(events(file)[2], "SHUTDOWN spindown")
      })
    )

    it.effect("takes the worker with it when it ends", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { worker } = yield* withAgent({ AGENT_CRASHES: "1" })
        yield* Effect.exit(client.send(worker, call(worker)))
        yield* within(2_000, () => !client.isAlive(worker))
        const [state] = yield* runtime.list(mine)
        assert.deepInclude(state, { status: "STOPPED", phase: "dirty" })
        assert.deepInclude(yield* runtime.metrics(worker.id, mine), { exitCode: 5 })
      })
    )
  })
})

describe("the state directory", needsProc, () => {
  const host = fileURLToPath(new URL("../support/WorkerHost.ts", import.meta.url))

  /** Starts the engine on a directory and ends it again. */
  const startOn = (stateDirectory: string) => Effect.scoped(Layer.build(ProcessWorkers.layer({ stateDirectory })))

  /** A program with one worker, whose function has a child in its group and one that left it. */
  const startHost = Effect.fnUntraced(function* (stateDirectory: string) {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [host, stateDirectory], {
          stdio: ["ignore", "pipe", "inherit"],
          env: { ...process.env, TMPDIR: ProcessWorkers.temporaryDirectory() }
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const [line] = yield* Effect.promise(() => once(child.stdout, "data"))
    const pids = JSON.parse(String(line)) as Record<"far" | "leader" | "near", number>
    // Whoever started the worker is its parent.
    const launcher = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pids.leader}/status`, "utf8"))?.[1])
    const killAll = (others: ReadonlyArray<number>) =>
      Effect.promise(() => {
        // Whoever would react to the death of the first is kept from it.
        for (const pid of others) process.kill(pid, "SIGSTOP")
        for (const pid of [child.pid ?? 0, ...others]) process.kill(pid, "SIGKILL")
        return once(child, "exit")
      })
    return { ...pids, launcher, killAll }
  })

  it.live("is left by a killed run with nothing alive in the groups of its workers", () =>
    Effect.gen(function* () {
      const stateDirectory = ProcessWorkers.temporaryDirectory()
      const { far, killAll, leader, near } = yield* startHost(stateDirectory)
      yield* killAll([])
      yield* within(1_000, () => ![leader, near].some(isAlive))
      yield* startOn(stateDirectory)
      yield* within(1_000, () => !isAlive(far))
      assert.deepStrictEqual(readdirSync(join(stateDirectory, "workers")), [])
    })
  )

  it.live("belongs to one engine at a time, which keeps its workers when another one tries", () =>
    Effect.gen(function* () {
      const stateDirectory = ProcessWorkers.temporaryDirectory()
      const context = yield* Layer.build(ProcessWorkers.layer({ stateDirectory }))
      const runtime = Context.get(context, ContainerRuntime)
      const { image } = yield* Context.get(context, ArtifactStore).put({
        taskDirectory: samples("node"),
        layerDirectories: []
      })
      const worker = yield* runtime.ensure(specOf(image, "index.echo"), OwnerId.make("first"))
      yield* Context.get(context, WorkerClient).ready(worker)
      const second = yield* Effect.flip(Layer.build(ProcessWorkers.layer({ stateDirectory })))
      assert.include(second.message, `The workers in ${stateDirectory} belong to another Gateway or Agent`)
      assert.deepInclude((yield* runtime.list(OwnerId.make("first")))[0], { status: "RUNNING", phase: "idle" })
    }).pipe(Effect.scoped)
  )

  it.live("is cleared of everything that a run left whose launcher was killed as well", () =>
    Effect.gen(function* () {
      const stateDirectory = ProcessWorkers.temporaryDirectory()
      const { far, killAll, launcher, leader, near } = yield* startHost(stateDirectory)
      yield* killAll([launcher])
      assert.isTrue(isAlive(near) && isAlive(far))
      yield* startOn(stateDirectory)
      yield* within(1_000, () => ![leader, near, far].some(isAlive))
      assert.deepStrictEqual(readdirSync(join(stateDirectory, "workers")), [])
    })
  )

  it.live("never costs a process its life whose pid has come again", () =>
    Effect.gen(function* () {
      const stateDirectory = ProcessWorkers.temporaryDirectory()
      const innocent = spawn("/bin/sleep", ["60"], { stdio: "ignore", detached: true })
      const directory = join(stateDirectory, "workers", "esb-test-reused-00000000")
      mkdirSync(directory, { recursive: true })
      const record = { groups: [{ pid: innocent.pid, startTime: "1" }] }
      writeFileSync(join(directory, "worker.json"), JSON.stringify(record))
      mkdirSync(join(stateDirectory, "workers", "esb-test-garbled-00000000"))
      writeFileSync(join(stateDirectory, "workers", "esb-test-garbled-00000000", "worker.json"), "{")
      yield* startOn(stateDirectory)
      assert.isTrue(isAlive(innocent.pid ?? 0))
      innocent.kill("SIGKILL")
      assert.deepStrictEqual(readdirSync(join(stateDirectory, "workers")), [])
    })
  )
})
