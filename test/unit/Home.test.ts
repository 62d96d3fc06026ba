import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Credentials from "#programs/esb/Credentials"
import * as Home from "#programs/esb/Home"
import * as ProcessIdentity from "#programs/esb/ProcessIdentity"
import * as RunFile from "#programs/esb/RunFile"

const temporary = () => mkdtempSync(join(tmpdir(), "esb-Home-"))

const made = Effect.gen(function* () {
  const home = join(temporary(), ".esb")
  yield* Home.make(home)
  return home
})

const mode = (path: string) => statSync(path).mode & 0o777

/** A process that lives until it is killed. */
const living = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000); console.log(1)"], {
      stdio: ["ignore", "pipe", "ignore"]
    })
    await once(child.stdout, "data")
    return child
  }),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const run = (supervisor: ProcessIdentity.ProcessIdentity): RunFile.Run => ({
  version: 1,
  mode: "embedded",
  ...ProcessIdentity.of(process.pid),
  supervisor,
  gateway: "http://127.0.0.1:1",
  region: "us-east-1",
  accessKeyId: "ESBA",
  secretAccessKey: "secret",
  token: "token",
  template: "/template.yaml"
})

describe("Home", () => {
  it.live("belongs to its owner alone, and git does not see it", () =>
    Effect.gen(function* () {
      const home = join(temporary(), ".esb")
      mkdirSync(home, { mode: 0o755 })
      yield* Home.make(home)
      assert.strictEqual(mode(home), 0o700)
      assert.strictEqual(readFileSync(join(home, ".gitignore"), "utf8"), "*\n")
    })
  )

  it.live("is no directory with other files in it, which stays as it is", () =>
    Effect.gen(function* () {
      const project = temporary()
      mkdirSync(join(project, "config"))
      writeFileSync(join(project, ".gitignore"), "node_modules\n")
      writeFileSync(join(project, "template.yaml"), "")
      const before = mode(project)
      const { message } = yield* Effect.flip(Home.make(project))
      assert.include(message, `${project} has other files in it`)
      assert.include(message, `--home ${join(project, ".esb")}`)
      assert.strictEqual(mode(project), before)
      assert.strictEqual(readFileSync(join(project, ".gitignore"), "utf8"), "node_modules\n")
    })
  )

  it.live("keeps the .gitignore that is there", () =>
    Effect.gen(function* () {
      const home = yield* made
      writeFileSync(join(home, ".gitignore"), "*\n!keep\n")
      yield* Home.make(home)
      assert.strictEqual(readFileSync(join(home, ".gitignore"), "utf8"), "*\n!keep\n")
    })
  )

  it.live("is held once, until the scope ends", () =>
    Effect.gen(function* () {
      const home = yield* made
      const scope = yield* Scope.make()
      yield* Home.hold(home).pipe(Scope.provide(scope))
      const refused = yield* Effect.flip(Effect.scoped(Home.hold(home)))
      assert.strictEqual(refused._tag, "HomeInUse")
      assert.include(refused.message, `process ${process.pid} is starting`)
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(Home.hold(home))
    })
  )

  it.live("names the process and the address of the stack that holds it", () =>
    Effect.gen(function* () {
      const home = yield* made
      yield* RunFile.write(home, run(ProcessIdentity.of(process.pid)))
      yield* Home.hold(home)
      const refused = yield* Effect.flip(Effect.scoped(Home.hold(home)))
      assert.include(refused.message, `process ${process.pid} answers at http://127.0.0.1:1`)
    }).pipe(Effect.scoped)
  )
})

describe("RunFile", () => {
  it.live("is for its owner alone and counts while its supervisor lives", () =>
    Effect.gen(function* () {
      const home = yield* made
      const child = yield* living
      const written = run(ProcessIdentity.of(child.pid ?? 0))
      yield* RunFile.write(home, written)
      assert.strictEqual(mode(join(home, "run.json")), 0o600)
      assert.deepStrictEqual(yield* RunFile.read(home), written)
      const ended = once(child, "exit")
      child.kill("SIGKILL")
      yield* Effect.promise(() => ended)
      assert.isUndefined(yield* RunFile.read(home))
      assert.deepStrictEqual(yield* RunFile.leftover(home), written)
    }).pipe(Effect.scoped)
  )

  it.live("does not take another process with the same pid for the supervisor", () =>
    Effect.gen(function* () {
      const home = yield* made
      yield* RunFile.write(home, run({ pid: process.pid, startedAt: "another time" }))
      assert.isUndefined(yield* RunFile.read(home))
    })
  )

  it.live("that is damaged is none", () =>
    Effect.gen(function* () {
      const home = yield* made
      writeFileSync(join(home, "run.json"), '{ "version": 1')
      assert.isUndefined(yield* RunFile.read(home))
      yield* RunFile.remove(home)
      assert.isFalse(existsSync(join(home, "run.json")))
    })
  )
})

describe("Credentials", () => {
  it.live("are made once, look like AWS's, and are for their owner alone", () =>
    Effect.gen(function* () {
      const home = yield* made
      const first = yield* Credentials.ensure(home)
      assert.match(first.accessKeyId, /^ESBA[A-Z2-7]{16}$/)
      assert.match(Redacted.value(first.secretAccessKey), /^[A-Za-z0-9]{40}$/)
      assert.isAtLeast(Redacted.value(first.jwtSecretKey).length, 32)
      assert.strictEqual(mode(join(home, "credentials.json")), 0o600)
      const second = yield* Credentials.ensure(home)
      assert.strictEqual(Redacted.value(second.secretAccessKey), Redacted.value(first.secretAccessKey))
    })
  )

  it.live("that are damaged are not replaced by themselves", () =>
    Effect.gen(function* () {
      const home = yield* made
      writeFileSync(join(home, "credentials.json"), "{}")
      const failure = yield* Effect.flip(Credentials.ensure(home))
      assert.include(failure.message, "credentials.json is damaged: remove it")
    })
  )
})
