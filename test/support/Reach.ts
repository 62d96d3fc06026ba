/** Who can be reached from where: listeners in containers, on this machine and where clouds have theirs, and a look at them. */
import { assert } from "@effect/vitest"
import { execFile } from "node:child_process"
import { type AddressInfo, connect, createServer } from "node:net"
import { randomBytes } from "node:crypto"
import { promisify } from "node:util"
import { Effect } from "effect"
import * as Cli from "./Cli.ts"
import { docker } from "./DockerImages.ts"
import { eventually } from "./Eventually.ts"
import * as FunctionImage from "./FunctionImage.ts"

const run = promisify(execFile)
const ip = (...args: ReadonlyArray<string>) => Effect.promise(() => run("ip", args))

/** `answered`: a byte came back. `closed`: the connection stood, and ended without one. `unreachable`: it never stood. */
export type Outcome = "answered" | "closed" | "unreachable"
export type Targets = Readonly<Record<string, readonly [host: string, port: number]>>

/** The function's Node, which is in every worker of the tests. */
const node = "/var/lang/bin/node"

const looking = `
  const { connect } = require("node:net")
  const look = ([host, port]) => new Promise((done) => {
    let stands = false
    const socket = connect({ host, port })
    const end = (outcome) => { socket.destroy(); done(outcome) }
    socket.setTimeout(2000, () => end(stands ? "closed" : "unreachable"))
    socket.on("connect", () => { stands = true; socket.write("GET / HTTP/1.1\\r\\nhost: there\\r\\n\\r\\n") })
    socket.on("data", () => end("answered"))
    socket.on("error", () => end(stands ? "closed" : "unreachable"))
    socket.on("close", () => end("closed"))
  })
  const targets = Object.entries(JSON.parse(process.argv[1]))
  Promise.all(targets.map(async ([name, target]) => [name, await look(target)])).then((outcomes) =>
    console.log(JSON.stringify(Object.fromEntries(outcomes))))
`

const server = (ports: ReadonlyArray<number>): string =>
  `for (const port of ${JSON.stringify(ports)}) require("node:http").createServer((_, a) => a.end("hello")).listen(port)`

/** Runs a command inside a container, with the rights of what runs in it; tells what it says. */
type Inside<E, R> = (...command: ReadonlyArray<string>) => Effect.Effect<string, E, R>

/** From inside a container of whichever engine. */
export const lookFrom = <E, R>(inside: Inside<E, R>, targets: Targets, program = node) =>
  Effect.map(
    inside(program, "-e", looking, JSON.stringify(targets)),
    (said) => JSON.parse(said) as Readonly<Record<string, Outcome>>
  )

export const from = (container: string, targets: Targets, program = node) =>
  lookFrom((...command) => docker("exec", container, ...command), targets, program)

/** Whether something listens there, as this process sees it. */
export const fromHere = (host: string, port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ host, port })
    const end = (isThere: boolean): void => {
      socket.destroy()
      resume(Effect.succeed(isThere))
    }
    socket.setTimeout(1_000, () => end(false))
    socket.once("connect", () => end(true)).once("error", () => end(false))
    return Effect.sync(() => socket.destroy())
  })

export const everywhere = (targets: Targets, outcome: Outcome): Readonly<Record<string, Outcome>> =>
  Object.fromEntries(Object.keys(targets).map((name) => [name, outcome]))

/** A network in which containers do not meet, as the tests' own. */
export const network = Effect.acquireRelease(
  Effect.gen(function* () {
    const name = `esb-test-${randomBytes(4).toString("hex")}`
    const id = yield* docker("network", "create", "--opt", "com.docker.network.bridge.enable_icc=false", name)
    const gateway = yield* docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", name)
    return { name, gateway, bridge: `br-${id.slice(0, 12)}` }
  }),
  ({ name }) => docker("network", "rm", name)
)

