/** Names for workers, by the Agent's own name server and by CoreDNS with the file that Compose gives it. */
import { Effect, Layer, Result } from "effect"
import * as OwnNames from "#domain/OwnNames"
import * as Subnet from "#domain/Subnet"
import * as NameServer from "#layers/dns/NameServer"
import type { Server } from "#test/support/NameClient"
import * as CoreDns from "#test/support/CoreDns"
import { needs } from "#test/support/Engines"
import * as FreePort from "#test/support/FreePort"
import * as NameUpstream from "#test/support/NameUpstream"
import { Names, own, suite } from "./NamesContract.ts"

const names = [`gateway=${own.gateway}`, `s3-storage=${own.store}`, `*.s3-storage=${own.store}`].map((text) =>
  Result.getOrThrow(OwnNames.read(text))
)

/** One that asks a server of the test, and one that asks nobody: its port is free. */
const both = <E, R>(make: (upstream: Server) => Effect.Effect<Server, E, R>) =>
  Layer.effect(
    Names,
    Effect.gen(function* () {
      const server = yield* make(yield* NameUpstream.make())
      const alone = yield* make({ address: "127.0.0.1", port: yield* FreePort.find })
      return { server, alone }
    })
  )

suite(
  "the Agent's own",
  both((upstream) => {
    const place = { address: "127.0.0.1", port: 0, clients: Result.getOrThrow(Subnet.parse("127.0.0.0/8")), names }
    return Effect.map(NameServer.serve({ ...place, upstream: [upstream] }), (port) => ({ address: "127.0.0.1", port }))
  })
)

suite(
  "CoreDNS",
  both((upstream) => CoreDns.make(upstream, { GATEWAY_ADDRESS: own.gateway, S3_ADDRESS: own.store })),
  needs("coredns")
)
