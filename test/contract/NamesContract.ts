/** What workers may expect of a name server, whoever it is. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, type Layer } from "effect"
import { Resolver } from "node:dns/promises"
import type { needs } from "#test/support/Engines"
import * as NameClient from "#test/support/NameClient"
import * as NameUpstream from "#test/support/NameUpstream"

/** Names that every implementation is given: a gateway, and a store whose buckets are names too. */
export const own = { gateway: "10.89.0.3", store: "10.89.0.4" }

/** A server under test. */
export class Names extends Context.Service<
  Names,
  {
    readonly server: NameClient.Server
    /** Another one, whose upstream is not there. */
    readonly alone: NameClient.Server
  }
>()("esb/test/Names") {}

/** Node's own client, which is nobody's here. */
const resolver = Effect.map(Names, ({ server: { address, port } }) => {
  const made = new Resolver({ timeout: 6_000, tries: 1 })
  made.setServers([`${address}:${port}`])
  return made
})

const outcome = <A>(look: (by: Resolver) => Promise<A>) =>
  Effect.flatMap(resolver, (by) =>
    Effect.promise(() =>
      look(by).catch((error: unknown) => (error instanceof Error && "code" in error ? error.code : String(error)))
    )
  )

const addresses = (name: string) => outcome((by) => by.resolve4(name))
const longAddresses = (name: string) => outcome((by) => by.resolve6(name))

export const suite = <E>(name: string, layer: Layer.Layer<Names, E>, needed: ReturnType<typeof needs> = {}) =>
  describe(`Names (${name})`, needed, () => {
    it.layer(layer, { timeout: "30 seconds", excludeTestServices: true })((it) => {
      const live = (title: string, test: Effect.Effect<void, never, Names>) => it.effect(title, () => test)

      live(
        "a name of our own has its address, however it is written",
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* addresses("gateway"), [own.gateway])
          assert.deepStrictEqual(yield* addresses("s3-storage"), [own.store])
          assert.deepStrictEqual(yield* addresses("S3-Storage."), [own.store])
        })
      )

      live(
        "every bucket of the store is a name, those with dots too",
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* addresses("photos.s3-storage"), [own.store])
          assert.deepStrictEqual(yield* addresses("my.photos.s3-storage"), [own.store])
          assert.deepStrictEqual(yield* addresses("PHOTOS.s3-storage"), [own.store])
        })
      )

      live(
        "a name of our own has no IPv6 address, and exists all the same",
        Effect.gen(function* () {
          const { server } = yield* Names
          for (const name of ["gateway", "s3-storage", "photos.s3-storage"]) {
            assert.strictEqual(yield* longAddresses(name), "ENODATA")
            const told = yield* NameClient.ask(server, name, "AAAA")
            assert.strictEqual(told?.rcode, "NOERROR")
            assert.deepStrictEqual(
              told?.authorities?.map(({ type }) => type),
              ["SOA"]
            )
          }
        })
      )

      live(
        "nothing else exists below a name of our own",
        Effect.gen(function* () {
          assert.strictEqual(yield* addresses("x.gateway"), "ENOTFOUND")
          assert.strictEqual(yield* longAddresses("x.y.gateway"), "ENOTFOUND")
        })
      )

      live(
        "all other names are what others say of them",
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* addresses(NameUpstream.known.name), [NameUpstream.known.address])
          assert.deepStrictEqual(yield* longAddresses(NameUpstream.known.name), [NameUpstream.known.longAddress])
          assert.strictEqual(yield* addresses("absent.test"), "ENOTFOUND")
        })
      )

      live(
        "connections get the same answers, one after the other",
        Effect.gen(function* () {
          const { server } = yield* Names
          const asked = ["gateway", "photos.s3-storage", NameUpstream.known.name, "x.gateway"]
          const sent = asked.map((each) => NameClient.framed(NameClient.query(each, "A")))
          const answers = yield* NameClient.byConnection(server, Buffer.concat(sent), asked.length)
          const told = answers.map(NameClient.read)
          const of = (each: string) => told.find(({ questions }) => questions?.[0]?.name === each)
          assert.deepStrictEqual(
            asked.map((each) => NameClient.dataOf(of(each))),
            [[own.gateway], [own.store], [NameUpstream.known.address], []]
          )
          assert.strictEqual(of("x.gateway")?.rcode, "NXDOMAIN")
        })
      )

      live(
        "an answer that does not fit into a datagram is said to be cut, and whole by a connection",
        Effect.gen(function* () {
          const { server } = yield* Names
          const cut = yield* NameClient.ask(server, NameUpstream.long.name, "TXT")
          assert.isTrue(cut?.flag_tc)
          const whole = yield* outcome((by) => by.resolveTxt(NameUpstream.long.name))
          assert.deepStrictEqual(whole, [NameUpstream.long.text])
        })
      )

      live(
        "where nobody else answers, other names fail and our own do not",
        Effect.gen(function* () {
          const { alone } = yield* Names
          assert.strictEqual((yield* NameClient.ask(alone, NameUpstream.known.name, "A"))?.rcode, "SERVFAIL")
          assert.deepStrictEqual(NameClient.dataOf(yield* NameClient.ask(alone, "gateway", "A")), [own.gateway])
        })
      )
    })
  })
