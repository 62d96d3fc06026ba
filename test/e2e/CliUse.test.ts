import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cli from "#test/support/Cli"
import { eventually } from "#test/support/Eventually"

/** A running stack, and the commands of somebody who stands in its directory. */
const stack = Effect.gen(function* () {
  const root = yield* Cli.project({ ...Cli.hello("hi"), "event.json": '{"from":"file"}', "broken.json": "{" })
  const up = yield* Cli.up(root)
  const esb = (args: ReadonlyArray<string>, input = "") => Cli.esb(args, { cwd: join(root, "src"), input })
  return { root, up, esb }
})

describe("esb invoke", () => {
  it.live("writes the result on stdout, and takes the event from JSON, a file, stdin, or nowhere", () =>
    Effect.gen(function* () {
      const { esb, root } = yield* stack
      const events: ReadonlyArray<readonly [args: ReadonlyArray<string>, input: string, event: unknown]> = [
        [["--event", '{"a":1}'], "", { a: 1 }],
        [["--event", join(root, "event.json")], "", { from: "file" }],
        [["--event", "-"], "[1,2]", [1, 2]],
        [[], "", {}]
      ]
      for (const [args, input, event] of events) {
        const { code, stderr, stdout } = yield* esb(["invoke", "hello", ...args], input)
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(JSON.parse(stdout), { answer: "hi", event })
        assert.strictEqual(stderr, "")
      }
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1 when the function fails, and tells its error on stderr", () =>
    Effect.gen(function* () {
      const { esb } = yield* stack
      const { code, stderr, stdout } = yield* esb(["invoke", "hello", "--event", '{"fail":"no luck"}'])
      assert.strictEqual(code, 1)
      assert.strictEqual(stdout, "")
      assert.match(stderr, /^TypeError: no luck\n +at .*app\.mjs:3/)
    }).pipe(Effect.scoped)
  )

  it.live("shows the end of the log with --tail, and everything with --json", () =>
    Effect.gen(function* () {
      const { esb } = yield* stack
      const tail = yield* esb(["invoke", "hello", "--tail"])
      assert.match(tail.stderr, /START RequestId: [^]*said hi[^]*END RequestId: [^]*REPORT RequestId: /)
      const json = yield* esb(["invoke", "hello", "--tail", "--json"])
      const value = JSON.parse(json.stdout)
      assert.deepStrictEqual(value.payload, { answer: "hi", event: {} })
      assert.strictEqual(value.status, 200)
      assert.include(value.log, "said hi")
      assert.match(value.requestId, /^[0-9a-f-]{36}$/)
    }).pipe(Effect.scoped)
  )

  it.live("hands an event over with --async; the call runs", () =>
    Effect.gen(function* () {
      const { esb } = yield* stack
      const { code, stdout } = yield* esb(["invoke", "hello", "--async", "--json"])
      assert.strictEqual(code, 0)
      const { requestId, status } = JSON.parse(stdout)
      assert.strictEqual(status, 202)
      let seen = ""
      while (!seen.includes("REPORT")) seen = (yield* esb(["logs", "--request", requestId])).stdout
      assert.include(seen, "said hi")
    }).pipe(Effect.scoped)
  )

  it.live("refuses what makes no sense with 2, and tells what the stack refuses with 1", () =>
    Effect.gen(function* () {
      const { esb, root } = yield* stack
      const wrong = [
        ["invoke", "hello", "--event", "{"],
        ["invoke", "hello", "--event", join(root, "broken.json")],
        ["invoke", "hello", "--event", join(root, "gone.json")],
        ["invoke", "hello", "--async", "--tail"],
        ["invoke"],
        ["invoke", "hello", "--no-such-flag"]
      ]
      for (const args of wrong) assert.strictEqual((yield* esb(args)).code, 2, args.join(" "))
      const unknown = yield* esb(["invoke", "nobody"])
      assert.strictEqual(unknown.code, 1)
      assert.match(unknown.stderr, /Function not found: arn:aws:lambda:[^:]+:\d{12}:function:nobody/)
    }).pipe(Effect.scoped)
  )
})

describe("esb logs, ps, routes, events", () => {
  it.live("logs shows lines by function and by time, and with -f those that come", () =>
    Effect.gen(function* () {
      const { esb, root } = yield* stack
      yield* esb(["invoke", "hello"])
      const lines = yield* eventually(
        "the call is in the log to its end",
        Effect.map(esb(["logs", "--function", "hello", "--json"]), ({ stdout }) => stdout.trim().split("\n")),
        (seen) => seen.at(-1)?.includes("REPORT") === true
      )
      const messages = lines.map((line) => JSON.parse(line).message as string)
      assert.isTrue(messages.some((message) => message.includes("said hi")))
      const unknown = yield* esb(["logs", "--function", "helo"])
      assert.deepStrictEqual({ code: unknown.code, stdout: unknown.stdout }, { code: 1, stdout: "" })
      assert.include(unknown.stderr, 'no such function is deployed; did you mean "hello"?')
      const newest = yield* esb(["logs", "--function", "hello", "--json", "--limit", "1"])
      assert.deepStrictEqual(newest.stdout.trim().split("\n"), lines.slice(-1))
      assert.strictEqual((yield* esb(["logs", "--limit", "10001"])).code, 2)
      assert.strictEqual((yield* esb(["logs", "--function", "hello", "--since", "2999-01-01T00:00:00Z"])).stdout, "")
      assert.strictEqual((yield* esb(["logs", "--since", "soon"])).code, 2)

      const shown = join(root, "followed")
      const follower = yield* Effect.forkScoped(
        Cli.esb(["logs", "-f", "--function", "hello"], { cwd: root, stdout: shown as `/${string}` })
      )
      const shows = (count: number) =>
        Cli.eventually(() => assert.lengthOf(readFileSync(shown, "utf8").match(/said hi/g) ?? [], count))
      yield* shows(1)
      yield* esb(["invoke", "hello"])
      yield* shows(2)
      const { supervisor } = JSON.parse(readFileSync(join(root, ".esb/run.json"), "utf8"))
      process.kill(supervisor.pid, "SIGTERM")
      const followed = yield* Fiber.join(follower)
      assert.strictEqual(followed.code, 0, followed.stderr)
      yield* shows(2)
      assert.include(followed.stderr, "The stack has stopped.")
    }).pipe(Effect.scoped)
  )

  it.live("ps lists workers, routes lists routes, events lists none when all have run", () =>
    Effect.gen(function* () {
      const { esb, up } = yield* stack
      assert.deepStrictEqual(JSON.parse((yield* esb(["ps", "--json"])).stdout), { workers: [] })
      yield* esb(["invoke", "hello"])
      const { workers } = JSON.parse((yield* esb(["ps", "--json"])).stdout)
      assert.deepStrictEqual(
        workers.map((worker: { functionName: string; status: string }) => [worker.functionName, worker.status]),
        [["hello", "RUNNING"]]
      )
      assert.match((yield* esb(["ps"])).stdout, /hello +running +idle/)
      assert.deepStrictEqual(JSON.parse((yield* esb(["routes", "--json"])).stdout), {
        routes: [{ method: "GET", path: "/hello", function: "hello" }]
      })
      assert.include((yield* esb(["routes"])).stdout, `${up.ready.gateway}/hello`)
      assert.deepStrictEqual(JSON.parse((yield* esb(["events", "--json"])).stdout), { events: [] })
      assert.strictEqual((yield* esb(["events", "--limit", "0"])).code, 2)
    }).pipe(Effect.scoped)
  )

  it.live("each says that there is no stack, where there is none", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      for (const args of [["ps"], ["routes"], ["events"], ["logs"], ["invoke", "hello"]]) {
        const { code, stderr, stdout } = yield* Cli.esb(args, { cwd: root })
        assert.strictEqual(code, 1)
        assert.include(stderr, "No running stack was found")
        assert.strictEqual(stdout, "")
      }
    }).pipe(Effect.scoped)
  )
})

