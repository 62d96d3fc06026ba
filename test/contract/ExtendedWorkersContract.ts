/** What every engine that runs images promises of workers whose images bring external extensions. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, type Scope } from "effect"
import { fileURLToPath } from "node:url"
import { OwnerId, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as BaseImages from "#test/support/BaseImages"
import { type ContainerEngine, EngineMachine, type Options } from "#test/support/ContainerEngines"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as ImageTree from "#test/support/ImageTree"
import * as RecordedLog from "#test/support/RecordedLog"
import { WorkerFaults } from "#test/support/WorkerFaults"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")
const shutdownGraceMs = 4_000

const sample = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url))

const agent = { from: sample("workers/layer/extensions/agent") }

/** A worker with these files in its `/opt/extensions`; its extension, where it is ours, writes what it hears to the log. */
const extended = Effect.fnUntraced(function* (
  files: ImageTree.Tree = { agent },
  environment: Readonly<Record<string, string>> = {},
  settings: ReadonlyArray<string> = []
) {
  const runtime = yield* ContainerRuntime
  const machine = yield* EngineMachine
  const more = Object.fromEntries(Object.entries(files).map(([path, entry]) => [`opt/extensions/${path}`, entry]))
  const reference = yield* Effect.promise(() =>
    BaseImages.image("our node", { task: sample("images/node"), handler: "app.handler", more, settings })
  )
  const image = yield* machine.take(reference)
  return yield* runtime.ensure(
    specOf(image, "app.handler", { environment: { EVENTS_FILE: "/dev/stdout", ...environment } }),
    mine
  )
})

const started = Effect.fnUntraced(function* (...asked: Parameters<typeof extended>) {
  const client = yield* WorkerClient
  return yield* Effect.tap(extended(...asked), (worker) => client.ready(worker))
})

const stateOf = Effect.fnUntraced(function* ({ id }: Worker) {
  const runtime = yield* ContainerRuntime
  return (yield* runtime.list(mine)).find((state) => state.id === id)
})

const destroy = ({ id }: Worker) => Effect.flatMap(ContainerRuntime, (runtime) => runtime.destroy(id, mine))

const told = ({ records }: RecordedLog.RecordedLog) => records.map(({ message }) => message)

const said = (log: RecordedLog.RecordedLog, text: string) =>
  eventually(
    `the log says ${text}`,
    Effect.sync(() => told(log)),
    (messages) => messages.some((message) => message.includes(text))
  )

type Run = ContainerRuntime | WorkerClient | WorkerFaults | EngineMachine | Scope.Scope

