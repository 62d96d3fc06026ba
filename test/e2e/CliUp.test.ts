import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as Cli from "#test/support/Cli"
import { needs } from "#test/support/Engines"
import * as Processes from "#test/support/Processes"

const text = (url: string) => Effect.promise(() => fetch(url).then((response) => response.text()))

/** Pids of the processes whose command line or environment names this home. */
const processesOf = async (home: string): Promise<ReadonlyArray<number>> => {
  const { readdir, readFile } = await import("node:fs/promises")
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)
  const uses = await Promise.all(
    pids.map((pid) =>
      readFile(`/proc/${pid}/environ`, "latin1").then(
        (all) => all.includes(home),
        () => false
      )
    )
  )
  return pids.filter((pid, index) => uses[index] === true && Processes.isAlive(pid))
}

/** The first signal has been taken to heart: nobody listens any more. */
const isTaken = ({ ready }: Cli.Up) =>
  Cli.eventually(async () => assert.isUndefined(await fetch(ready.gateway).catch(() => undefined)))

describe("esb up", () => {
  it.live("prints one ready line that is enough to call the stack, and nothing else", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const up = yield* Cli.up(root)
      assert.deepStrictEqual(up.ready.functions, [{ name: "hello", routes: ["GET /hello"] }])
      assert.strictEqual(yield* text(`${up.ready.gateway}/hello`), "hi")
      const signedByToken = yield* Effect.promise(() =>
        fetch(`${up.ready.gateway}/2015-03-31/functions/hello/invocations`, {
          method: "POST",
          headers: { authorization: `Bearer ${up.ready.token}` },
          body: "{}"
        }).then((response) => response.status)
      )
      assert.strictEqual(signedByToken, 200)
      assert.lengthOf(up.stdout().trim().split("\n"), 1)
    }).pipe(Effect.scoped)
  )

  it.live("keeps run.json for its owner alone while it runs, and the credentials over restarts", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const first = yield* Cli.up(root)
      assert.strictEqual(statSync(join(first.home, "run.json")).mode & 0o777, 0o600)
      assert.strictEqual(statSync(first.home).mode & 0o777, 0o700)
      assert.strictEqual(first.runFile().gateway, first.ready.gateway)
      assert.strictEqual(yield* first.end("SIGTERM"), 0)
      assert.isFalse(existsSync(join(first.home, "run.json")))
      const second = yield* Cli.up(root)
      assert.strictEqual(second.ready.secretAccessKey, first.ready.secretAccessKey)
    }).pipe(Effect.scoped)
  )

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it.live(`ends well at ${signal}, and everything it started with it`, () =>
      Effect.gen(function* () {
        const root = yield* Cli.project(Cli.hello("hi"))
        const up = yield* Cli.up(root)
        yield* text(`${up.ready.gateway}/hello`)
        assert.isAtLeast((yield* Effect.promise(() => processesOf(up.home))).length, 1)
        assert.strictEqual(yield* up.end(signal), 0)
        yield* Cli.eventually(async () => assert.deepStrictEqual(await processesOf(up.home), []))
      }).pipe(Effect.scoped)
    )
  }

  it.live("lets calls in flight end at a Ctrl-C that arrives twice, and ends them at a later one", () =>
    Effect.gen(function* () {
      const wait = "await new Promise((done) => setTimeout(done, 1500))"
      const begins = 'import { writeFileSync } from "node:fs"'
      const root = yield* Cli.project({
        ...Cli.hello("hi"),
        "src/app.mjs": `${begins}
export const handler = async ({ queryStringParameters }) => {
  writeFileSync(queryStringParameters.begun, "")
  ${wait}
  return { statusCode: 200, body: "in time" }
}`
      })
      for (const [isLater, answer] of [
        [false, "in time"],
        [true, "cut"]
      ] as const) {
        const up = yield* Cli.up(root)
        const begun = join(root, `begun-${answer}`)
        const call = yield* Effect.forkScoped(
          Effect.tryPromise(() => fetch(`${up.ready.gateway}/hello?${new URLSearchParams({ begun })}`)).pipe(
            Effect.flatMap((response) => Effect.tryPromise(() => response.text())),
            Effect.orElseSucceed(() => "cut")
          )
        )
        yield* Cli.eventually(() => assert.isTrue(existsSync(begun)))
        const ended = yield* Effect.forkScoped(up.end("SIGINT"))
        if (isLater) yield* isTaken(up)
        yield* Effect.sleep(isLater ? 400 : 20)
        up.child.kill("SIGINT")
        assert.strictEqual(yield* Fiber.join(call), answer)
        assert.strictEqual(yield* Fiber.join(ended), 0)
      }
    }).pipe(Effect.scoped)
  )

  it.live("starts a killed Gateway again at the same address, with the same token", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const up = yield* Cli.up(root)
      const before = up.runFile()
      process.kill(before.pid, "SIGKILL")
      yield* Cli.eventually(() => assert.notStrictEqual(up.runFile().pid, before.pid))
      assert.strictEqual(yield* text(`${up.ready.gateway}/hello`), "hi")
      assert.deepStrictEqual({ ...up.runFile(), pid: 0, startedAt: "" }, { ...before, pid: 0, startedAt: "" })
    }).pipe(Effect.scoped)
  )

  it.live("refuses a home in use and names who uses it", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const up = yield* Cli.up(root)
      const second = yield* Cli.esb(["up", "--port", "0"], { cwd: root })
      assert.strictEqual(second.code, 1)
      assert.include(second.stderr, `process ${up.child.pid} answers at ${up.ready.gateway}`)
    }).pipe(Effect.scoped)
  )

  it.live("ends the Gateway that a killed `esb up` left, and takes its place", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const first = yield* Cli.up(root)
      const { pid } = first.runFile()
      yield* first.end("SIGKILL")
      assert.isTrue(Processes.isAlive(pid))
      const ps = yield* Cli.esb(["ps"], { cwd: root })
      assert.include(ps.stderr, "No running stack was found")
      const second = yield* Cli.up(root)
      assert.isFalse(Processes.isAlive(pid))
      assert.strictEqual(yield* text(`${second.ready.gateway}/hello`), "hi")
    }).pipe(Effect.scoped)
  )

  it.live("says which port is in use", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer()
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = server.address()
      const port = typeof address === "object" ? String(address?.port) : ""
      const { code, stderr } = yield* Cli.esb(["up", "--port", port], { cwd: root })
      assert.strictEqual(code, 1)
      assert.include(stderr, `Port ${port} of 127.0.0.1 is in use: choose another with --port`)
    }).pipe(Effect.scoped)
  )

  it.live("tells what is wrong with a template by file and line, and starts nothing", () =>
    Effect.gen(function* () {
      const files = Cli.hello("hi")
      const root = yield* Cli.project({
        ...files,
        "template.yaml": `${files["template.yaml"]}      Timeout: soon\n      VpcKonfig: {}\n`
      })
      const { code, stderr, stdout } = yield* Cli.esb(["up", "--port", "0"], { cwd: root })
      assert.strictEqual(code, 1)
      assert.match(stderr, /template\.yaml:13: .*Timeout/)
      assert.match(stderr, /template\.yaml:14: .*VpcKonfig/)
      assert.strictEqual(stdout, "")
      assert.isFalse(existsSync(join(root, ".esb/run.json")))
    }).pipe(Effect.scoped)
  )

  it.live("names --allow-unsupported where that helps, and nowhere else", () =>
    Effect.gen(function* () {
      const files = Cli.hello("hi")
      const topic = "  Topic: { Type: AWS::SNS::Topic }\n"
      const root = yield* Cli.project({
        ...files,
        "template.yaml": `${files["template.yaml"]}${topic}`,
        "wrong.yaml": `${files["template.yaml"]}      Timeout: soon\n`
      })
      const refused = yield* Cli.esb(["up", "--port", "0"], { cwd: root })
      assert.match(refused.stderr, /Topic.*\nWith --allow-unsupported, .*\n$/)
      assert.notInclude((yield* Cli.esb(["up", "wrong.yaml"], { cwd: root })).stderr, "--allow-unsupported")
      assert.include((yield* Cli.up(root, ["--allow-unsupported"])).stderr(), "Topic")
    }).pipe(Effect.scoped)
  )

  it.live("names what is missing: a template, the code of a function, the value of a parameter", () =>
    Effect.gen(function* () {
      const files = Cli.hello("hi")
      const root = yield* Cli.project({ "src/app.mjs": "", "empty/.keep": "" })
      const none = yield* Cli.esb(["up"], { cwd: join(root, "empty") })
      assert.strictEqual(none.code, 2)
      assert.include(none.stderr, "There is no template.yaml, template.yml, template.json here")
      const gone = yield* Cli.esb(["up", "other.yaml"], { cwd: root })
      assert.strictEqual(gone.code, 2)

      const template = files["template.yaml"] ?? ""
      Cli.write(root, { "template.yaml": template.replace("src/", "gone/") })
      const code = yield* Cli.esb(["up", "--port", "0"], { cwd: root })
      assert.strictEqual(code.code, 1)
      assert.include(code.stderr, "Hello: CodeUri gone/ cannot be read")

      const parameters = "Parameters:\n  Stage: { Type: String }\nResources:"
      Cli.write(root, { "template.yaml": template.replace("Resources:", parameters) })
      const parameter = yield* Cli.esb(["up", "--port", "0"], { cwd: root })
      assert.strictEqual(parameter.code, 1)
      assert.include(parameter.stderr, "Stage")
    }).pipe(Effect.scoped)
  )

  it.live("starts without the interpreter of a function, which then says what is missing", () =>
    Effect.gen(function* () {
      const template = Cli.hello("hi")["template.yaml"] ?? ""
      const root = yield* Cli.project({
        "template.yaml": template.replace("nodejs24.x", "python3.13"),
        "src/app.py": 'def handler(event, context): return {"statusCode": 200, "body": "hi"}\n'
      })
      const nowhere = join(root, "nowhere")
      const up = yield* Cli.up(root, [], { PATH: nowhere, HOME: nowhere, STRICT_RUNTIMES: "1" })
      const response = yield* Effect.promise(() => fetch(`${up.ready.gateway}/hello`))
      const body = yield* Effect.promise(() => response.text())
      // A system may have this very version where no PATH leads.
      if (response.status === 200) return assert.strictEqual(body, "hi")
      assert.strictEqual(response.status, 502)
      assert.match(body, /Runtime python3\.13 cannot run here: .*Python 3\.13.*install it/)
    }).pipe(Effect.scoped)
  )

  it.live(
    "warns once of another version of an interpreter, though both the build and the Gateway find it",
    () =>
      Effect.gen(function* () {
        const template = Cli.hello("hi")["template.yaml"] ?? ""
        const root = yield* Cli.project({
          "template.yaml": template.replace("nodejs24.x", "python3.14"),
          "src/app.py": 'def handler(event, context): return {"statusCode": 200, "body": "hi"}\n'
        })
        const up = yield* Cli.up(root)
        assert.strictEqual(yield* text(`${up.ready.gateway}/hello`), "hi")
        const isAnother = readFileSync(join(up.home, "gateway.log"), "utf8").includes("python3.14 runs on Python")
        assert.strictEqual(up.stderr().match(/python3\.14 runs on Python/g)?.length ?? 0, isAnother ? 1 : 0)
      }).pipe(Effect.scoped),
    needs("python")
  )

  it.live("does not let other machines in unless it is told to", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const { code, stderr } = yield* Cli.esb(["up", "--host", "0.0.0.0"], { cwd: root })
      assert.strictEqual(code, 2)
      assert.include(stderr, "--route-auth jwt, or let everybody call them with --open")
    }).pipe(Effect.scoped)
  )

  it.live("keeps its state in the nearest .esb upwards from the template", () =>
    Effect.gen(function* () {
      const files = Cli.hello("hi")
      const nested = Object.fromEntries(Object.entries(files).map(([path, content]) => [`deep/er/${path}`, content]))
      const root = yield* Cli.project(nested)
      mkdirSync(join(root, ".esb"))
      const up = yield* Cli.up(root, [join(root, "deep/er/template.yaml")])
      assert.include(readFileSync(join(root, ".esb/run.json"), "utf8"), up.ready.gateway)
      const ps = yield* Cli.esb(["ps"], { cwd: join(root, "deep") })
      assert.strictEqual(ps.code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("shows people where to go", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("hi"))
      const said = yield* Effect.raceFirst(
        Cli.esb(["up", "--port", "0"], { cwd: root }),
        Effect.andThen(
          Cli.eventually(() => assert.isTrue(existsSync(join(root, ".esb/run.json"))), "15 seconds"),
          Effect.sync(() =>
            process.kill(JSON.parse(readFileSync(join(root, ".esb/run.json"), "utf8")).supervisor.pid, "SIGINT")
          )
        ).pipe(Effect.andThen(Effect.never))
      )
      assert.strictEqual(said.code, 0)
      assert.match(said.stdout, /Ready at http:\/\/127\.0\.0\.1:\d+/)
      assert.match(said.stdout, /curl http:\/\/127\.0\.0\.1:\d+\/hello/)
      assert.include(said.stdout, "for development")
    }).pipe(Effect.scoped)
  )
})