/** A container that goes with the scope; its address in a network. */
export const container = Effect.fnUntraced(function* (network: string, ...args: ReadonlyArray<string>) {
  const id = yield* Effect.acquireRelease(docker("run", "--detach", "--network", network, ...args), (made) =>
    docker("rm", "--force", "--volumes", made)
  )
  const address = yield* docker(
    "inspect",
    "--format",
    `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`,
    id
  )
  return { id, address }
})

/** Says hello at these ports. */
export const service = Effect.fnUntraced(function* (
  network: string,
  ports: ReadonlyArray<number>,
  ...args: ReadonlyArray<string>
) {
  const image = yield* Effect.promise(() => FunctionImage.reference())
  return yield* container(network, "--entrypoint", node, ...args, image, "-e", server(ports))
})

/** Says hello at a port of a container that is there already; the command goes on after it was begun. */
export const serveBy = <E, R>(begin: Inside<E, R>, port: number) => begin(node, "-e", server([port]))

export const serveIn = (container: string, port: number) =>
  serveBy((...command) => docker("exec", "--detach", container, ...command), port)

/** Says hello at every address of this machine. */
export const machineService = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{ readonly port: number; readonly close: () => Promise<unknown> }>((done) => {
        const listener = createServer((socket) =>
          socket
            .on("error", () => undefined)
            .resume()
            .end("hello")
        )
        listener.listen(0, "0.0.0.0", () => {
          const { port } = listener.address() as AddressInfo
          done({ port, close: () => new Promise((closed) => listener.close(closed)) })
        })
      })
  ),
  ({ close }) => Effect.promise(close)
).pipe(Effect.map(({ port }) => port))

/** Where clouds tell machines who they are: another machine, as this one sees it. */
export const metadataService = Effect.gen(function* () {
  const name = `esb${randomBytes(4).toString("hex")}`
  yield* Effect.acquireRelease(ip("netns", "add", name), () => ip("netns", "del", name))
  yield* ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
  yield* ip("address", "add", "169.254.169.253/31", "dev", name)
  yield* ip("link", "set", name, "up")
  yield* ip("-n", name, "address", "add", "169.254.169.254/31", "dev", "eth0")
  yield* ip("-n", name, "link", "set", "eth0", "up")
  yield* Effect.acquireRelease(
    Effect.sync(() => execFile("ip", ["netns", "exec", name, process.execPath, "-e", server([80])])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  return ["169.254.169.254", 80] as const
})

/** Rules of this machine's packet filter that have something to do with these words. */
export const rulesAbout = (...words: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { stdout } = await run("iptables", ["-S"])
    return stdout.split("\n").filter((rule) => words.some((word) => rule.includes(word)))
  })

/** Names of a stack's workers, once there are so many. */
export const workersOf = (brand: string, environment: string, count: number) =>
  eventually(
    `there are ${count} workers`,
    Effect.map(docker("ps", "--filter", `label=${brand}_env=${environment}`, "--format", "{{.Names}}"), (listed) =>
      listed.split("\n").filter((name) => name !== "")
    ),
    (names) => names.length >= count
  )

/** All workers of a stack, whether their Agent is still there or not. */
export const removeWorkers = (brand: string, environment: string) =>
  Effect.flatMap(docker("ps", "--all", "--quiet", "--filter", `label=${brand}_env=${environment}`), (listed) =>
    listed === "" ? Effect.void : docker("rm", "--force", ...listed.split("\n"))
  )

/** Nothing of a stack stays at the engine, nor in this machine's packet filter. */
export const clear = Effect.fnUntraced(function* (brand: string, environment: string) {
  yield* removeWorkers(brand, environment)
  const { code, stderr } = yield* Cli.runProgram("fence", ["lower", JSON.stringify({ brand, environment })])
  assert.strictEqual(code, 0, stderr)
})

/** Address of a container in its only network, and its door. */
export const placeOf = Effect.fnUntraced(function* (container: string) {
  const address = yield* docker(
    "inspect",
    "--format",
    "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
    container
  )
  const environment = yield* docker("inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", container)
  const [, host = "", port = ""] = /^AWS_LAMBDA_RUNTIME_API=(.*):(\d+)$/m.exec(environment) ?? []
  return { address, door: [host, Number(port)] as const }
})
