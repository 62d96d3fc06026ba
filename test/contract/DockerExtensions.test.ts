/** External extensions in images, which nobody but us starts in a container: against an engine and a door. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import { ContainerId, OwnerId } from "#domain/Worker"
import * as ContainerExtensions from "#layers/docker/ContainerExtensions"
import { DockerApi } from "#layers/docker/DockerApi"
import * as ImageExtensions from "#layers/docker/ImageExtensions"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as Network from "#layers/docker/WorkersNetwork"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import { RuntimeApi } from "#services/RuntimeApi"
import * as BaseImages from "#test/support/BaseImages"
import { engine as theEngine, freshStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as ImageTree from "#test/support/ImageTree"
import * as RecordedLog from "#test/support/RecordedLog"

const samples = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))

/** An image of a function with these files in `/opt/extensions`. */
const imageWith = Effect.fnUntraced(function* (files: ImageTree.Tree) {
  const { call, engine } = yield* DockerApi
  const more = Object.fromEntries(Object.entries(files).map(([path, entry]) => [`opt/extensions/${path}`, entry]))
  const reference = yield* Effect.promise(() =>
    BaseImages.image("our node", { task: samples("images/node"), handler: "app.handler", more })
  )
  const { Id } = yield* call(() => engine.getImage(reference).inspect())
  return { reference, digest: Id, entrypoint: [], user: "" }
})

const agent = { agent: { from: samples("workers/layer/extensions/agent") } }

const identity = { brand: "esb", environment: freshStack() }

const nameOf = (): string => `esb-${identity.environment}-extended-${randomBytes(4).toString("hex")}`

const containers = Effect.gen(function* () {
  const { call, engine } = yield* DockerApi
  return (yield* call(() =>
    engine.listContainers({ all: true, filters: { label: [`esb_env=${identity.environment}`] } })
  )).length
})

