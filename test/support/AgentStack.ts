/**
 * Gateways and Agents in any number, as an operator combines them: each a process of its own with a home of its own, all with
 * the code, the configuration and the certificates of one stack.
 */
import { assert } from "@effect/vitest"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import * as BareGateway from "./BareGateway.ts"
import * as BareServer from "./BareServer.ts"
import * as Cli from "./Cli.ts"
import * as Processes from "./Processes.ts"
import * as RoutedStack from "./RoutedStack.ts"

/** An entry of `functions.yml`, where it says more than that all functions here have the same code. */
export interface FunctionEntry {
  readonly image?: string
  readonly handler?: string
  readonly memory_size?: number
  readonly timeout?: number
  readonly scaling?: { readonly min_capacity?: number; readonly max_capacity?: number }
  readonly environment?: BareServer.Environment
  readonly asynchronous?: { readonly retries?: number }
}

export type Functions = Readonly<Record<string, FunctionEntry>>

export interface Gateway extends BareServer.BareServer, BareGateway.Asked {
  readonly owner: string
  /** Replaces its `functions.yml`, which it looks at again and again. */
  readonly deploy: (functions: Functions) => Effect.Effect<void>
}

export interface Agent extends BareServer.BareServer {
  readonly home: string
  /** `host:port`, as Gateways are told it. */
  readonly address: string
}

export interface GatewayOptions {
  readonly functions?: Functions
  readonly settings?: BareServer.Environment
}

export interface AgentStack {
  readonly directory: string
  /** Where `esb certs` has put the certificates. */
  readonly certificates: string
  /** Another path in a directory that goes with the stack. */
  readonly fresh: (name: string) => string
  readonly agent: (settings?: BareServer.Environment) => Effect.Effect<Agent, never, Scope.Scope>
  readonly gateway: (
    addresses: ReadonlyArray<string>,
    options?: GatewayOptions
  ) => Effect.Effect<Gateway, never, Scope.Scope>
  /** All that an Agent, or a Gateway, has to be told, for a start that a test makes itself. */
  readonly agentSettings: () => BareServer.Environment
  readonly gatewaySettings: (addresses: ReadonlyArray<string>, functions?: Functions) => BareServer.Environment
}

/** Another address of this machine, for what an Agent does not listen on itself. */
export const elsewhere = "127.0.0.2"

/** `esb certs` on a directory. */
export const certs = (directory: string, ...flags: ReadonlyArray<string>) =>
  Effect.map(
    Cli.esb(["certs", "--san", elsewhere, ...flags], { environment: { ESB_CERT_DIR: directory } }),
    ({ code, stderr }) => assert.strictEqual(code, 0, stderr)
  )

const build = Effect.fnUntraced(function* (directory: string) {
  const { code, stderr, stdout } = yield* Cli.esb(["deploy", "--build-only", "--json"], { cwd: directory })
  assert.strictEqual(code, 0, stderr)
  const [first] = (JSON.parse(stdout) as { readonly built: ReadonlyArray<{ readonly image: string }> }).built
  return first?.image ?? assert.fail("nothing was built")
})

const make: Effect.Effect<AgentStack, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* RoutedStack.copyOf({ sample: "agents" })
  const image = yield* build(directory)
  const certificates = join(directory, "certs")
  yield* certs(certificates)
  let count = 0
  const fresh = (name: string): string => join(directory, `${name}-${++count}`)
  const inCertificates = (name: string): string => join(certificates, name)

  const write = (path: string, functions: Functions): void => {
    const common = { image, runtime: "nodejs24.x", handler: "calls.work", timeout: 10, memory_size: 128 }
    const entries = Object.entries(functions).map(([name, entry]) => [name, { ...common, ...entry }])
    // JSON is YAML.
    writeFileSync(path, JSON.stringify({ functions: Object.fromEntries(entries) }))
  }

  const agentSettings = (): BareServer.Environment => {
    const home = fresh("agent")
    mkdirSync(home)
    symlinkSync(join(directory, ".esb/artifacts"), join(home, "artifacts"))
    return {
      ENV: "test",
      PROJECT_NAME: "agents",
      ESB_HOME: home,
      AGENT_RUNTIME: "process",
      // A fence stays for as long as workers do, and tests take workers away behind the Agent's back.
      WORKER_FENCE: "off",
      AGENT_HOST: "127.0.0.1",
      PORT: "0",
      AGENT_DATA_PORT: "0",
      AGENT_METRICS_PORT: "0",
      AGENT_GRPC_CERT_PATH: inCertificates("server.crt"),
      AGENT_GRPC_KEY_PATH: inCertificates("server.key"),
      AGENT_GRPC_CA_CERT_PATH: inCertificates("rootCA.crt")
    }
  }

  const gatewaySettings = (addresses: ReadonlyArray<string>, functions: Functions = { work: {} }) => {
    const home = fresh("gateway")
    mkdirSync(join(home, "config"), { recursive: true })
    write(join(home, "config/functions.yml"), functions)
    writeFileSync(join(home, "config/routing.yml"), "routes: []\n")
    return {
      ESB_HOME: home,
      PORT: "0",
      CONFIG_RELOAD_INTERVAL: "0.2",
      INVOKE_AUTH: "none",
      ACCESS_LOG: "false",
      ...BareGateway.secrets,
      GATEWAY_OWNER_ID: basename(home),
      AGENT_GRPC_ADDRESS: addresses.join(","),
      AGENT_GRPC_TLS_CERT_PATH: inCertificates("client.crt"),
      AGENT_GRPC_TLS_KEY_PATH: inCertificates("client.key"),
      AGENT_GRPC_TLS_CA_CERT_PATH: inCertificates("rootCA.crt")
    } satisfies BareServer.Environment
  }

  return {
    directory,
    certificates,
    fresh,
    agentSettings,
    gatewaySettings,
    agent: Effect.fnUntraced(function* (settings = {}) {
      const given = { ...agentSettings(), ...settings }
      const server = yield* BareServer.make("agent", given)
      return { ...server, home: given["ESB_HOME"] ?? "", address: new URL(server.url).host }
    }),
    gateway: Effect.fnUntraced(function* (addresses, { functions, settings } = {}) {
      const given = { ...gatewaySettings(addresses, functions), ...settings }
      const server = yield* BareServer.make("gateway", given)
      return {
        ...server,
        ...BareGateway.asked(server),
        owner: given.GATEWAY_OWNER_ID,
        deploy: (changed) => Effect.sync(() => write(join(given.ESB_HOME, "config/functions.yml"), changed))
      }
    })
  }
})

/** The stack that the tests of one block share, each with servers of its own. */
export class Shared extends Context.Service<Shared, AgentStack>()("esb/test/AgentStack") {}

export const layer: Layer.Layer<Shared> = Layer.effect(Shared, make)

/** For `it.layer`: real sockets, processes and time. */
export const live = { timeout: "30 seconds", excludeTestServices: true } as const

/** Pids of the workers that an Agent of this home has started, whoever is their parent by now. */
export const workersIn = (home: string): ReadonlyArray<number> =>
  Processes.of(home).flatMap(({ command, pid }) => (command.includes("/clients/") ? [pid] : []))
