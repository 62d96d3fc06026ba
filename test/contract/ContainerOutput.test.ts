/** What a container writes reaches its log whole, whoever reads it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { execFile } from "node:child_process"
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as ContainerOutput from "#layers/containerd/ContainerOutput"
import { eventually } from "#test/support/Eventually"
import { temporaryDirectory } from "#test/support/ProcessWorkers"

/** A process that opens the pipe by its name, writes, and ends. */
const write = (path: string, script: string) =>
  Effect.callback<void>((resume) => {
    const child = execFile("/bin/sh", ["-c", `exec 3>"$0"; ${script}`, path], () => resume(Effect.void))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const recorder = () => {
  const chunks: Array<Uint8Array> = []
  return { take: (chunk: Uint8Array) => void chunks.push(chunk), text: () => Buffer.concat(chunks).toString() }
}

/** What a writer waits for, by `until`, and the test says by `go`. */
const cue = (name: string) => {
  const path = join(temporaryDirectory(), name)
  return { until: `until [ -e ${path} ]; do sleep 0.02; done`, go: () => writeFileSync(path, "") }
}

const hasWritten = (text: () => string, expected: string) =>
  eventually("it has written", Effect.sync(text), (seen) => seen === expected)

const pipes = Effect.gen(function* () {
  const directory = temporaryDirectory()
  const [ours, stock] = [join(directory, "output"), join(directory, "stock")]
  return { ours, stock, output: yield* ContainerOutput.make(ours, stock) }
})

describe("output of containers", () => {
  it.live("is read to its end, which is when its last writer has left", () =>
    Effect.gen(function* () {
      const { output } = yield* pipes
      const { take, text } = recorder()
      yield* output.create("one")
      const captured = yield* output.follow("one", take)
      const { go, until } = cue("go")
      const script = `echo first >&3; ${until}; head -c 200000 /dev/zero >&3; echo last >&3`
      yield* Effect.forkChild(write(captured.path, script))
      yield* hasWritten(text, "first\n")
      captured.handedOver()
      go()
      yield* captured.ended
      assert.match(text(), /^first\n/)
      assert.match(text(), /last\n$/)
      assert.strictEqual(text().length, "first\n".length + 200_000 + "last\n".length)
    }).pipe(Effect.scoped)
  )

  it.live("that is written while nobody reads waits for the next reader", () =>
    Effect.gen(function* () {
      const { output } = yield* pipes
      const [former, next] = [recorder(), recorder()]
      const [second, end] = [cue("second"), cue("end")]
      const written = join(temporaryDirectory(), "written")
      yield* output.create("one")
      const scope = yield* Scope.make()
      const { handedOver, path } = yield* output.follow("one", former.take).pipe(Scope.provide(scope))
      // Holds both sides, as containerd's shim does: a reader that leaves does not break its pipe.
      const writing = yield* Effect.forkChild(
        write(path, `exec 4<"$0"; echo one >&3; ${second.until}; echo two >&3; touch ${written}; ${end.until}`)
      )
      yield* hasWritten(former.text, "one\n")
      handedOver()
      yield* Scope.close(scope, Exit.void)
      second.go()
      yield* eventually(
        "it has written once more",
        Effect.sync(() => existsSync(written)),
        (isSo) => isSo
      )
      const again = yield* output.follow("one", next.take)
      again.handedOver()
      end.go()
      yield* again.ended
      assert.strictEqual(former.text(), "one\n")
      assert.strictEqual(next.text(), "two\n")
      writing.interruptUnsafe()
      yield* output.remove("one")
      assert.isFalse(existsSync(path))
    }).pipe(Effect.scoped)
  )

  it.live("has a pipe for each of many that start at once, and none is left over in the end", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 40 }, (_, n) => `worker-${n}`)
      const { ours, stock } = yield* Effect.scoped(
        Effect.gen(function* () {
          const made = yield* pipes
          yield* Effect.forEach(names, made.output.create, { concurrency: "unbounded" })
          return made
        })
      )
      assert.sameMembers(readdirSync(ours), names)
      for (const name of names) assert.isTrue(statSync(join(ours, name)).isFIFO())
      assert.isFalse(existsSync(stock))
    })
  )

  it.live("has pipes again where somebody has taken away those that were ready", () =>
    Effect.gen(function* () {
      const { ours, output, stock } = yield* pipes
      yield* output.create("one")
      rmSync(stock, { recursive: true })
      yield* output.create("other")
      assert.isTrue(statSync(join(ours, "other")).isFIFO())
    }).pipe(Effect.scoped)
  )

  it.live("cannot be read where there is no pipe, and says so", () =>
    Effect.gen(function* () {
      const { output } = yield* pipes
      const failure = yield* Effect.flip(output.follow("nobody", () => undefined))
      assert.match(failure.message, /output of nobody.*ENOENT/)
    }).pipe(Effect.scoped)
  )
})
