import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { settings as agentSettings } from "#programs/agent/Settings"
import { settings as gatewaySettings } from "#programs/gateway/Settings"
import { settings as provisionerSettings } from "#programs/provisioner/Settings"
import { settings as upSettings } from "#programs/esb/Settings"
import * as Setting from "#programs/Setting"
import * as Cli from "#test/support/Cli"
import { needs, pathOf } from "#test/support/Engines"

describe("esb", () => {
  it.live("tells its version, at once and with --json", () =>
    Effect.gen(function* () {
      const flag = yield* Cli.esb(["--version"])
      assert.match(flag.stdout, /^esb \d+\.\d+\.\d+\S*\n$/)
      const { stdout } = yield* Cli.esb(["version", "--json"])
      assert.strictEqual(`esb ${JSON.parse(stdout).version}\n`, flag.stdout)
    })
  )

  it.live("shows what it can do when it is asked nothing, and ends with 2 when asked for what it cannot", () =>
    Effect.gen(function* () {
      const nothing = yield* Cli.esb([])
      assert.strictEqual(nothing.code, 0)
      for (const name of [
        "up",
        "deploy",
        "init",
        "invoke",
        "logs",
        "ps",
        "routes",
        "events",
        "certs",
        "doctor",
        "version"
      ]) {
        assert.include(nothing.stdout, `  ${name} `)
      }
      const unknown = yield* Cli.esb(["depoly"])
      assert.strictEqual(unknown.code, 2)
      assert.strictEqual(unknown.stdout, "")
      assert.include(unknown.stderr, "deploy")
    })
  )

  it.live(
    "runs on the Node it brought where the machine's own is too old",
    () =>
      Effect.gen(function* () {
        const root = yield* Cli.project({})
        const old = { node: pathOf("old-node"), cwd: root }
        assert.match((yield* Cli.esb(["--version"], old)).stdout, /^esb \d/)
        const doctor = yield* Cli.esb(["doctor"], old)
        assert.strictEqual(doctor.code, 0, doctor.stderr)
        assert.match(doctor.stdout, /ok +Node 24\.7 or newer/)
        assert.strictEqual((yield* Cli.esb(["ps"], old)).code, 1)
        assert.strictEqual((yield* Cli.esb(["depoly"], old)).code, 2)
      }).pipe(Effect.scoped),
    needs("old-node")
  )

  it.live("ends well when nobody reads its output any more, and says so when the disk is full", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const { code, stderr } = yield* Cli.esb(["doctor"], { cwd: root, stdout: "closed" })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      for (const command of ["doctor", "--version"]) {
        const full = yield* Cli.esb([command], { cwd: root, stdout: "/dev/full" })
        assert.strictEqual(full.code, 1)
        assert.match(full.stderr, /^The output cannot be written: ENOSPC[^\n]*\n$/)
      }
    }).pipe(Effect.scoped)
  )

  it.live("completes itself in the shells", () =>
    Effect.gen(function* () {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, stdout } = yield* Cli.esb(["--completions", shell])
        assert.strictEqual(code, 0)
        assert.include(stdout, "invoke")
      }
    })
  )
})

describe("--help", () => {
  const programs = {
    gateway: gatewaySettings,
    agent: agentSettings,
    provisioner: provisionerSettings
  }
  for (const [program, settings] of Object.entries(programs)) {
    it.live(`of ${program} has every setting with its variable and default`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* Cli.runProgram(program, ["--help"])
        assert.strictEqual(code, 0)
        const rows = Setting.rows(settings)
        assert.isAbove(rows.length, 3)
        const words = stdout.replace(/\s+/g, " ")
        for (const { env, fallback, flag, isRequired } of rows) {
          assert.include(stdout, env)
          if (flag !== undefined) assert.include(stdout, flag)
          assert.include(words, isRequired ? "Required" : `Default: ${fallback}`)
        }
      })
    )
  }

  it.live("of esb up has every setting with its variable", () =>
    Effect.gen(function* () {
      const { stdout } = yield* Cli.esb(["up", "--help"])
      for (const { env } of Setting.rows(upSettings)) assert.include(stdout, env.split(",")[0] ?? env)
    })
  )

  it.live("is answered with 2 and the name of the variable when a setting is bad", () =>
    Effect.gen(function* () {
      const bad = yield* Cli.runProgram("gateway", [], { environment: { PORT: "many" } })
      assert.strictEqual(bad.code, 2)
      assert.include(bad.stderr, 'PORT (--port) is "many": expected a port, 0 to 65535')
      assert.include(bad.stderr, "JWT_SECRET_KEY is required")
      const flag = yield* Cli.esb(["up"], { environment: { PORT: "many" } })
      assert.strictEqual(flag.code, 2)
      assert.include(flag.stderr, "PORT")
    })
  )
})

