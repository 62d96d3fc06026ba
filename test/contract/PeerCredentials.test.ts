/** A Gateway's side of a connection: whom its clients believe, and that nobody else gets a byte of a request. */
import { assert, describe, it } from "@effect/vitest"
import { Client, Server, ServerCredentials } from "@grpc/grpc-js"
import { Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "node:tls"
import { fileURLToPath } from "node:url"
import { Pool } from "undici"
import * as PeerCredentials from "#layers/grpc/peer/PeerCredentials"
import type * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import type { CertificateBundle } from "#services/Certificates"
import * as Peers from "#test/support/Peers"

/** What a client makes of a server: its answer, or why there is none. */
type Ask = (host: string, port: number, bundle: CertificateBundle) => Effect.Effect<string>

const clients: Readonly<Record<string, { readonly protocol: "h2" | "http/1.1"; readonly ask: Ask }>> = {
  "node:tls": {
    protocol: "http/1.1",
    ask: (host, port, bundle) =>
      Effect.callback((resume) => {
        const socket = connect({ port, ...PeerCredentials.connectionTo(host, bundle), ALPNProtocols: ["http/1.1"] })
        socket.on("error", ({ message }) => resume(Effect.succeed(message)))
        socket.on("data", (bytes) => resume(Effect.succeed(bytes.toString("latin1"))))
        socket.on("close", () => resume(Effect.succeed("closed")))
        socket.write("GET / HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n")
      })
  },
  undici: {
    protocol: "http/1.1",
    ask: (host, port, bundle) =>
      Effect.acquireUseRelease(
        // The scheme of the origin has no say.
        Effect.sync(
          () => new Pool(`http://${host}:${port}`, { connect: PeerCredentials.connector(() => bundle, 2_000) })
        ),
        (pool) =>
          Effect.promise(() =>
            // Neither has the Host header that the caller sends.
            pool.request({ path: "/", method: "GET", headers: { host: "registry" } }).then(
              ({ body }) => body.text(),
              ({ message }: Error) => message
            )
          ),
        (pool) => Effect.promise(() => pool.destroy())
      )
  },
  "grpc-js": {
    protocol: "h2",
    ask: (host, port, bundle) =>
      Effect.acquireUseRelease(
        Effect.sync(() => new Client(`${host}:${port}`, PeerCredentials.channelCredentials(bundle))),
        (client) =>
          Effect.callback<string>((resume) => {
            const none = () => Buffer.alloc(0)
            client.makeUnaryRequest("/a/b", none, none, undefined, { deadline: Date.now() + 5_000 }, (error) =>
              resume(Effect.succeed(error?.details ?? "answered"))
            )
          }),
        (client) => Effect.sync(() => client.close())
      )
  }
}

interface Wrong {
  readonly what: string
  /** What the server has instead of the certificate of an Agent. */
  readonly shows: (authority: CertificateAuthority.Issued) => Effect.Effect<CertificateAuthority.Issued>
  /** In the words of Node and OpenSSL. */
  readonly told: RegExp
}

const impostors: ReadonlyArray<Wrong> = [
  {
    what: "whom another authority of the same name has certified",
    shows: () => Effect.flatMap(Peers.authority, (other) => Peers.issue(other, Peers.agent)),
    told: /unable to verify the first certificate|unable to get local issuer/
  },
  {
    what: "who has certified himself",
    shows: () => Peers.selfSigned(Peers.agent),
    told: /self-signed certificate/
  },
  {
    what: "whose certificate has expired",
    shows: (authority) => Peers.issue(authority, Peers.agent, Peers.past),
    told: /certificate has expired/
  },
  {
    what: "whose certificate is not valid yet",
    shows: (authority) => Peers.issue(authority, Peers.agent, Peers.future),
    told: /certificate is not yet valid/
  },
  {
    what: "who is another server of ours",
    shows: (authority) => Peers.issue(authority, { ...Peers.agent, names: [{ type: "dns", value: "registry" }] }),
    told: /does not match certificate's altnames/
  },
  {
    what: "who has the names of an Agent, but a certificate for clients",
    shows: (authority) => Peers.issue(authority, { ...Peers.agent, usages: ["client"] }),
    told: /unsuitable certificate purpose/
  }
]

/** An Agent's port as each client wants it: it answers over HTTP, or with a status of gRPC. */
const agentFor = Effect.fnUntraced(function* (protocol: "h2" | "http/1.1", bundle: CertificateBundle) {
  if (protocol === "http/1.1") return yield* Peers.listen(Peers.fixed(bundle))
  const server = new Server()
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  yield* Effect.addFinalizer(() => Effect.sync(() => server.forceShutdown()))
  return yield* Peers.listen(Peers.fixed(bundle), {
    protocol: "h2",
    accept: (socket) => injector.injectConnection(socket)
  })
})

const answers = { "http/1.1": "here", h2: "does not implement the method" }

for (const [client, { ask, protocol }] of Object.entries(clients)) {
  describe(`PeerCredentials for ${client}`, () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      it.live(`reach an Agent at ${host}`, () =>
        Effect.gen(function* () {
          const authority = yield* Peers.authority
          const { port } = yield* agentFor(protocol, yield* Peers.issue(authority, Peers.agent))
          const answer = yield* ask(host, port, yield* Peers.issue(authority, Peers.gateway))
          assert.include(answer, answers[protocol])
        })
      )
    }

    for (const { shows, told, what } of impostors) {
      it.live(`tell nothing to a server ${what}`, () =>
        Effect.gen(function* () {
          const authority = yield* Peers.authority
          const { port, received } = yield* Peers.impostor(yield* shows(authority), protocol)
          const answer = yield* ask("localhost", port, yield* Peers.issue(authority, Peers.gateway))
          assert.match(answer, told)
          assert.strictEqual(received(), 0)
        })
      )
    }
  })
}

const judge = fileURLToPath(new URL("./PeerTrustProcess.ts", import.meta.url))

interface Judgement {
  /** Whether Node by itself believes the other authority: if not, the rest says nothing. */
  readonly node: boolean
  readonly agent: string
  readonly gateway: string
}

describe("Trust between Gateway and Agent", () => {
  const ways = [
    { what: "NODE_EXTRA_CA_CERTS names", variable: "NODE_EXTRA_CA_CERTS", flags: [] },
    { what: "the machine trusts", variable: "SSL_CERT_FILE", flags: ["--use-openssl-ca"] }
  ]
  for (const { flags, variable, what } of ways) {
    it.live(`stays with our authority, whatever other one ${what}, even where Node is told to believe everybody`, () =>
      Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-trust-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
        )
        const other = yield* Peers.authority
        const otherPath = join(directory, "other.crt")
        writeFileSync(otherPath, other.certificate)
        writeFileSync(join(directory, "other.key"), Redacted.value(other.key))
        const environment = { ...process.env, [variable]: otherPath, NODE_TLS_REJECT_UNAUTHORIZED: "0" }
        const said = yield* Effect.callback<string>((resume) => {
          const child = spawn(process.execPath, [...flags, judge, directory], { env: environment })
          let text = ""
          for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (text += String(part)))
          child.on("close", () => resume(Effect.succeed(text)))
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        const line = said.split("\n").find((text) => text.startsWith("{")) ?? assert.fail(said)
        const { agent, gateway, node } = JSON.parse(line) as Judgement
        assert.isTrue(node)
        assert.strictEqual(agent, "")
        assert.match(gateway, /unable to verify|unable to get local issuer|self-signed/)
      })
    )
  }
})
