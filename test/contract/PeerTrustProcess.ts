/**
 * A program that runs where another authority is trusted besides, whose files are in the directory it is given. Tells whether
 * Node by itself believes that authority, what an Agent of ours answers a Gateway of it, and what a Gateway of ours makes of an
 * Agent of it.
 */
import { Effect, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { connect, type ConnectionOptions } from "node:tls"
import * as PeerCredentials from "#layers/grpc/peer/PeerCredentials"
import * as Peers from "#test/support/Peers"

const [directory = "."] = process.argv.slice(2)
const read = (name: string) => readFileSync(join(directory, name), "utf8")

/** `secure`, or why not. */
const shake = (options: ConnectionOptions) =>
  Effect.callback<string>((resume) => {
    const socket = connect(options, () => resume(Effect.succeed("secure")))
    socket.on("error", ({ message }) => resume(Effect.succeed(message)))
    return Effect.sync(() => socket.destroy())
  })

await Effect.runPromise(
  Effect.gen(function* () {
    const other = { certificate: read("other.crt"), key: Redacted.make(read("other.key")) }
    const ours = yield* Peers.authority
    const theirAgent = yield* Peers.impostor(yield* Peers.issue(other, Peers.agent), "http/1.1")
    const node = yield* shake({ host: "localhost", port: theirAgent.port, rejectUnauthorized: true })
    const gateway = yield* shake({
      port: theirAgent.port,
      ...PeerCredentials.connectionTo("localhost", yield* Peers.issue(ours, Peers.gateway))
    })
    const ourAgent = yield* Peers.listen(Peers.fixed(yield* Peers.issue(ours, Peers.agent)))
    const theirGateway = Peers.credentials(yield* Peers.issue(other, Peers.gateway))
    const { text } = yield* Peers.knock(ourAgent.port, theirGateway)
    process.stdout.write(`${JSON.stringify({ node: node === "secure", agent: text, gateway })}\n`)
  }).pipe(Effect.scoped)
)
process.exit()