/** A container of the image in front of a door of its own, with its extensions; it goes when the scope ends. */
const started = Effect.fnUntraced(function* (
  image: Effect.Success<ReturnType<typeof imageWith>>,
  environment: Readonly<Record<string, string>> = {}
) {
  const { call, engine } = yield* DockerApi
  const api = yield* RuntimeApi
  const network = yield* WorkersNetwork
  const name = nameOf()
  const namesOf = yield* ImageExtensions.make({ identity })
  const extensionNames = yield* namesOf(image, name)
  const id = ContainerId.make(name)
  const door = yield* api.open({
    containerId: id,
    containerName: name,
    functionName: FunctionName.make("extended"),
    owner: OwnerId.make("gateway-mine"),
    handler: "app.handler",
    memoryMiB: 256,
    timeoutMs: 5_000,
    extensionNames
  })
  const variables = {
    AWS_LAMBDA_RUNTIME_API: door.endpoint,
    ESB_WORKER_TOKEN: Redacted.value(door.token),
    ...environment
  }
  yield* Effect.acquireRelease(
    call(() =>
      engine.createContainer({
        name,
        Image: image.digest,
        Env: Object.entries(variables).map(([key, value]) => `${key}=${value}`),
        User: "993:990",
        HostConfig: { NetworkMode: network.name, CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"] }
      })
    ),
    () => Effect.orDie(call(() => engine.getContainer(name).remove({ force: true })))
  )
  yield* call(() => engine.getContainer(name).start())
  const state = call(() => engine.getContainer(name).inspect())
  door.admit((yield* state).NetworkSettings.Networks[network.name]?.IPAddress ?? "")
  const container: Parameters<Effect.Success<ReturnType<typeof ContainerExtensions.make>>>[0] = {
    name,
    door,
    exit: undefined
  }
  const extend = yield* ContainerExtensions.make({ reconnectEveryMs: 100 })
  const extensions = yield* extend(container, extensionNames)
  const isRunning = Effect.map(state, ({ State }) => State.Running)
  return { id, container, door, extensions, isRunning, kill: call(() => engine.getContainer(name).kill()) }
})

const invocation = (event: unknown): Invocation => ({
  requestId: randomUUID(),
  functionName: FunctionName.make("extended"),
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:extended",
  payload: Buffer.from(JSON.stringify(event)),
  clientContext: undefined,
  wantsLogTail: false
})

const live = <E>(
  title: string,
  test: (log: RecordedLog.RecordedLog) => Effect.Effect<void, E, DockerApi | RuntimeApi | WorkersNetwork | Scope.Scope>
) =>
  it.live(title, () => {
    const log = RecordedLog.make()
    const doors = Layer.unwrap(
      Effect.map(WorkersNetwork, ({ gateway }) =>
        LambdaRuntimeApi.layer({ bindHost: gateway, advertisedHost: gateway })
      )
    )
    return test(log).pipe(
      Effect.scoped,
      Effect.provide(
        doors.pipe(
          Layer.provideMerge(Network.layer(`esb-${identity.environment}`, identity)),
          Layer.provideMerge(theEngine),
          Layer.provide(log.layer)
        )
      )
    )
  })

const said = (log: RecordedLog.RecordedLog, text: string) =>
  eventually(
    `the log says ${text}`,
    Effect.sync(() => log.records.map(({ message }) => message)),
    (messages) => messages.some((message) => message.includes(text))
  )

describe("the extensions of an image", { ...needs(...BaseImages.peers["our node"]), timeout: 60_000 }, () => {
  live("are the programs in its directory, looked up once, and nothing is left of the look", () =>
    Effect.gen(function* () {
      const image = yield* imageWith({
        ...agent,
        "a-script": ImageTree.script("#!/bin/sh\n"),
        linked: { link: "../lib/agent" },
        "notes.txt": { text: "no program" },
        "lib/inner": ImageTree.script("#!/bin/sh\n")
      })
      const api = yield* DockerApi
      let calls = 0
      const counted = DockerApi.of({
        ...api,
        call: (request, options) => {
          calls += 1
          return api.call(request, options)
        }
      })
      const namesOf = yield* Effect.provideService(ImageExtensions.make({ identity }), DockerApi, counted)
      const all = yield* Effect.forEach([1, 2, 3], () => namesOf(image, nameOf()), { concurrency: "unbounded" })
      for (const names of all) assert.deepStrictEqual(names, ["a-script", "agent", "linked"])
      // To make, to read and to remove.
      assert.strictEqual(calls, 3)
      assert.strictEqual(yield* containers, 0)
    })
  )

  live("are none where there is no such directory", () =>
    Effect.gen(function* () {
      const namesOf = yield* ImageExtensions.make({ identity })
      const { digest, ...image } = yield* imageWith({})
      assert.deepStrictEqual(yield* namesOf({ ...image, digest }, nameOf()), [])
      const failure = yield* Effect.flip(namesOf({ ...image, digest: `sha256:${"0".repeat(64)}` }, nameOf()))
      assert.strictEqual(failure.status, 404)
      assert.strictEqual(yield* containers, 0)
    })
  )

  live(
    "run beside the runtime as its user and with its rights, hear of calls and of the end, and write to the log",
    (log) =>
      Effect.gen(function* () {
        const api = yield* RuntimeApi
        const agentItself = ImageTree.script(`#!/bin/sh
sed -n "/^Uid\\|^CapEff\\|^NoNewPrivs/p" /proc/self/status
exec /opt/extensions/lib/agent
`)
        const image = yield* imageWith({ agent: agentItself, "lib/agent": agent.agent })
        const { container, door, extensions, id, isRunning } = yield* started(image, { EVENTS_FILE: "/dev/stdout" })
        yield* api.ready(id)
        const sent = invocation({ do: "echo", event: { n: 1 } })
        const { payload } = yield* api.invoke(id, sent)
        assert.strictEqual(Buffer.from(payload).toString(), '{"n":1}')
        yield* said(log, `INVOKE ${sent.requestId}`)
        for (const right of ["Uid:\t993\t993\t993\t993", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"])
          yield* said(log, right)
        extensions.retire()
        assert.strictEqual(door.shutdown("spindown", Date.now() + 2_000), 1)
        yield* Effect.timeout(extensions.ended, 2_000)
        yield* said(log, "SHUTDOWN spindown")
        assert.isUndefined(container.exit)
        assert.isTrue(yield* isRunning)
      })
  )

  for (const [title, extension, words] of [
    ["exits", ImageTree.script("#!/bin/sh\necho too early\nexit 4\n"), "exit code 4"],
    ["cannot be run", { text: "no program", mode: 0o755 }, "exit code 1"]
  ] as const) {
    live(`take the container with them when one ${title} before it is ready`, (log) =>
      Effect.gen(function* () {
        const api = yield* RuntimeApi
        const { id, isRunning } = yield* started(yield* imageWith({ broken: extension }))
        const failure = yield* Effect.flip(api.ready(id))
        if (failure._tag !== "InitFailed") return assert.fail(failure.message)
        assert.strictEqual(failure.errorType, "Extension.Crash")
        assert.include(Buffer.from(failure.payload).toString(), words)
        yield* said(log, title === "exits" ? "too early" : "exec format error")
        yield* eventually("the container has ended", isRunning, (runs) => !runs)
      })
    )
  }

  live("take the container with them when one ends in the middle of a call", () =>
    Effect.gen(function* () {
      const api = yield* RuntimeApi
      const image = yield* imageWith(agent)
      const { container, id, isRunning } = yield* started(image, { EVENTS_FILE: "/dev/stdout", AGENT_CRASHES: "1" })
      yield* api.ready(id)
      const failure = yield* Effect.flip(api.invoke(id, invocation({ do: "hang" })))
      if (failure._tag !== "WorkerExited") return assert.fail(failure.message)
      assert.strictEqual(failure.errorType, "Extension.Crash")
      assert.deepInclude(container.exit, { code: 5 })
      yield* eventually("the container has ended", isRunning, (runs) => !runs)
    })
  )

  live("are not to blame when the container ends", () =>
    Effect.gen(function* () {
      const api = yield* RuntimeApi
      const { container, extensions, id, kill } = yield* started(yield* imageWith(agent), {
        EVENTS_FILE: "/dev/stdout"
      })
      yield* api.ready(id)
      yield* kill
      yield* Effect.timeout(extensions.ended, 2_000)
      yield* Effect.sleep(500)
      assert.isUndefined(container.exit)
    })
  )
})
