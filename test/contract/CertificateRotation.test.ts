/** Certificates of both sides are renewed again and again while a Gateway's requests go to an Agent. */
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Logger } from "effect"
import { createServer } from "node:http"
import { connect, TLSSocket } from "node:tls"
import { Pool } from "undici"
import * as PeerCredentials from "#layers/grpc/peer/PeerCredentials"
import * as FileCertificates from "#layers/x509/FileCertificates"
import { Certificates } from "#services/Certificates"
import * as CertificateHome from "#test/support/CertificateHome"
import { eventually } from "#test/support/Eventually"
import * as Peers from "#test/support/Peers"

/**
 * What is renewed, how often the sides look, and how often it is renewed. With an authority one side waits for the other for
 * two looks, which has to be longer than a busy machine lets a process stand still.
 */
const kinds = [
  { renew: "leaves", what: "certificates", lookEvery: Duration.millis(20), rotations: 20 },
  { renew: "everything", what: "certificates and their authority", lookEvery: Duration.millis(400), rotations: 3 }
] as const

/** Answers with the serial number of the certificate that the connection was made with. */
const answering = () =>
  createServer(({ socket }, response) => {
    const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
    response.end(shown?.serialNumber)
  })

/** The serial number of the certificate that an Agent shows now. */
const shownAt = (port: number, certificates: Certificates["Service"]) =>
  Effect.callback<string | undefined>((resume) => {
    const bundle = certificates.current()
    if (bundle === undefined) return resume(Effect.die("there is no certificate"))
    const socket = connect({ port, ...PeerCredentials.connectionTo("localhost", bundle) }, () => {
      resume(Effect.succeed(socket.getPeerX509Certificate()?.serialNumber))
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.die(error)))
  })

for (const { lookEvery, renew, rotations, what } of kinds) {
  it.live(
    `no request fails when ${what} are renewed: kept connections stay, new ones are made with the new certificates`,
    () =>
      Effect.gen(function* () {
        const home = yield* CertificateHome.made
        const agentSide = FileCertificates.layer({ ...home.agent, lookEvery })
        const gatewaySide = FileCertificates.layer({ ...home.gateway, lookEvery })
        const certificates = Context.get(yield* Layer.build(gatewaySide), Certificates)
        const http = answering()
        let opened = 0
        const accept = (socket: object) => {
          opened += 1
          http.emit("connection", socket)
        }
        const { port } = yield* Peers.listen(yield* Layer.build(agentSide).pipe(Effect.map(Layer.succeedContext)), {
          accept
        })
        const poolOf = Effect.acquireRelease(
          Effect.sync(() => {
            const connect = PeerCredentials.connector(certificates.current, 2_000)
            return new Pool(`https://localhost:${port}`, { connect, connections: 4, pipelining: 1 })
          }),
          (pool) => Effect.promise(() => pool.destroy())
        )
        const [kept, fresh] = [yield* poolOf, yield* poolOf]
        const ask = (pool: Pool, reset: boolean) =>
          Effect.promise(() => pool.request({ path: "/", method: "GET", reset }).then(({ body }) => body.text()))

        const serials = { kept: new Set<string>(), fresh: new Set<string>() }
        let answers = 0
        const asking = (pool: Pool, seen: Set<string>, reset: boolean) =>
          ask(pool, reset).pipe(
            Effect.tap((serial) =>
              Effect.sync(() => {
                seen.add(serial)
                answers += 1
              })
            ),
            // Handshakes without a pause leave those who look at files no time to do so.
            Effect.andThen(Effect.sleep(10)),
            Effect.forever
          )
        const before = home.certificate("client.crt").serialNumber
        yield* Effect.forEach([1, 2, 3, 4], () => ask(kept, false), { concurrency: "unbounded" })
        const load = yield* Effect.forkChild(
          Effect.all(
            [1, 2, 3, 4].flatMap(() => [asking(kept, serials.kept, false), asking(fresh, serials.fresh, true)]),
            { concurrency: "unbounded" }
          )
        )
        const rotate = Effect.gen(function* () {
          yield* home.make({ renew })
          const renewed = home.certificate("server.crt").serialNumber
          yield* eventually("the Agent shows the new one", shownAt(port, certificates), (serial) => serial === renewed)
          yield* eventually(
            "the Gateway has the new one",
            Effect.sync(() => certificates.current()?.certificate),
            (certificate) => certificate === home.text("client.crt")
          )
        })
        yield* Effect.raceFirst(Effect.repeat(rotate, { times: rotations - 1 }), Fiber.join(load))
        const last = home.certificate("client.crt").serialNumber
        yield* eventually(
          "a new connection shows it",
          Effect.sync(() => serials.fresh.has(last)),
          (seen) => seen
        )
        yield* Fiber.interrupt(load)

        assert.deepStrictEqual([...serials.kept], [before])
        assert.isAtLeast(serials.fresh.size, rotations)
        assert.isAbove(answers, 10 * rotations)
        assert.isAbove(opened, rotations)
      }).pipe(Effect.provide(Logger.layer([]))),
    20_000
  )
}
