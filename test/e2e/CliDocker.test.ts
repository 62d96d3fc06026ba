/** `esb up --mode docker` as a user has it: the whole stack by Compose, with stand-ins for what cannot be pulled here. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cli from "#test/support/Cli"
import { answered, containerId, given, json, owned, ports, refused } from "#test/support/CliContainers"
import { docker } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import * as Processes from "#test/support/Processes"

/** Values of variables of the tests that `esb` keeps no track of: what images of functions begin with. */
const building = ({ ESB_BASE_IMAGE_NODEJS24_X = "" }: Readonly<Record<string, string>>) => ({
  ESB_BASE_IMAGE_NODEJS24_X
})

const inGateway = (project: string, script: string) =>
  docker("exec", `${project}-gateway`, "/usr/bin/node", "--eval", script)

describe("esb up --mode docker", needs("compose", "registry", "minio"), () => {
  it.live(
    "brings a template up in containers, brings new versions, and takes all of it down again",
    () =>
      Effect.gen(function* () {
        const { environment, esb, home, project, root } = yield* given("docker")
        assert.include(yield* answered(esb("down")), "nothing to take down")

        const ready = yield* json(esb("up", "--json"))
        assert.deepStrictEqual(ready.functions, [{ name: "hello", routes: ["GET /hello"] }])
        assert.match(ready.gateway, /^https:\/\/localhost:\d+$/)
        assert.strictEqual(ready.authority, join(home, "certs/rootCA.crt"))
        const run = JSON.parse(readFileSync(join(home, "run.json"), "utf8"))
        assert.deepInclude(run, { mode: "docker", project })
        assert.notProperty(run, "pid")

        const called = yield* json(esb("invoke", "hello", "--event", '{"a":1}', "--json"))
        assert.deepStrictEqual(called.payload, { answer: "in a container", event: { a: 1 } })
        const { services, workers } = yield* json(esb("ps", "--json"))
        const found = services as ReadonlyArray<{ name: string; state: string; health: string }>
        assert.includeMembers(
          found.filter(({ health }) => health === "healthy").map(({ name }) => name),
          ["gateway", "agent", "registry", "s3-storage", "database", "victorialogs", "victoriatraces"]
        )
        assert.lengthOf(workers, 1)
        const doctor = yield* esb("doctor", "--mode", "docker")
        assert.strictEqual(doctor.code, 0, doctor.stdout)
        assert.include(doctor.stdout, "the service gateway: running, healthy")

        // The same again changes nothing, and only what has changed is brought to the running stack.
        const gateway = yield* containerId(`${project}-gateway`)
        yield* answered(esb("up"))
        assert.strictEqual(yield* containerId(`${project}-gateway`), gateway)
        // And so it does from a shell that knows nothing of it.
        const bare = yield* Cli.esb(["up", "--mode", "docker"], { cwd: root, environment: building(environment) })
        assert.strictEqual(bare.code, 0, bare.stderr)
        assert.match(bare.stderr, /as given before: .*PORT_REGISTRY.*LOG_LEVEL/)
        assert.strictEqual(yield* containerId(`${project}-gateway`), gateway)
        assert.strictEqual((yield* inGateway(project, "console.log(process.env.LOG_LEVEL)")).trim(), "DEBUG")

        // The container's user may read all that is mounted there: the authority's key is not.
        const listed = yield* inGateway(project, "console.log(fs.readdirSync('/app/config/ssl').join())")
        assert.strictEqual(listed.trim(), "client.crt,client.key,rootCA.crt,server.crt,server.key")
        yield* answered(esb("certs", "--rotate"))
        const seen = yield* inGateway(project, "process.stdout.write(fs.readFileSync('/app/config/ssl/server.crt'))")
        assert.strictEqual(seen.trim(), readFileSync(join(home, "certs/server.crt"), "utf8").trim())

        // A second stack says what it has to be told.
        const other = yield* Cli.project(Cli.hello("beside"))
        const beside = (changed: Readonly<Record<string, string>>) =>
          refused(Cli.esb(["up"], { cwd: other, environment: { ...environment, ...changed } }))
        assert.include(yield* beside({}), `Another stack is called ${project} already, that of ${home}`)
        assert.include(yield* beside({ ENV: "other" }), `PORT_REGISTRY ${environment["PORT_REGISTRY"]} is in use`)
        assert.include(
          yield* beside({ ENV: "other", ...(yield* ports) }),
          `the engine's network ${project}-workers has`
        )

        Cli.write(root, Cli.hello("anew"))
        assert.include(yield* answered(esb("deploy")), "changed  hello")
        const again = yield* json(esb("invoke", "hello", "--json"))
        assert.strictEqual(again.payload.answer, "anew")

        // A secret reaches servers when they start.
        environment["JWT_SECRET_KEY"] = "another key of the tests, as long as one has to be"
        yield* answered(esb("up"))
        assert.strictEqual((yield* json(esb("invoke", "hello", "--json"))).payload.answer, "anew")

        assert.include(yield* refused(Cli.esb(["up", "--mode", "embedded"], { cwd: root })), "esb down")

        assert.include(yield* answered(esb("down")), "Its volumes are kept")
        assert.deepStrictEqual(yield* owned("container", project), [])
        assert.deepStrictEqual(yield* owned("network", project), [])
        assert.isNotEmpty(yield* owned("volume", project))
        assert.isFalse(existsSync(join(home, "run.json")))
        yield* answered(esb("down", "--volumes"))
        assert.deepStrictEqual(yield* owned("volume", project), [])
        assert.include(yield* answered(esb("down", "--volumes")), "nothing to take down")
      }).pipe(Effect.scoped),
    480_000
  )
})

