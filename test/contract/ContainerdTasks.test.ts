/** What containerd's containers promise, before they are anybody's workers. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer } from "effect"
import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FunctionName } from "#domain/FunctionName"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdSettings from "#layers/containerd/ContainerdSettings"
import * as ContainerOutput from "#layers/containerd/ContainerOutput"
import * as ContainerSpec from "#layers/containerd/ContainerSpec"
import * as StackContainers from "#layers/containerd/StackContainers"
import * as TaskEvents from "#layers/containerd/TaskEvents"
import * as Tasks from "#layers/containerd/Tasks"
import * as Containerd from "#test/support/Containerd"
import { eventually } from "#test/support/Eventually"
import * as ImageArchive from "#test/support/ImageArchive"
import * as ImageTree from "#test/support/ImageTree"

const archive = ImageArchive.make(
  "esb-test/shell:1",
  { ...ImageTree.system, ...ImageTree.shell("cat", "head", "id", "sleep", "touch", "unshare", "mount", "hostname") },
  {}
)

const namespaceOf = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      execFileSync("ip", ["netns", "add", name])
      return `/run/netns/${name}`
    }),
    () => Effect.sync(() => execFileSync("ip", ["netns", "del", name]))
  )

interface Wish {
  readonly memoryMiB?: number
  readonly runtimeProgram?: string
}

/** Containers of a containerd of this test's own, which run a command each. */
const engineOf = (series: Containerd.Series) =>
  Effect.fnUntraced(function* ({ memoryMiB = 64, runtimeProgram }: Wish = {}) {
    const containerd = yield* Containerd.make({ series })
    yield* containerd.ctr("images", "import", archive.path)
    const { directory, namespace, socket: socketPath } = containerd
    const identity = { brand: "esb", environment: 'test "quoted"' }
    const places = { identity, directory: join(directory, "stack") }
    const settings = { ...ContainerdSettings.defaultsOf(places), ...places, cgroupParent: "/esb-test", runtimeProgram }
    const nameFiles = { resolver: join(directory, "resolv.conf"), hosts: join(directory, "hosts") }
    mkdirSync(places.directory)
    writeFileSync(nameFiles.resolver, "nameserver 10.88.0.1\n")
    writeFileSync(nameFiles.hosts, "127.0.0.1 localhost worker\n")
    const networkNamespace = yield* namespaceOf(`esb-test-${randomUUID().slice(0, 8)}`)
    const built = yield* Layer.build(ContainerdApi.layer({ namespace, socketPath }))
    const api = Context.get(built, ContainerdApi.ContainerdApi)
    const tasks = yield* Tasks.make(settings).pipe(Effect.provideService(ContainerdApi.ContainerdApi, api))
    const output = yield* ContainerOutput.make(join(places.directory, "output"), join(places.directory, "pipes"))

    /** What it says until now, as it runs. */
    const run = Effect.fnUntraced(function* (name: string, command: string) {
      const chunks: Array<Uint8Array> = []
      const spec = ContainerSpec.make({
        name,
        spec: { functionName: FunctionName.make("shell"), image: archive.reference, environment: {}, specHash: "5ec" },
        image: { config: { Entrypoint: ["/bin/sh", "-c", command] } },
        imageUser: undefined,
        memoryMiB,
        logStream: "stream",
        networkNamespace,
        cgroupParent: settings.cgroupParent,
        countsSwap: true,
        nameFiles,
        door: undefined
      })
      yield* output.create(name)
      const captured = yield* output.follow(name, (chunk) => chunks.push(chunk))
      const labels = selectorLabels(identity)
      const container = { name, labels, image: archive.reference, parent: archive.layer, spec, output: captured.path }
      yield* Effect.acquireRelease(tasks.prepare(container), () => Effect.orDie(tasks.remove(name)))
      captured.handedOver()
      yield* tasks.start(name)
      return { captured, said: () => Buffer.concat(chunks).toString() }
    })

    return { api, containerd, tasks, run, identity }
  })

const isDone = (task: { readonly status: number } | undefined): boolean => task?.status === 3

