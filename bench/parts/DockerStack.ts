/** A Gateway and an Agent on this machine whose workers are containers of its Docker Engine. Nothing is left when the scope ends. */
import { randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Docker from "dockerode"
import { Effect, Redacted, type Scope } from "effect"
import { Pool } from "undici"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import * as FunctionImage from "#test/support/FunctionImage"
import * as AgentProcess from "./AgentProcess.ts"
import { heading, tellNumber } from "./Figures.ts"
import * as ProgramProcess from "./ProgramProcess.ts"

/** An entry of `functions.yml`, but for the image, which is the same for all. */
export interface FunctionEntry {
  readonly handler: string
  readonly timeout?: number
  readonly idle_timeout?: number
  readonly memory_size?: number
  readonly scaling?: { readonly min_capacity?: number; readonly max_capacity?: number }
}

export interface DockerStack {
  readonly engine: Docker
  readonly identity: StackIdentity
  /** Of the functions; Node with our runtime client, made of files of this machine. */
  readonly image: string
  /** Of the workers: its name, and this machine's address in it. */
  readonly network: string
  readonly gatewayAddress: string
  readonly agent: AgentProcess.AgentProcess
  readonly gateway: ProgramProcess.ProgramProcess
  /** The answer's text; rejects for every status but 200. */
  readonly invoke: (functionName: string, payload: string) => Promise<string>
  /** Every container of this stack, running or not. */
  readonly containers: () => Promise<ReadonlyArray<Docker.ContainerInfo>>
}

const socketPath = "/var/run/docker.sock"

const write = (directory: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
}

/** Its functions, and what the Gateway needs to speak to the Agent. */
const gatewayIn = (
  home: string,
  { address, bundle }: AgentProcess.AgentProcess,
  functions: Readonly<Record<string, FunctionEntry & { readonly image: string }>>
): Readonly<Record<string, string>> => {
  mkdirSync(join(home, "config"), { recursive: true })
  // JSON is YAML.
  write(join(home, "config"), { "functions.yml": JSON.stringify({ functions }), "routing.yml": "routes: []\n" })
  write(home, {
    "client.crt": bundle.certificate,
    "client.key": Redacted.value(bundle.key),
    "ca.crt": bundle.authority
  })
  return {
    ESB_HOME: home,
    PORT: "0",
    INVOKE_AUTH: "none",
    ACCESS_LOG: "false",
    LOG_LEVEL: "WARNING",
    ESB_SECRET_ACCESS_KEY: "secret-of-the-bench",
    JWT_SECRET_KEY: "key-of-the-bench-key-of-the-bench",
    X_API_KEY: "key-of-the-bench",
    AUTH_PASS: "password-of-the-bench",
    AGENT_GRPC_ADDRESS: address,
    AGENT_GRPC_TLS_CERT_PATH: join(home, "client.crt"),
    AGENT_GRPC_TLS_KEY_PATH: join(home, "client.key"),
    AGENT_GRPC_TLS_CA_CERT_PATH: join(home, "ca.crt")
  }
}

export const start = Effect.fnUntraced(function* (
  functions: Readonly<Record<string, FunctionEntry>>,
  settings: Readonly<Record<string, string>> = {}
) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-bench-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  // What the image is made of lies there for a while.
  process.env["TMPDIR"] = directory
  const image = yield* Effect.promise(() => FunctionImage.reference())
  const engine = new Docker({ socketPath })
  const identity = { brand: "esb", environment: `bench-${randomBytes(4).toString("hex")}` }
  const network = `esb-${identity.environment}`
  const label = Object.entries(selectorLabels(identity)).map(([name, value]) => `${name}=${value}`)
  const containers = () => engine.listContainers({ all: true, filters: { label } })

  const agent = yield* AgentProcess.start(join(directory, "agent"), {
    ENV: identity.environment,
    AGENT_RUNTIME: "docker",
    CONTAINERS_NETWORK: network,
    IMAGE_PULL_POLICY: "never",
    ...settings
  })
  // Containers outlive their Agent; one that has none left takes its network and its fence with it.
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      const left = await containers()
      const removed = left.map(({ Id }) => engine.getContainer(Id).remove({ force: true, v: true }))
      // The Agent may be about to remove some itself.
      await Promise.allSettled(removed)
    })
  )
  const withImage = Object.fromEntries(Object.entries(functions).map(([name, entry]) => [name, { ...entry, image }]))
  const gateway = yield* ProgramProcess.start("gateway", {
    ...gatewayIn(join(directory, "gateway"), agent, withImage),
    ...settings
  })
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool(gateway.url, { connections: 64 })),
    (made) => Effect.promise(() => made.close())
  )
  const { IPAM } = yield* Effect.promise(() => engine.getNetwork(network).inspect())
  return {
    engine,
    identity,
    image,
    network,
    gatewayAddress: IPAM?.Config?.[0]?.["Gateway"] ?? "",
    agent,
    gateway,
    containers,
    invoke: async (functionName, payload) => {
      const path = `/2015-03-31/functions/${functionName}/invocations`
      const { body, headers, statusCode } = await pool.request({ method: "POST", path, body: payload })
      const answer = await body.text()
      if (statusCode !== 200 || headers["x-amz-function-error"] !== undefined) {
        throw new Error(`${functionName}: ${statusCode} ${answer}`)
      }
      return answer
    }
  } satisfies DockerStack
})

/** Asks the question where an engine can answer it. */
export const ask = async (question: string, answer: Effect.Effect<void, unknown, Scope.Scope>): Promise<void> => {
  heading(question)
  const refused = await new Docker({ socketPath }).ping().then(
    () => undefined,
    (cause: unknown) => String(cause)
  )
  if (refused === undefined) await Effect.runPromise(Effect.scoped(answer))
  else tellNumber("not measured: no Docker Engine answers", refused)
}
