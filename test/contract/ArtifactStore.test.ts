import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { createRequire } from "node:module"
import { dirname, join, sep } from "node:path"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as MemoryArtifactStore from "#layers/memory/MemoryArtifactStore"
import { ArtifactStore } from "#services/ArtifactStore"

const temporary = (name: string) => mkdtempSync(join(tmpdir(), `esb-ArtifactStore-${name}-`))

/** A directory with these files. */
const directory = (files: Record<string, string>): string => {
  const root = temporary("sources")
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

const code = () => directory({ "index.mjs": "export const handler = () => 1\n", "lib/a.txt": "a" })

const suite = (name: string, layer: Layer.Layer<ArtifactStore>) =>
  describe(`ArtifactStore (${name})`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, ArtifactStore>) =>
      it.live(title, () => body.pipe(Effect.provide(Layer.fresh(layer))))

    test(
      "finds what was put, with its content, under artifact:sha256:<digest>",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const { image } = yield* store.put({ taskDirectory: code(), layerDirectories: [] })
        assert.match(image, /^artifact:sha256:[0-9a-f]{64}$/)
        const found = yield* store.find(image)
        assert.strictEqual(readFileSync(join(found.taskDirectory, "lib/a.txt"), "utf8"), "a")
        assert.isUndefined(found.optDirectory)
      })
    )

    test(
      "gives equal content one name, wherever it lies and whenever it was written",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const one = yield* store.put({ taskDirectory: code(), layerDirectories: [] })
        const other = yield* store.put({ taskDirectory: code(), layerDirectories: [] })
        assert.deepStrictEqual(one, other)
      })
    )

    test(
      "tells content, names, execute bits, links and layers apart",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const executable = code()
        chmodSync(join(executable, "lib/a.txt"), 0o755)
        const linked = code()
        symlinkSync("a.txt", join(linked, "lib/b.txt"))
        const layerDirectory = directory({ "x.txt": "x" })
        const images = yield* Effect.forEach(
          [
            { taskDirectory: code(), layerDirectories: [] },
            { taskDirectory: directory({ "index.mjs": "2", "lib/a.txt": "a" }), layerDirectories: [] },
            { taskDirectory: directory({ "index.mjs": "2", "lib/b.txt": "a" }), layerDirectories: [] },
            { taskDirectory: executable, layerDirectories: [] },
            { taskDirectory: linked, layerDirectories: [] },
            { taskDirectory: code(), layerDirectories: [layerDirectory] }
          ],
          (sources) => Effect.map(store.put(sources), ({ image }) => image)
        )
        assert.strictEqual(new Set(images).size, images.length)
      })
    )

    test(
      "lays layers over one another in their order",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const lower = directory({ "nodejs/a.txt": "lower", "nodejs/b.txt": "lower" })
        const upper = directory({ "nodejs/b.txt": "upper" })
        const { optDirectory = "" } = yield* store.put({ taskDirectory: code(), layerDirectories: [lower, upper] })
        assert.strictEqual(readFileSync(join(optDirectory, "nodejs/a.txt"), "utf8"), "lower")
        assert.strictEqual(readFileSync(join(optDirectory, "nodejs/b.txt"), "utf8"), "upper")
      })
    )

    test(
      "keeps what it took when the source changes afterwards",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const taskDirectory = code()
        const before = yield* store.put({ taskDirectory, layerDirectories: [] })
        writeFileSync(join(taskDirectory, "lib/a.txt"), "changed")
        assert.strictEqual(readFileSync(join(before.taskDirectory, "lib/a.txt"), "utf8"), "a")
        const after = yield* store.put({ taskDirectory, layerDirectories: [] })
        assert.notStrictEqual(after.image, before.image)
      })
    )

    test(
      "refuses a link that leads out of the code",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const taskDirectory = code()
        symlinkSync("../../etc", join(taskDirectory, "etc"))
        const failure = yield* Effect.flip(store.put({ taskDirectory, layerDirectories: [] }))
        assert.strictEqual(failure._tag, "StorageUnavailable")
      })
    )

    test(
      "finds neither unknown digests nor names of another kind",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        for (const image of [
          `artifact:sha256:${"0".repeat(64)}`,
          "artifact:sha256:../..",
          "registry/esb-echo:latest"
        ]) {
          const failure = yield* Effect.flip(store.find(image))
          assert.deepStrictEqual([failure._tag, failure.image], ["ArtifactNotFound", image])
        }
      })
    )

    test(
      "keeps only what it is told to and counts what goes",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const kept = yield* store.put({ taskDirectory: code(), layerDirectories: [] })
        const gone = yield* store.put({ taskDirectory: directory({ a: "a" }), layerDirectories: [] })
        assert.strictEqual(yield* store.keepOnly(new Set([kept.image])), 1)
        yield* store.find(kept.image)
        yield* Effect.flip(store.find(gone.image))
        assert.isFalse(existsSync(gone.taskDirectory))
      })
    )

    test(
      "takes many at once, equal ones included",
      Effect.gen(function* () {
        const store = yield* ArtifactStore
        const contents = [0, 1, 2, 0, 1, 2, 0, 1, 2].map((n) => directory({ a: String(n), [`b${n}`]: "b" }))
        const artifacts = yield* Effect.forEach(
          contents,
          (taskDirectory) => store.put({ taskDirectory, layerDirectories: [] }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(artifacts.map(({ image }) => image)).size, 3)
        for (const { taskDirectory } of artifacts) assert.isTrue(existsSync(join(taskDirectory, "a")))
      })
    )
  })

