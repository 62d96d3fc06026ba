import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Result } from "effect"
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ComposeEnvironment from "#layers/docker/ComposeEnvironment"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerComposeStack from "#layers/docker/DockerComposeStack"
import { ComposeStack } from "#services/ComposeStack"
import * as Cli from "#test/support/Cli"
import { docker, names, smallBase } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import * as Processes from "#test/support/Processes"

const socketPath = "/var/run/docker.sock"

interface Project {
  readonly services: Readonly<Record<string, object>>
  readonly variables?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly readyWithin?: Duration.Duration
  readonly socketPath?: string
}

/** A project of Compose that is gone, volumes included, when the scope ends. */
const given = Effect.fnUntraced(function* ({ readyWithin = Duration.seconds(20), ...of }: Project) {
  const directory = mkdtempSync(join(tmpdir(), "esb-ComposeStack-"))
  const project = `esb-test-${randomUUID().slice(0, 8)}`
  const [file, environmentFile] = [join(directory, "compose.yml"), join(directory, "compose.env")]
  const write = (services: Readonly<Record<string, object>>) =>
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ version: "3.8", services, volumes: { state: {} } }))
  write(of.services)
  writeFileSync(environmentFile, Result.getOrThrow(ComposeEnvironment.text(of.variables ?? {})))
  const engine = of.socketPath ?? socketPath
  const layer = DockerComposeStack.layer({
    project,
    files: [file],
    environmentFile,
    environment: { ...process.env, ...of.environment },
    engine: `unix://${engine}`,
    readyWithin
  }).pipe(Layer.provide(DockerApi.layer({ socketPath: engine })))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      const program =
        spawnSync("docker", ["compose", "version"]).status === 0 ? ["docker", "compose"] : ["docker-compose"]
      const [command = "", ...first] = program
      spawnSync(command, [...first, "-p", project, "-f", file, "down", "--volumes", "--remove-orphans"])
    })
  )
  const context = yield* Layer.build(layer)
  const stack = yield* Effect.provide(ComposeStack, context)
  const told: Array<string> = []
  const progress = (line: string): void => void told.push(line)
  return { stack, told, progress, project, write, directory }
})

const lasting = (image: string, more: object = {}) => ({
  image,
  command: ["/bin/sleep", "600"],
  stop_signal: "SIGKILL",
  network_mode: "none",
  ...more
})

const check = (command: string) => ({
  test: ["CMD", "/bin/sh", "-c", command],
  interval: "1s",
  timeout: "2s",
  retries: 2
})