for (const { name, needed, series } of Containerd.everyVersion()) {
  describe(`tasks of ${name}`, { ...needed, timeout: 60_000 }, () => {
    const engine = engineOf(series)
    it.live("run with what the specification says, and nothing else", () =>
      Effect.gen(function* () {
        const { run, tasks } = yield* engine()
        const { captured, said } = yield* run(
          "one",
          [
            // What goes by two streams has no order.
            "exec 2>&1; id -u; hostname; cat /etc/resolv.conf; cat /proc/1/status; touch /mine; touch /tmp/mine && echo wrote",
            "unshare -r true; mount -t tmpfs none /tmp; echo $$; cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
            "cat /sys/fs/cgroup/memory.max; exit 7"
          ].join("; ")
        )
        yield* captured.ended
        yield* eventually("it has ended", tasks.find("one"), isDone)
        assert.strictEqual((yield* tasks.find("one"))?.exitStatus, 7)
        const text = said()
        assert.match(text, /^993\nworker\nnameserver 10\.88\.0\.1\n/)
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
          assert.match(text, new RegExp(`^${set}:\\s+0+$`, "m"))
        }
        assert.match(text, /^NoNewPrivs:\s+1$/m)
        assert.match(text, /^Seccomp:\s+2$/m)
        assert.match(text, /\/mine: Read-only file system\nwrote\n/)
        assert.match(text, /unshare.*not permitted/)
        assert.match(text, /mount.*(not permitted|denied)/)
        assert.match(text, /^1$/m)
        assert.match(text, /^67108864$/m)
      }).pipe(Effect.scoped)
    )

    it.live("are frozen, measured, found by their labels, and gone without a trace", () =>
      Effect.gen(function* () {
        const { api, containerd, identity, run, tasks } = yield* engine()
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* run("one", "while true; do :; done")
            yield* Effect.sleep(200)
            yield* tasks.pause("one")
            assert.strictEqual((yield* tasks.find("one"))?.status, 4)
            const { cpuNanoseconds } = yield* tasks.usage("one")
            yield* Effect.sleep(200)
            assert.strictEqual((yield* tasks.usage("one")).cpuNanoseconds, cpuNanoseconds)
            yield* tasks.resume("one")
            const later = yield* eventually(
              "it goes on",
              tasks.usage("one"),
              (usage) => usage.cpuNanoseconds > cpuNanoseconds
            )
            assert.isAbove(later.memoryBytes, 0)
            yield* tasks.limitCpu("one", 10_000, 100_000)
            const list = (stack: StackIdentity) =>
              Effect.map(StackContainers.list(stack), (found) => found.map(({ id }) => id)).pipe(
                Effect.provideService(ContainerdApi.ContainerdApi, api)
              )
            assert.deepStrictEqual(yield* list(identity), ["one"])
            assert.deepStrictEqual(yield* list({ ...identity, environment: "other" }), [])
            // Frozen, it goes as well.
            yield* tasks.pause("one")
          })
        )
        assert.strictEqual(yield* containerd.ctr("containers", "list", "--quiet"), "")
        assert.strictEqual(yield* containerd.ctr("tasks", "list", "--quiet"), "")
        assert.notInclude(yield* containerd.ctr("snapshots", "list"), "Active")
        assert.isUndefined(yield* tasks.find("one"))
        yield* tasks.remove("one")
        assert.isTrue(api.isReachable())
      }).pipe(Effect.scoped)
    )

    it.live("are heard of when they end, with or without memory", () =>
      Effect.gen(function* () {
        const { api, run, tasks } = yield* engine({ memoryMiB: 16 })
        const heard: Array<string> = []
        const connected = yield* Deferred.make<void>()
        yield* TaskEvents.listen({
          reconnectEveryMs: 50,
          onConnected: Effect.asVoid(Deferred.succeed(connected, undefined)),
          onEnd: (name) => void heard.push(`${name} ended`),
          onOutOfMemory: (name) => void heard.push(`${name} had too little`)
        }).pipe(Effect.provideService(ContainerdApi.ContainerdApi, api), Effect.forkScoped)
        yield* Deferred.await(connected)
        yield* run("small", "exit 3")
        yield* eventually(
          "one is heard of",
          Effect.sync(() => heard.length),
          (count) => count > 0
        )
        assert.deepStrictEqual(heard.splice(0), ["small ended"])
        yield* run("large", "head -c 100000000 /dev/zero > /tmp/all; exec sleep 100")
        yield* run("larger", "x=$(head -c 100000000 /dev/zero | cat -v); echo $x")
        yield* eventually(
          "memory was short",
          Effect.sync(() => heard.join()),
          (all) => all.includes("had too little")
        )
        yield* tasks.remove("large")
      }).pipe(Effect.scoped)
    )

    it.live("run by another program where one is named", () =>
      Effect.gen(function* () {
        const { run } = yield* engine({ runtimeProgram: "esb-test-no-such-program" })
        const failure = yield* Effect.flip(run("one", "true"))
        assert.include(failure.message, "esb-test-no-such-program")
      }).pipe(Effect.scoped)
    )
  })
}