describe("esb up, in the wrong mode for a flag,", () => {
  it.live("refuses what only child processes can be told, by name", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("never"))
      const { code, stderr } = yield* Cli.esb(["up", "--mode", "docker", "--watch", "--port", "1"], { cwd: root })
      assert.strictEqual(code, 2)
      assert.include(stderr, "--watch")
      assert.include(stderr, "--gateway-port")
      assert.isFalse(existsSync(join(root, ".esb")))
    }).pipe(Effect.scoped)
  )

  it.live("refuses by name what only containers can be told, where none are wanted", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("never"))
      const { code, stderr } = yield* Cli.esb(["up", "--gateway-port", "8443"], { cwd: root })
      assert.strictEqual(code, 2)
      assert.include(stderr, "--gateway-port <port> is of a stack in containers")
    }).pipe(Effect.scoped)
  )
})

describe("where no engine answers", () => {
  it.live("esb up and esb build say so, and how to get one, once", () =>
    Effect.gen(function* () {
      const { "template.yaml": template = "", ...rest } = Cli.hello("never")
      const second = template
        .slice(template.indexOf("  Hello:"))
        .replace("Hello", "Second")
        .replace("/hello", "/second")
      const functions = template + second.replace("FunctionName: hello", "FunctionName: second")
      const root = yield* Cli.project({ ...rest, "template.yaml": functions })
      const environment = { DOCKER_HOST: `unix://${join(root, "engine.sock")}` }
      for (const command of [["up", "--mode", "docker"], ["build"]]) {
        const told = yield* refused(Cli.esb(command, { cwd: root, environment }))
        assert.lengthOf(told.match(/No Docker Engine answers/g) ?? [], 1, told)
        assert.include(told, "https://docs.docker.com/engine/install")
      }
    }).pipe(Effect.scoped)
  )
})

describe("esb down", () => {
  it.live("stops a stack of child processes as Ctrl-C does, from another shell", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("embedded"))
      const up = yield* Cli.up(root)
      const refused = yield* Cli.esb(["down", "--volumes"], { cwd: root })
      assert.strictEqual(refused.code, 2)
      assert.include(yield* answered(Cli.esb(["down"], { cwd: root })), "has stopped")
      assert.isFalse(Processes.isAlive(up.child.pid ?? 0))
      assert.strictEqual(up.child.exitCode, 0)
      assert.include(yield* answered(Cli.esb(["down"], { cwd: root })), "nothing to take down")
    }).pipe(Effect.scoped)
  )
})
