/** A Gateway and an Agent that an authority of the test's own has certified, without files. */
import { Effect, Layer, PubSub, Stream } from "effect"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import * as Leaves from "#layers/x509/Leaves"
import { type CertificateBundle, Certificates } from "#services/Certificates"

const hourMs = 3_600_000

/** An hour about now. */
const period = (): CertificateAuthority.Period => ({
  from: new Date(Date.now() - hourMs / 2),
  to: new Date(Date.now() + hourMs / 2)
})

/** One side of the connection, whose bundle a test may replace. */
export interface Side {
  readonly layer: Layer.Layer<Certificates>
  /** A new key and certificate of the same authority take the place of those in use. */
  readonly renew: Effect.Effect<void>
}

const sideOf = Effect.fnUntraced(function* (authority: CertificateAuthority.Issued, leaf: CertificateAuthority.Leaf) {
  const issue = CertificateAuthority.issue(authority, leaf, period()).pipe(
    Effect.map((issued): CertificateBundle => ({ ...issued, authority: authority.certificate })),
    Effect.orDie
  )
  const changes = yield* PubSub.sliding<CertificateBundle>(1)
  let current = yield* issue
  const renew = Effect.flatMap(issue, (bundle) => {
    current = bundle
    return PubSub.publish(changes, bundle)
  })
  return {
    layer: Layer.succeed(
      Certificates,
      Certificates.of({ current: () => current, changes: Stream.fromPubSub(changes) })
    ),
    renew: Effect.asVoid(renew)
  } satisfies Side
})

export const make = Effect.gen(function* () {
  const authority = yield* CertificateAuthority.make("Authority of a test", period())
  return { agent: yield* sideOf(authority, Leaves.server([])), gateway: yield* sideOf(authority, Leaves.gateway) }
})