describe("ComposeStack (docker)", needs("compose"), () => {
  it.live(
    "brings up what has no profile, healthy when it returns; again changes nothing; down leaves volumes unless asked",
    () =>
      Effect.gen(function* () {
        const image = yield* smallBase(yield* names)
        const { progress, project, stack, told } = yield* given({
          services: {
            store: lasting(image, {
              healthcheck: check("cat /ready"),
              command: ["/bin/sh", "-c", "sleep 2; echo >/ready; sleep 600"],
              volumes: ["state:/state"]
            }),
            server: lasting(image, { depends_on: ["store"] }),
            task: lasting(image, { command: ["/bin/sh", "-c", "exit 0"] }),
            extra: lasting(image, { profiles: ["deploy"] })
          }
        })
        assert.deepStrictEqual(yield* stack.services, [])
        yield* stack.up(progress)
        const services = yield* stack.services
        assert.deepStrictEqual(
          services.map(({ exitCode, health, name, state }) => [name, state, health, exitCode]),
          [
            ["server", "running", "none", undefined],
            ["store", "running", "healthy", undefined],
            ["task", "exited", "none", 0]
          ]
        )
        assert.isTrue(services.every((service) => service.image === image))
        assert.isNotEmpty(told)

        const id = yield* docker("inspect", "--format", "{{.Id}}", services[1]?.container ?? "")
        yield* stack.up(progress)
        assert.strictEqual(yield* docker("inspect", "--format", "{{.Id}}", services[1]?.container ?? ""), id)

        yield* stack.stop(["server"], progress)
        assert.strictEqual((yield* stack.services).find(({ name }) => name === "server")?.state, "exited")
        const volumes = docker("volume", "ls", "--quiet", "--filter", `label=com.docker.compose.project=${project}`)
        yield* stack.down({ volumes: false }, progress)
        assert.deepStrictEqual(yield* stack.services, [])
        assert.include(yield* volumes, "state")
        yield* stack.down({ volumes: true }, progress)
        assert.strictEqual(yield* volumes, "")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "gives the files' variables their values as they are, whatever the environment says",
    () =>
      Effect.gen(function* () {
        const image = yield* smallBase(yield* names)
        const values = { ODD: `it's $HOME "x" # y = z`, LINES: "one\ntwo", PLAIN: "from the file", NONE: "" }
        const { progress, stack, told } = yield* given({
          services: {
            show: lasting(image, {
              profiles: ["once"],
              command: ["/bin/env"],
              environment: Object.fromEntries(Object.keys(values).map((name) => [name, `\${${name}}`]))
            })
          },
          variables: values,
          environment: { PLAIN: "from the environment" }
        })
        assert.strictEqual(yield* stack.run("show", [], progress), 0)
        for (const [name, value] of Object.entries(values)) {
          for (const line of `${name}=${value}`.split("\n")) assert.include(told, line)
        }
      }).pipe(Effect.scoped),
    30_000
  )

  it.live(
    "runs a service of a profile once, and answers its exit code and words",
    () =>
      Effect.gen(function* () {
        const image = yield* smallBase(yield* names)
        const { progress, stack, told } = yield* given({
          services: {
            once: lasting(image, { profiles: ["deploy"], entrypoint: ["/bin/sh", "-c"], command: ["exit 9"] })
          }
        })
        assert.strictEqual(yield* stack.run("once", ["echo done; exit 3"], progress), 3)
        assert.include(told, "done")
        assert.deepStrictEqual(yield* stack.services, [], "its container is gone")
      }).pipe(Effect.scoped),
    30_000
  )

  it.live(
    "names the services that fail, with their last words",
    () =>
      Effect.gen(function* () {
        const image = yield* smallBase(yield* names)
        const { progress, stack, write } = yield* given({
          services: { broken: lasting(image, { command: ["/bin/sh", "-c", "echo out of luck; exit 7"] }) },
          readyWithin: Duration.seconds(4)
        })
        const ended = yield* Effect.flip(stack.up(progress))
        assert.strictEqual(ended.message, "broken ended with code 7:\n  out of luck")

        write({
          looping: lasting(image, { command: ["/bin/sh", "-c", "echo again; sleep 0.1; exit 1"], restart: "always" })
        })
        const looping = yield* Effect.flip(stack.up(progress))
        assert.match(looping.message, /^looping was started again 3 times:\n  again/)
        assert.deepStrictEqual(
          (yield* stack.services).map(({ name }) => name),
          ["looping"],
          "what has left the files is gone"
        )

        write({ slow: lasting(image, { healthcheck: { ...check("exit 1"), retries: 60 } }) })
        const slow = yield* Effect.flip(stack.up(progress))
        assert.strictEqual(slow.message, "slow is not ready after 4 s (running, health starting)")

        write({
          ill: lasting(image, { healthcheck: check("exit 1"), command: ["/bin/sh", "-c", "echo no luck; sleep 600"] }),
          waiting: lasting(image, { depends_on: { ill: { condition: "service_healthy" } } })
        })
        const ill = yield* Effect.flip(stack.up(progress))
        assert.strictEqual(ill.message, "ill is unhealthy:\n  no luck")

        // Whether it is ill at the moment or has just been started again.
        const command = ["/bin/sh", "-c", "echo back; sleep 1; exit 1"]
        write({
          returning: lasting(image, { healthcheck: check("exit 1"), command, restart: "always" }),
          waiting: lasting(image, { depends_on: { returning: { condition: "service_healthy" } } })
        })
        const returning = yield* Effect.flip(stack.up(progress))
        assert.match(returning.message, /^returning (is unhealthy|ends, and was started again \w+( times)?):\n {2}back/)
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "tells what Compose says of files that it cannot read",
    () =>
      Effect.gen(function* () {
        const { progress, stack } = yield* given({ services: { wrong: { image: "x", nonsense: true } } })
        const failure = yield* Effect.flip(stack.up(progress))
        assert.strictEqual(failure._tag, "ComposeFailed")
        assert.include(failure.message, "nonsense")
      }).pipe(Effect.scoped),
    30_000
  )

  it.live(
    "ends Compose with all its children when it is interrupted",
    () =>
      Effect.gen(function* () {
        const bin = mkdtempSync(join(tmpdir(), "esb-compose-bin-"))
        const pidFile = join(bin, "pids")
        const script = `#!/bin/sh\n[ "$1" = version ] && exit 0\nsleep 600 &\necho "$$ $!" > ${pidFile}\nwait\n`
        writeFileSync(join(bin, "docker-compose"), script)
        chmodSync(join(bin, "docker-compose"), 0o755)
        const { progress, stack } = yield* given({
          services: {},
          environment: { PATH: `${bin}:/bin:/usr/bin`, DOCKER_CONFIG: bin }
        })
        yield* Effect.raceFirst(
          Effect.asVoid(stack.up(progress)),
          Cli.eventually(() => assert.match(readFileSync(pidFile, "utf8"), /^\d+ \d+\n$/))
        )
        const pids = readFileSync(pidFile, "utf8").trim().split(" ").map(Number)
        yield* Cli.eventually(() => assert.deepStrictEqual(pids.filter(Processes.isAlive), []))
      }).pipe(Effect.scoped),
    30_000
  )

  it.live("says what to install when Compose or an engine is missing", () =>
    Effect.gen(function* () {
      const empty = mkdtempSync(join(tmpdir(), "esb-no-compose-"))
      const bare = yield* given({ services: {}, environment: { PATH: empty } })
      const missing = yield* Effect.flip(bare.stack.up(bare.progress))
      assert.strictEqual(missing._tag, "ComposeMissing")
      assert.include(missing.message, "docker-compose")

      const deaf = yield* given({ services: {}, socketPath: join(empty, "none.sock") })
      const unreachable = yield* Effect.flip(deaf.stack.up(deaf.progress))
      assert.strictEqual(unreachable._tag, "ComposeEngineUnreachable")
      assert.include(unreachable.message, "DOCKER_HOST")
    }).pipe(Effect.scoped)
  )
})