export const suite = <M>({ machine, name, needs: needed, run }: ContainerEngine<M>) =>
  describe(
    `a worker of ${name} whose image has extensions`,
    { ...needs(...BaseImages.peers["our node"], ...needed), timeout: 60_000 },
    () => {
      it.layer(machine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
        const test = <E>(
          title: string,
          body: (log: RecordedLog.RecordedLog) => Effect.Effect<void, E, Run>,
          options: Options = {}
        ) =>
          it.effect(title, () => {
            const log = RecordedLog.make()
            return body(log).pipe(Effect.scoped, Effect.provide(run({ log, ...options })))
          })

        test("has them run beside its runtime, with its user, its rights and its variables", (log) =>
          Effect.gen(function* () {
            const client = yield* WorkerClient
            const tell = 'sed -n "/^Uid\\|^Gid\\|^CapEff\\|^CapBnd\\|^NoNewPrivs\\|^Seccomp:/p" /proc/self/status'
            const same = (file: string) =>
              `[ "$(cat /proc/1/${file})" = "$(cat /proc/self/${file})" ] && echo "same ${file}"`
            const lines = [
              "#!/bin/sh",
              tell,
              'sed -n "/open files/p" /proc/self/limits',
              same("cgroup"),
              same("oom_score_adj"),
              'echo "for $AWS_LAMBDA_FUNCTION_NAME"',
              "echo mine > /mine",
              "exec /opt/extensions/lib/agent\n"
            ]
            const itself = ImageTree.script(lines.join("\n"))
            const worker = yield* started({ agent: itself, "lib/agent": agent })
            const sent = call(worker, { do: "echo", event: { n: 1 } })
            const { payload } = yield* client.send(worker, sent)
            assert.strictEqual(Buffer.from(payload).toString(), '{"n":1}')
            yield* said(log, `INVOKE ${sent.requestId}`)
            for (const right of [
              "Uid:\t993\t993\t993\t993",
              "Gid:\t990\t990\t990\t990",
              "CapEff:\t0000000000000000",
              "CapBnd:\t0000000000000000",
              "NoNewPrivs:\t1",
              "Seccomp:\t2",
              "same cgroup",
              "same oom_score_adj",
              "for sample",
              "Read-only file system"
            ])
              yield* said(log, right)
            assert.isTrue(told(log).some((line) => /^Max open files +1024 +1024 /.test(line)))
            yield* destroy(worker)
          }))

        test("has them run where the directory is a link to another one of its image", (log) =>
          Effect.gen(function* () {
            const move = "mkdir -p /usr/lib && mv /opt/extensions /usr/lib/mine && ln -s /usr/lib/mine /opt/extensions"
            const program = ImageTree.script('#!/bin/sh\necho "it is $0"\nexec sleep 100\n')
            const worker = yield* extended({ moved: program }, {}, [`RUN ["/bin/busybox", "sh", "-c", "${move}"]`])
            yield* said(log, "it is /opt/extensions/moved")
            yield* destroy(worker)
          }))

        test("has every program in the directory run, whatever it is called, and nothing else", (log) =>
          Effect.gen(function* () {
            const worker = yield* extended(
              {
                "agent-1.0 (stable)": ImageTree.script('#!/bin/sh\necho "it is $0"\nexec sleep 100\n'),
                gone: ImageTree.script("#!/bin/sh\necho it is not gone\n"),
                linked: { link: "lib/inner" },
                "notes.txt": { text: "echo it is no program\n" },
                "lib/inner": ImageTree.script('#!/bin/sh\necho "it is $0"\nexec sleep 100\n')
              },
              {},
              ['RUN ["/bin/busybox", "rm", "/opt/extensions/gone"]']
            )
            for (const program of ["agent-1.0 (stable)", "linked"]) yield* said(log, `it is /opt/extensions/${program}`)
            for (const never of ["it is no program", "it is not gone", "lib/inner"])
              assert.notInclude(told(log).join("\n"), never)
            yield* destroy(worker)
          }))

        test("has none run that went with its directory, in whose place another has come", (log) =>
          Effect.gen(function* () {
            const anew = ["cd /opt", "rm -r extensions", "mkdir extensions", "cp other extensions/kept"].map(
              (command) => command.replace(/^(?=rm|mkdir|cp)/, "/bin/busybox ")
            )
            const worker = yield* extended(
              {
                thrown: ImageTree.script("#!/bin/sh\necho it is thrown away\n"),
                "../other": ImageTree.script("#!/bin/sh\necho it is kept\nexec sleep 100\n")
              },
              {},
              [`RUN ["/bin/sh", "-c", "${anew.join(" && ")}"]`]
            )
            yield* said(log, "it is kept")
            assert.notInclude(told(log).join("\n"), "it is thrown away")
            assert.deepInclude(yield* stateOf(worker), { status: "RUNNING" })
            yield* destroy(worker)
          }))

        test(
          "is ready only when they are, and is told to have failed where one never is",
          () =>
            Effect.gen(function* () {
              const client = yield* WorkerClient
              const worker = yield* extended({ idler: ImageTree.script("#!/bin/sh\nexec sleep 100\n") })
              const failure = yield* Effect.flip(client.ready(worker))
              assert.strictEqual(failure._tag, "InitFailed")
              yield* destroy(worker)
            }),
          { door: { initLimitMs: 3_000 } }
        )

        for (const [title, isPaused] of [
          ["tells them of calls and of its end, and waits no longer than that takes", false],
          ["wakes them for its end", true]
        ] as const) {
          test(
            title,
            (log) =>
              Effect.gen(function* () {
                const runtime = yield* ContainerRuntime
                const client = yield* WorkerClient
                const worker = yield* started()
                const sent = call(worker, { do: "echo", event: 1 })
                yield* client.send(worker, sent)
                yield* said(log, `INVOKE ${sent.requestId}`)
                // The kernel of a machine that has too much to do does not freeze everything at the first try.
                if (isPaused)
                  yield* Effect.retry(runtime.suspend(worker.id, mine), { times: 10, schedule: Schedule.spaced(200) })
                const from = performance.now()
                yield* destroy(worker)
                assert.isBelow(performance.now() - from, shutdownGraceMs)
                assert.include(told(log), "SHUTDOWN spindown")
                assert.deepStrictEqual(yield* runtime.list(mine), [])
              }),
            { shutdownGraceMs }
          )
        }

        for (const [title, extension, words, output] of [
          ["exits", ImageTree.script("#!/bin/sh\necho too early\nexit 4\n"), "exit code 4", "too early"],
          ["cannot be run", { text: "no program", mode: 0o755 }, "exit code 1", "exec format error"],
          ["leads nowhere", { link: "nowhere" }, "exit code 126", "/opt/extensions/broken"]
        ] as const) {
          test(`is stopped when one ${title} before it is ready`, (log) =>
            Effect.gen(function* () {
              const client = yield* WorkerClient
              const worker = yield* extended({ broken: extension })
              const failure = yield* Effect.flip(client.ready(worker))
              if (failure._tag !== "InitFailed") return assert.fail(failure.message)
              assert.strictEqual(failure.errorType, "Extension.Crash")
              assert.include(Buffer.from(failure.payload).toString(), words)
              yield* said(log, output)
              assert.deepInclude(yield* stateOf(worker), { status: "STOPPED", phase: "dirty" })
              yield* destroy(worker)
            }))
        }

        test("is stopped when one ends in the middle of a call, and the call is told so", () =>
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const client = yield* WorkerClient
            const worker = yield* started(undefined, { AGENT_CRASHES: "1" })
            const failure = yield* Effect.flip(client.send(worker, call(worker, { do: "hang" })))
            if (failure._tag !== "WorkerExited") return assert.fail(failure.message)
            assert.strictEqual(failure.errorType, "Extension.Crash")
            assert.deepInclude(yield* stateOf(worker), { status: "STOPPED", phase: "dirty" })
            assert.deepInclude(yield* runtime.metrics(worker.id, mine), { status: "STOPPED", exitCode: 5 })
            yield* destroy(worker)
          }))

        test("does not blame them when it ends itself", () =>
          Effect.gen(function* () {
            const client = yield* WorkerClient
            const faults = yield* WorkerFaults
            const worker = yield* started()
            const sent = yield* Effect.forkChild(Effect.flip(client.send(worker, call(worker, { do: "hang" }))))
            yield* eventually("it is busy", stateOf(worker), (state) => state?.phase === "busy")
            yield* faults.kill(worker)
            const failure = yield* Fiber.join(sent)
            if (failure._tag !== "WorkerExited") return assert.fail(failure.message)
            assert.strictEqual(failure.errorType, "Runtime.ExitError")
            yield* destroy(worker)
          }))

        it.effect("is not taken over by the next Agent, whose door its extensions do not know", () =>
          Effect.gen(function* () {
            const { containers } = yield* EngineMachine
            const { name } = yield* started().pipe(Effect.provide(run()))
            assert.include(yield* containers, name)
            const listed = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(mine))
            assert.deepStrictEqual(yield* listed.pipe(Effect.provide(run())), [])
            assert.deepStrictEqual(yield* containers, [])
          })
        )
      })
    }
  )
