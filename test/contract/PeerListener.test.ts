import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { connect as connectPlain, type Socket } from "node:net"
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls"
import { gatewayUri } from "#domain/PeerIdentity"
import type * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import { eventually } from "#test/support/Eventually"
import * as Peers from "#test/support/Peers"
import * as RawSocket from "#test/support/RawSocket"

/** A port that only Gateways of one authority may use. */
const bench = Effect.fnUntraced(function* (options: Parameters<typeof Peers.listen>[1] = {}) {
  const authority = yield* Peers.authority
  const log = Peers.recordedLog()
  const certificates = Peers.fixed(yield* Peers.issue(authority, Peers.agent))
  const port = yield* Peers.listen(certificates, options).pipe(Effect.provide(log.layer))
  const gateway = yield* Peers.issue(authority, Peers.gateway)
  return { ...port, authority, gateway, lines: log.lines }
})

/** The log is told by a fiber of its own. */
const told = (lines: ReadonlyArray<string>, reason: string) =>
  eventually(
    `the log tells that ${reason}`,
    Effect.sync(() => [...lines]),
    (seen) => seen.some((line) => line.startsWith("Warn Refused a connection from 127.0.0.1:") && line.endsWith(reason))
  )

type Stranger = (authority: CertificateAuthority.Issued) => Effect.Effect<ConnectionOptions>

const named = (commonName: string, ...names: ReadonlyArray<string>): CertificateAuthority.Leaf => ({
  commonName,
  names: names.map((value) => ({ type: "dns", value })),
  usages: ["client"]
})

const strangers: Readonly<Record<string, { readonly shows: Stranger; readonly reason: string }>> = {
  "without a certificate": {
    shows: () => Effect.succeed({}),
    reason: "it has shown no certificate"
  },
  "whom another authority of the same name has certified": {
    shows: () =>
      Peers.authority.pipe(
        Effect.flatMap((other) => Peers.issue(other, Peers.gateway)),
        Effect.map(Peers.credentials)
      ),
    reason: "its certificate is from another authority"
  },
  "who shows the whole chain of another authority": {
    shows: () =>
      Effect.gen(function* () {
        const other = yield* Peers.authority
        const { key, ...issued } = yield* Peers.issue(other, Peers.gateway)
        return Peers.credentials({ key, certificate: issued.certificate + other.certificate })
      }),
    reason: "its certificate is from another authority"
  },
  "who has certified himself": {
    shows: () => Effect.map(Peers.selfSigned(Peers.gateway), Peers.credentials),
    reason: "its certificate is signed by itself"
  },
  "whose certificate has expired": {
    shows: (authority) => Effect.map(Peers.issue(authority, Peers.gateway, Peers.past), Peers.credentials),
    reason: "its certificate has expired"
  },
  "whose certificate is not valid yet": {
    shows: (authority) => Effect.map(Peers.issue(authority, Peers.gateway, Peers.future), Peers.credentials),
    reason: "its certificate is not valid yet"
  },
  "who is a server": {
    shows: (authority) =>
      Effect.map(Peers.issue(authority, { ...Peers.gateway, usages: ["server"] }), Peers.credentials),
    reason: "its certificate is not one for clients"
  },
  "whose certificate says nothing of its use": {
    shows: (authority) => Effect.map(Peers.issue(authority, { ...Peers.gateway, usages: [] }), Peers.credentials),
    reason: "its certificate is not one for clients"
  },
  "who is a client, but no Gateway": {
    shows: (authority) => Effect.map(Peers.issue(authority, named("gateway", "gateway")), Peers.credentials),
    reason: "its certificate is not one of a Gateway"
  },
  "who has a Gateway's name inside another name": {
    shows: (authority) =>
      Effect.map(Peers.issue(authority, named("gateway", `a, URI:${gatewayUri}, b`)), Peers.credentials),
    reason: "its certificate is not one of a Gateway"
  },
  "who shows the certificate of our authority itself": {
    shows: (authority) => Effect.succeed(Peers.credentials(authority)),
    reason: "its certificate is not one for clients"
  }
}