suite("memory", MemoryArtifactStore.layer)
suite(
  "files",
  Layer.suspend(() => FileArtifactStore.layer(join(temporary("store"), "artifacts")))
)

describe("FileArtifactStore", () => {
  it.live("keeps the module type of packages above the store away from functions", () => {
    const above = directory({ "package.json": '{ "type": "module" }' })
    return Effect.gen(function* () {
      const store = yield* ArtifactStore
      const taskDirectory = directory({ "index.js": "module.exports = require('node:path').sep\n" })
      const { taskDirectory: kept } = yield* store.put({ taskDirectory, layerDirectories: [] })
      assert.strictEqual(createRequire(import.meta.url)(join(kept, "index.js")), sep)
    }).pipe(Effect.provide(FileArtifactStore.layer(join(above, "store"))))
  })

  it.live("replaces an artifact that a power cut left incomplete, and leaves nothing half made behind", () => {
    const root = temporary("store")
    return Effect.gen(function* () {
      const store = yield* ArtifactStore
      const { image, taskDirectory } = yield* store.put({ taskDirectory: code(), layerDirectories: [] })
      chmodSync(join(taskDirectory, "index.mjs"), 0o644)
      writeFileSync(join(taskDirectory, "index.mjs"), "")
      assert.strictEqual((yield* store.put({ taskDirectory: code(), layerDirectories: [] })).image, image)
      assert.include(readFileSync(join(taskDirectory, "index.mjs"), "utf8"), "handler")
      assert.deepStrictEqual(readdirSync(root), [image.slice("artifact:sha256:".length)])
    }).pipe(Effect.provide(FileArtifactStore.layer(root)))
  })

  it.live("clears what a killed process was making, and not what a living one is", () => {
    const root = temporary("store")
    return Effect.gen(function* () {
      const store = yield* ArtifactStore
      mkdirSync(join(root, ".999999999-dead"))
      mkdirSync(join(root, `.${process.pid}-alive`))
      assert.strictEqual(yield* store.keepOnly(new Set()), 0)
      assert.deepStrictEqual(readdirSync(root), [`.${process.pid}-alive`])
    }).pipe(Effect.provide(FileArtifactStore.layer(root)))
  })
})
