import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SourceWatch from "#programs/esb/SourceWatch"

const directory = () => mkdtempSync(join(tmpdir(), "esb-SourceWatch-"))

const unexpected = (line: string) => assert.fail(line)

/** Whether the watch notices what `act` does. */
const notices = Effect.fnUntraced(function* (watch: SourceWatch.SourceWatch, act: () => void) {
  act()
  const noticed = yield* Effect.timeoutOption(watch.changed, "500 millis")
  return noticed._tag === "Some"
})

describe("SourceWatch", () => {
  it.live("notices what is written, moved, made and removed, also in new directories", () =>
    Effect.gen(function* () {
      const root = directory()
      mkdirSync(join(root, "lib"))
      const watch = yield* SourceWatch.make(unexpected)
      yield* watch.follow([root])
      const file = join(root, "lib/a.js")
      assert.isTrue(yield* notices(watch, () => writeFileSync(file, "1")))
      assert.isTrue(yield* notices(watch, () => writeFileSync(file, "2")))
      assert.isTrue(yield* notices(watch, () => renameSync(file, join(root, "lib/b.js"))))
      assert.isTrue(yield* notices(watch, () => mkdirSync(join(root, "new"))))
      assert.isTrue(yield* notices(watch, () => writeFileSync(join(root, "new/c.js"), "1")))
      assert.isTrue(yield* notices(watch, () => rmSync(join(root, "new"), { recursive: true })))
      yield* notices(watch, () => mkdirSync(join(root, "new")))
      assert.isTrue(yield* notices(watch, () => writeFileSync(join(root, "new/d.js"), "1")))
    }).pipe(Effect.scoped)
  )

  it.live("does not look into installed packages, nor at files beside a single one", () =>
    Effect.gen(function* () {
      const root = directory()
      mkdirSync(join(root, "src/node_modules/a"), { recursive: true })
      mkdirSync(join(root, "layer/nodejs/node_modules/a"), { recursive: true })
      writeFileSync(join(root, "src/package.json"), "{}")
      writeFileSync(join(root, "template.yaml"), "")
      const watch = yield* SourceWatch.make(unexpected)
      yield* watch.follow([join(root, "src"), join(root, "layer"), join(root, "template.yaml")])
      assert.isFalse(yield* notices(watch, () => writeFileSync(join(root, "src/node_modules/a/index.js"), "1")))
      assert.isTrue(yield* notices(watch, () => writeFileSync(join(root, "layer/nodejs/node_modules/a/index.js"), "1")))
      assert.isFalse(yield* notices(watch, () => writeFileSync(join(root, "other.txt"), "1")))
      assert.isTrue(yield* notices(watch, () => writeFileSync(join(root, "template.yaml"), "1")))
    }).pipe(Effect.scoped)
  )

  it.live("takes a burst of changes for one", () =>
    Effect.gen(function* () {
      const root = directory()
      const watch = yield* SourceWatch.make(unexpected)
      yield* watch.follow([root])
      const burst = () => Array.from({ length: 50 }, (_, index) => writeFileSync(join(root, `${index}.js`), "1"))
      assert.isTrue(yield* notices(watch, burst))
      assert.isFalse(yield* notices(watch, () => undefined))
    }).pipe(Effect.scoped)
  )

  it.live("forgets what it is no longer asked to follow", () =>
    Effect.gen(function* () {
      const [one, other] = [directory(), directory()]
      const watch = yield* SourceWatch.make(unexpected)
      yield* watch.follow([one])
      yield* watch.follow([other])
      assert.isFalse(yield* notices(watch, () => writeFileSync(join(one, "a.js"), "1")))
      assert.isTrue(yield* notices(watch, () => writeFileSync(join(other, "a.js"), "1")))
    }).pipe(Effect.scoped)
  )
})
