/** An owner who speaks keeps its workers, one who is silent for longer than its lease loses them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { OwnerId } from "#domain/Worker"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"

const gateway = OwnerId.make("gateway")
const never = OwnerId.make("never-spoke")

it.effect("an owner is gone once it was silent for longer than the lease, and back when it speaks", () =>
  Effect.gen(function* () {
    const leases = yield* OwnerLeases.OwnerLeases
    yield* TestClock.adjust(5_000)
    leases.seen(gateway)
    yield* TestClock.adjust(10_000)
    assert.isFalse(leases.isGone(gateway))
    yield* TestClock.adjust(1)
    assert.isTrue(leases.isGone(gateway))
    leases.seen(gateway)
    assert.isFalse(leases.isGone(gateway))
  }).pipe(Effect.provide(OwnerLeases.layer({ leaseMs: 10_000 })))
)

it.effect("an owner that was never heard has a lease from the start", () =>
  Effect.gen(function* () {
    const leases = yield* OwnerLeases.OwnerLeases
    yield* TestClock.adjust(10_000)
    assert.isFalse(leases.isGone(never))
    yield* TestClock.adjust(1)
    assert.isTrue(leases.isGone(never))
  }).pipe(Effect.provide(OwnerLeases.layer({ leaseMs: 10_000 })))
)

it.effect("owners without end are not remembered without end, and those heard last are", () =>
  Effect.gen(function* () {
    const leases = yield* OwnerLeases.OwnerLeases
    yield* TestClock.adjust(20_000)
    leases.seen(gateway)
    for (let n = 0; n < 9_999; n += 1) leases.seen(OwnerId.make(`owner-${n}`))
    leases.seen(gateway)
    for (let n = 0; n < 9_999; n += 1) leases.seen(OwnerId.make(`another-${n}`))
    assert.isFalse(leases.isGone(gateway))
    assert.isTrue(leases.isGone(OwnerId.make("owner-0")))
  }).pipe(Effect.provide(OwnerLeases.layer({ leaseMs: 10_000 })))
)
