/** What every bucket store promises, whichever technology keeps the buckets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { isSameLifecycle, type LifecycleRule } from "#domain/Bucket"
import { BucketStore } from "#services/BucketStore"

const rule = (more: Partial<LifecycleRule> = {}): LifecycleRule => ({
  id: "old",
  isEnabled: true,
  prefix: "tmp/",
  expirationDays: 3,
  ...more
})

export interface Options {
  /** A store that has no lifecycle rules is expected to say so. */
  readonly hasLifecycle: boolean
  readonly skip?: boolean
}

export const suite = (name: string, layer: Layer.Layer<BucketStore, unknown>, options: Options) => {
  const { hasLifecycle, ...needed } = options
  return describe(`BucketStore (${name})`, needed, () => {
    const promises = (title: string, body: (store: BucketStore["Service"]) => Effect.Effect<void, unknown>) =>
      it.live(title, () => Effect.flatMap(BucketStore, body).pipe(Effect.provide(layer)))

    promises("a bucket is there once it was made, and is not made twice", (store) =>
      Effect.gen(function* () {
        assert.isFalse(yield* store.exists("esb-files"))
        yield* store.create("esb-files")
        assert.isTrue(yield* store.exists("esb-files"))
        assert.strictEqual((yield* Effect.flip(store.create("esb-files")))._tag, "BucketExists")
        assert.isFalse(yield* store.exists("esb-file"))
      })
    )

    if (!hasLifecycle) {
      promises("lifecycle rules are refused by name, read or written", (store) =>
        Effect.gen(function* () {
          yield* store.create("esb-files")
          for (const asked of [store.lifecycle("esb-files"), store.replaceLifecycle("esb-files", [rule()])]) {
            const failure = yield* Effect.flip(asked)
            assert.strictEqual(failure._tag, "StoreRefused")
            assert.match(failure.message, /refuses (Get|Put)BucketLifecycleConfiguration esb-files: NotImplemented: /)
          }
        })
      )
      return
    }

    promises("a new bucket has no rules; what was written is read, and a second writing replaces the first", (store) =>
      Effect.gen(function* () {
        yield* store.create("esb-files")
        assert.deepStrictEqual(yield* store.lifecycle("esb-files"), [])
        const first = [rule(), rule({ id: "all", prefix: "", expirationDays: 30, isEnabled: false })]
        yield* store.replaceLifecycle("esb-files", first)
        assert.isTrue(isSameLifecycle(first, yield* store.lifecycle("esb-files")))
        const second = [rule({ expirationDays: 4 })]
        assert.isFalse(isSameLifecycle(second, yield* store.lifecycle("esb-files")))
        yield* store.replaceLifecycle("esb-files", second)
        assert.deepStrictEqual(yield* store.lifecycle("esb-files"), second)
      })
    )

    promises("a rule without an id is given one, and is still the same rule", (store) =>
      Effect.gen(function* () {
        yield* store.create("esb-files")
        const wanted = [rule({ id: undefined })]
        yield* store.replaceLifecycle("esb-files", wanted)
        const [stored] = yield* store.lifecycle("esb-files")
        assert.isString(stored?.id)
        assert.isTrue(isSameLifecycle(wanted, [stored]))
      })
    )

    promises("an empty list takes the rules away", (store) =>
      Effect.gen(function* () {
        yield* store.create("esb-files")
        yield* store.replaceLifecycle("esb-files", [rule()])
        yield* store.replaceLifecycle("esb-files", [])
        assert.deepStrictEqual(yield* store.lifecycle("esb-files"), [])
      })
    )

    promises("the rules of a bucket that is not there are not found", (store) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(store.lifecycle("esb-none")))._tag, "BucketNotFound")
      })
    )
  })
}
