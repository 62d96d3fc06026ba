/** A Gateway and an Agent on this machine whose workers are containers of its Docker Engine. Nothing is left when the scope ends. */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Docker from "dockerode"
import { Effect, type Scope } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import * as FunctionImage from "#test/support/FunctionImage"
import * as AgentProcess from "./AgentProcess.ts"
import * as CalledGateway from "./CalledGateway.ts"
import { heading, tellNumber } from "./Figures.ts"

export interface DockerStack extends CalledGateway.CalledGateway {
  readonly engine: Docker
  readonly identity: StackIdentity
  /** Of the functions; Node with our runtime client, made of files of this machine. */
  readonly image: string
  /** Of the workers: its name, and this machine's address in it. */
  readonly network: string
  readonly gatewayAddress: string
  readonly agent: AgentProcess.AgentProcess
  /** Every container of this stack, running or not. */
  readonly containers: () => Promise<ReadonlyArray<Docker.ContainerInfo>>
}

const socketPath = "/var/run/docker.sock"

export const start = Effect.fnUntraced(function* (
  functions: Readonly<Record<string, CalledGateway.FunctionEntry>>,
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
  const home = join(directory, "gateway")
  const called = yield* CalledGateway.start({ home, agent, image, functions, settings })
  const { IPAM } = yield* Effect.promise(() => engine.getNetwork(network).inspect())
  return {
    engine,
    identity,
    image,
    network,
    gatewayAddress: IPAM?.Config?.[0]?.["Gateway"] ?? "",
    agent,
    containers,
    ...called
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