describe("the Agent", () => {
  it.live("wants to know its environment and its brand, and says when its engine does not answer", () =>
    Effect.gen(function* () {
      const missing = yield* Cli.runProgram("agent", [])
      assert.strictEqual(missing.code, 2)
      assert.include(missing.stderr, "ENV (--environment) is required")
      const nameless = yield* Cli.runProgram("agent", [], { environment: { ENV: "dev" } })
      assert.strictEqual(nameless.code, 1)
      assert.include(nameless.stderr, "set ESB_BRAND_SLUG, PROJECT_NAME or CONTAINERS_NETWORK")
      const environment = {
        ENV: "dev",
        CONTAINERS_NETWORK: "esb-dev-external",
        AGENT_RUNTIME: "containerd",
        CONTAINERD_SOCKET: "/nobody/listens.sock",
        AGENT_GRPC_TLS_DISABLED: "1"
      }
      const refused = yield* Cli.runProgram("agent", [], { environment })
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "containerd does not answer")
      assert.include(refused.stderr, "CONTAINERD_SOCKET (--containerd-socket), which is /nobody/listens.sock")
    })
  )
})

describe("esb init", () => {
  it.live("writes a Node stack that runs, and never over a file", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      assert.strictEqual((yield* Cli.esb(["init", "app"], { cwd: root })).code, 0)
      const app = join(root, "app")
      const template = readFileSync(join(app, "template.yaml"), "utf8")
      const again = yield* Cli.esb(["init", "app", "--runtime", "python"], { cwd: root })
      assert.strictEqual(again.code, 1)
      assert.include(again.stderr, "already has template.yaml, README.md: nothing was written")
      assert.strictEqual(readFileSync(join(app, "template.yaml"), "utf8"), template)
      assert.isFalse(existsSync(join(app, "src/app.py")))

      const up = yield* Cli.up(app)
      const answer = yield* Effect.promise(() =>
        fetch(`${up.ready.gateway}/hello/Ada`).then((response) => response.json())
      )
      assert.deepStrictEqual(answer, { message: "Hello, Ada!" })
    }).pipe(Effect.scoped)
  )

  it.live(
    "writes a Python stack that runs",
    () =>
      Effect.gen(function* () {
        const root = yield* Cli.project({})
        yield* Cli.esb(["init", "--runtime", "python"], { cwd: root })
        const up = yield* Cli.up(root)
        const answer = yield* Effect.promise(() =>
          fetch(`${up.ready.gateway}/hello/Ada`).then((response) => response.json())
        )
        assert.deepStrictEqual(answer, { message: "Hello, Ada!" })
      }).pipe(Effect.scoped),
    needs("python")
  )
})

describe("esb doctor", () => {
  it.live("finds what the embedded mode needs, and says how to get what the others lack", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const { code, stdout } = yield* Cli.esb(["doctor", "--json"], { cwd: root })
      const { findings, ready } = JSON.parse(stdout)
      assert.strictEqual(code, 0)
      assert.isTrue(ready)
      const found = findings as ReadonlyArray<{ mode: string; what: string; state: string; remedy: string }>
      assert.deepStrictEqual([...new Set(found.map(({ mode }) => mode))], ["embedded", "docker", "containerd"])
      for (const { remedy, state, what } of found) {
        assert.strictEqual(remedy === "", state === "ok", what)
      }
      assert.isFalse(existsSync(join(root, ".esb")), "looking leaves nothing behind")
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1 when the chosen mode lacks something", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      const { code, stdout } = yield* Cli.esb(["doctor", "--mode", "containerd", "--json"], { cwd: root })
      const { ready } = JSON.parse(stdout)
      assert.strictEqual(code, ready ? 0 : 1)
    }).pipe(Effect.scoped)
  )
})
