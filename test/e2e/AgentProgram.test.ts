/** What an operator is told who starts an Agent: everything when he asks, and what is wrong when it does not start. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import * as AgentStack from "#test/support/AgentStack"
import * as Cli from "#test/support/Cli"

/** A port that is taken until the scope ends. */
const takenPort: Effect.Effect<number, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  ),
  (server) => (server.address() as AddressInfo).port
)

/** Lines of stderr that are not of the log. */
const toldIn = (stderr: string): ReadonlyArray<string> =>
  stderr
    .trimEnd()
    .split("\n")
    .filter((line) => !/^\d{4}-\d\d-\d\dT\S+ (INFO|WARN)/.test(line))

/** A start that must fail, with one line that says why. */
const refusal = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>>) {
  const stack = yield* AgentStack.Shared
  const environment = { ...stack.agentSettings(), ...settings }
  const { code, stderr, stdout } = yield* Cli.runProgram("agent", [], { environment })
  assert.deepStrictEqual([code, stdout], [1, ""])
  const [only, ...others] = toldIn(stderr)
  assert.deepStrictEqual(others, [], "one line says it")
  return only ?? ""
})

describe("The Agent", () => {
  it.live("tells who asks what it offers, who may use it, how it stops and what its exit codes mean", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* Cli.runProgram("agent", ["--help"])
      assert.deepStrictEqual([code, stderr], [0, ""])
      const words = stdout.replace(/\s+/g, " ")
      for (const told of [
        "gRPC on PORT",
        "HTTP on AGENT_DATA_PORT",
        "HTTP on AGENT_METRICS_PORT",
        "esb certs",
        "SIGTERM",
        "DRAIN_TIMEOUT",
        "0: ended well",
        "1: failed",
        "2: wrong usage"
      ]) {
        assert.include(words, told)
      }
      assert.isBelow(Math.max(...stdout.split("\n").map(({ length }) => length)), 101)
    })
  )

  it.live("names every setting that has no usable value, and what was expected, all at once", () =>
    Effect.gen(function* () {
      const environment = {
        PORT: "many",
        AGENT_DATA_PORT: "70000",
        OWNER_LEASE_SECONDS: "soon",
        AGENT_RUNTIME: "podman",
        AGENT_RUNTIME_API_PORTS: "9",
        AGENT_GRPC_REFLECTION: "perhaps",
        AGENT_INVOKE_MAX_RESPONSE_SIZE: "big"
      }
      const { code, stderr, stdout } = yield* Cli.runProgram("agent", [], { environment })
      assert.deepStrictEqual([code, stdout], [2, ""])
      const lines = stderr.trimEnd().split("\n")
      for (const [name, value] of Object.entries(environment)) {
        const line = lines.find((each) => each.startsWith(`${name} `))
        assert.match(line ?? "", new RegExp(`^${name} \\(--[a-z-]+\\) is "${value}": expected `))
      }
      assert.isTrue(lines.some((line) => line.startsWith("ENV (--environment) is required")))
      assert.strictEqual(lines.length, Object.keys(environment).length + 2)
      assert.strictEqual((yield* Cli.runProgram("agent", ["--no-such-flag"])).code, 2)
    })
  )

  it.layer(AgentStack.layer, AgentStack.live)("whose figures cannot be served", (it) => {
    it.effect("says so, and starts all the same", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const port = yield* takenPort
        const agent = yield* stack.agent({ AGENT_METRICS_PORT: String(port) })
        assert.match(agent.stderr(), new RegExp(`WARN.* metrics are not served on port ${port}: .*EADDRINUSE`))
      })
    )
  })

  it.layer(AgentStack.layer, AgentStack.live)("that cannot start says in one line", (it) => {
    it.effect("which port is in use", () =>
      Effect.gen(function* () {
        for (const name of ["PORT", "AGENT_DATA_PORT"]) {
          const port = yield* takenPort
          const told = yield* refusal({ [name]: String(port) })
          assert.match(told, new RegExp(`127\\.0\\.0\\.1:${port}\\b.*the port is in use`), name)
        }
      })
    )

    it.effect("which certificate or key is missing, or no good", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const directory = stack.fresh("broken")
        mkdirSync(directory)
        const garbage = join(directory, "garbage")
        writeFileSync(garbage, "no certificate")
        const otherKey = join(stack.certificates, "client.key")
        const cases: ReadonlyArray<readonly [string, string, string]> = [
          ["AGENT_GRPC_CERT_PATH", join(directory, "none"), "does not exist"],
          ["AGENT_GRPC_KEY_PATH", directory, "is a directory"],
          ["AGENT_GRPC_CERT_PATH", garbage, "is not a PEM certificate"],
          ["AGENT_GRPC_CA_CERT_PATH", garbage, "is not a PEM certificate"],
          ["AGENT_GRPC_KEY_PATH", otherKey, "is not the key of"]
        ]
        for (const [name, path, why] of cases) {
          const told = yield* refusal({ [name]: path })
          assert.isTrue(told.startsWith(`${path} ${why}`), told)
          assert.include(told, "esb certs")
        }
      })
    )

    it.effect("that it has no place for its state", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const file = stack.fresh("file")
        writeFileSync(file, "")
        chmodSync(file, 0o400)
        assert.include(yield* refusal({ ESB_HOME: join(file, "home") }), file)
      })
    )

    it.effect("that the stack has no name", () =>
      Effect.gen(function* () {
        const told = yield* refusal({ PROJECT_NAME: "", CONTAINERS_NETWORK: "bridge" })
        assert.include(told, "set ESB_BRAND_SLUG, PROJECT_NAME or CONTAINERS_NETWORK")
      })
    )
  })
})