describe("PeerListener", () => {
  for (const [who, { reason, shows }] of Object.entries(strangers)) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      it.live(`cuts off a stranger ${who} over ${version}, and reads nothing of his request`, () =>
        Effect.gen(function* () {
          const { accepted, asked, authority, lines, port } = yield* bench()
          const shown = yield* shows(authority)
          const { text } = yield* Peers.knock(port, { ...shown, minVersion: version, maxVersion: version })
          assert.deepStrictEqual([text, accepted(), asked()], ["", 0, 0])
          yield* told(lines, reason)
        })
      )
    }
  }

  it.live("cuts off a Gateway that speaks TLS 1.1", () =>
    Effect.gen(function* () {
      const { accepted, gateway, lines, port } = yield* bench()
      const old: ConnectionOptions = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }
      const { text } = yield* Peers.knock(port, { ...Peers.credentials(gateway), ...old })
      assert.deepStrictEqual([text, accepted()], ["", 0])
      yield* told(lines, "it speaks a version of TLS before 1.2")
    })
  )

  it.live("cuts off who speaks in the clear", () =>
    Effect.gen(function* () {
      const { accepted, lines, port } = yield* bench()
      yield* RawSocket.exchange(`tcp://127.0.0.1:${port}`, "GET / HTTP/1.1\r\nhost: agent\r\n\r\n")
      yield* told(lines, "it speaks HTTP without TLS")
      yield* RawSocket.exchange(`tcp://127.0.0.1:${port}`, "\u0000\u0001\u0002 what is this?")
      yield* told(lines, "it does not speak TLS")
      assert.strictEqual(accepted(), 0)
    })
  )

  it.live("cuts off a Gateway that speaks another protocol over TLS", () =>
    Effect.gen(function* () {
      const { accepted, gateway, lines, port } = yield* bench()
      yield* Peers.knock(port, { ...Peers.credentials(gateway), ALPNProtocols: ["h2"] })
      yield* told(lines, "it speaks another protocol over TLS")
      assert.strictEqual(accepted(), 0)
    })
  )

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it.live(`serves a Gateway over ${version}`, () =>
      Effect.gen(function* () {
        const { gateway, lines, port } = yield* bench()
        const limits: ConnectionOptions = { minVersion: version, maxVersion: version, ALPNProtocols: ["http/1.1"] }
        const { protocol, text } = yield* Peers.knock(port, { ...Peers.credentials(gateway), ...limits })
        assert.include(text, "200 OK")
        assert.strictEqual(protocol, version)
        assert.deepStrictEqual(lines, [])
      })
    )

    it.live(`lets nobody resume a session over ${version}: each connection proves itself`, () =>
      Effect.gen(function* () {
        const { gateway, port } = yield* bench()
        const limits: ConnectionOptions = { minVersion: version, maxVersion: version }
        const open = (session: Buffer | undefined) =>
          Effect.callback<{ readonly socket: TLSSocket; readonly session: Buffer | undefined }>((resume) => {
            const given = { ...Peers.credentials(gateway), ...limits, session, rejectUnauthorized: false }
            const socket = connect({ host: "127.0.0.1", port, ...given })
            let received = socket.getSession()
            socket.on("session", (ticket) => (received = ticket))
            socket.once("data", () => resume(Effect.succeed({ socket, session: received ?? socket.getSession() })))
            socket.write("GET / HTTP/1.1\r\nhost: agent\r\n\r\n")
          })
        const first = yield* open(undefined)
        assert.isDefined(first.session)
        const second = yield* open(first.session)
        assert.isFalse(second.socket.isSessionReused())
        for (const { socket } of [first, second]) socket.destroy()
      })
    )
  }

  it.live("lets nobody become somebody else within a connection", () =>
    Effect.gen(function* () {
      const { gateway, port } = yield* bench()
      const limits: ConnectionOptions = { maxVersion: "TLSv1.2", rejectUnauthorized: false }
      const failure = yield* Effect.callback<Error | null>((resume) => {
        const socket = connect({ host: "127.0.0.1", port, ...Peers.credentials(gateway), ...limits }, () =>
          socket.renegotiate({ rejectUnauthorized: false }, (error) => resume(Effect.succeed(error)))
        )
        socket.on("error", (error) => resume(Effect.succeed(error)))
        return Effect.sync(() => socket.destroy())
      })
      assert.match(failure?.message ?? "", /no renegotiation/)
    })
  )

  it.live("serves everybody in the clear when there are no certificates", () =>
    Effect.gen(function* () {
      const { port } = yield* Peers.listen(Peers.fixed(undefined))
      const answer = yield* RawSocket.exchange(
        `tcp://127.0.0.1:${port}`,
        "GET / HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n"
      )
      assert.include(answer, "here")
    })
  )

  it.live("names host, port and reason when it cannot listen", () =>
    Effect.gen(function* () {
      const { port } = yield* bench()
      const taken = yield* Effect.flip(bench({ port }))
      assert.strictEqual(taken._tag, "ListenFailed")
      assert.strictEqual(taken.message, `cannot listen on 127.0.0.1:${port}: the port is in use`)
      const elsewhere = yield* Effect.flip(bench({ host: "192.0.2.1" }))
      assert.strictEqual(elsewhere.message, "cannot listen on 192.0.2.1:0: this machine does not have the address")
    })
  )

  it.live("cuts off who does not finish the handshake in time, and forgives who leaves without a word", () =>
    Effect.gen(function* () {
      const { lines, port } = yield* bench({ limits: { handshakeLimitMs: 100 } })
      const left = yield* dial(port)
      left.destroy()
      const startedAt = performance.now()
      const silent = yield* dial(port)
      yield* closing(silent)
      assert.isBelow(performance.now() - startedAt, 2_000)
      yield* told(lines, "its TLS handshake took too long")
      assert.lengthOf(lines, 1)
    })
  )

  it.live("closes a connection too many at once, and has room again when another ends", () =>
    Effect.gen(function* () {
      const { gateway, lines, port } = yield* bench({ limits: { connections: 2 } })
      const [first, second] = yield* Effect.all([dial(port), dial(port)])
      yield* Effect.sleep("50 millis")
      const third = yield* dial(port)
      yield* closing(third)
      yield* told(lines, "2 connections are open")
      assert.isFalse(first.destroyed || second.destroyed)
      first.destroy()
      const answer = Effect.map(Peers.knock(port, Peers.credentials(gateway)), ({ text }) => text)
      yield* eventually("there is room", answer, (text) => text.includes("here"))
      second.destroy()
    })
  )

  it.live("tells of refusals once a second, and how many there were", () =>
    Effect.gen(function* () {
      const { lines, port } = yield* bench()
      yield* Effect.forEach(Array.from({ length: 12 }), () => Peers.knock(port, {}), { discard: true })
      yield* eventually(
        "the second line",
        Effect.sync(() => lines.length),
        (count) => count === 2
      )
      assert.match(lines[1] ?? "", /it has shown no certificate \([1-9]\d* more were refused meanwhile\)$/)
    })
  )

  it.live("lets nobody in when its scope has ended; who was let in stays", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const authority = yield* Peers.authority
      const certificates = Peers.fixed(yield* Peers.issue(authority, Peers.agent))
      const served: Array<Socket> = []
      const accept = (socket: unknown) => void served.push(socket as Socket)
      const { port } = yield* Peers.listen(certificates, { accept }).pipe(Scope.provide(scope))
      const gateway = Peers.credentials(yield* Peers.issue(authority, Peers.gateway))
      const proven = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...gateway })
      yield* eventually(
        "he is let in",
        Effect.sync(() => served.length),
        (count) => count === 1
      )
      const unproven = yield* dial(port)
      yield* Effect.sleep("20 millis")
      yield* Scope.close(scope, Exit.void)
      yield* closing(unproven)
      const refused = yield* Effect.callback<string>((resume) => {
        connectPlain(port, "127.0.0.1").on("error", ({ message }) => resume(Effect.succeed(message)))
      })
      assert.include(refused, "ECONNREFUSED")
      const echo = Effect.callback<string>((resume) => {
        served[0]?.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
        proven.write("still here")
      })
      assert.strictEqual(yield* echo, "still here")
      proven.destroy()
    })
  )
})

/** A connection that says nothing. */
const dial = (port: number) =>
  Effect.callback<Socket>((resume) => {
    const socket = connectPlain(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
    socket.on("error", () => undefined)
    socket.resume()
  })

const closing = (socket: Socket) =>
  Effect.callback<void>((resume) => {
    if (socket.closed) resume(Effect.void)
    else socket.once("close", () => resume(Effect.void))
  })