describe("esb deploy", () => {
  it.live("replaces what the stack holds, and says what is different", () =>
    Effect.gen(function* () {
      const { esb, root, up } = yield* stack
      const template = Cli.hello("hi")["template.yaml"] ?? ""
      Cli.write(root, {
        "other.yaml": template.replace("FunctionName: hello", "FunctionName: other").replace("/hello", "/other")
      })
      const { code, stderr, stdout } = yield* esb(["deploy", join(root, "other.yaml")])
      assert.strictEqual(code, 0, stderr)
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "added    other",
        "removed  hello",
        "added    GET /other",
        "removed  GET /hello"
      ])
      const status = (path: string) => Effect.promise(() => fetch(`${up.ready.gateway}${path}`).then((r) => r.status))
      assert.strictEqual(yield* status("/other"), 200)
      assert.strictEqual(yield* status("/hello"), 404)
      assert.strictEqual((yield* esb(["deploy", join(root, "other.yaml")])).stdout, "Nothing has changed.\n")
    }).pipe(Effect.scoped)
  )

  it.live("keeps the parameters of the last deploy until others are given; a new start forgets them", () =>
    Effect.gen(function* () {
      const stage = "Parameters:\n  Stage: { Type: String, Default: dev }\nResources:"
      const environment = "Runtime: nodejs24.x\n      Environment: { Variables: { STAGE: !Ref Stage } }"
      const template = (Cli.hello("hi")["template.yaml"] ?? "")
        .replace("Resources:", stage)
        .replace("Runtime: nodejs24.x", environment)
      const root = yield* Cli.project({
        "template.yaml": template,
        "src/app.mjs": "export const handler = async () => process.env.STAGE"
      })
      const esb = (...args: ReadonlyArray<string>) => Cli.esb(args, { cwd: root })
      const answer = Effect.map(esb("invoke", "hello"), ({ stdout }) => JSON.parse(stdout) as unknown)
      const up = yield* Cli.up(root, ["-p", "Stage=prod"])
      assert.strictEqual((yield* esb("deploy")).stdout, "Nothing has changed.\n")
      assert.strictEqual(yield* answer, "prod")
      yield* esb("deploy", "-p", "Stage=test")
      assert.strictEqual(yield* answer, "test")
      Cli.write(root, { "src/app.mjs": "export const handler = async () => `new ${process.env.STAGE}`" })
      yield* answer.pipe(
        Effect.repeat({ until: (value) => value === "new test" }),
        Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.die("the change was not built") })
      )
      Cli.write(root, { "other.yaml": Cli.hello("hi")["template.yaml"] ?? "" })
      assert.strictEqual((yield* esb("deploy", "other.yaml")).code, 0)
      yield* up.end("SIGTERM")
      yield* Cli.up(root)
      assert.strictEqual(yield* answer, "new dev")
    }).pipe(Effect.scoped)
  )

  it.live("needs a running stack, except with --build-only", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const alone = yield* Cli.esb(["deploy"], { cwd: root })
      assert.strictEqual(alone.code, 1)
      assert.include(alone.stderr, "Start one with: esb up")
      const built = yield* Cli.esb(["deploy", "--build-only", "--json"], { cwd: root })
      const [hello] = JSON.parse(built.stdout).built
      assert.strictEqual(hello.name, "hello")
      assert.match(hello.image, /^artifact:sha256:[0-9a-f]{64}$/)
    }).pipe(Effect.scoped)
  )
})
