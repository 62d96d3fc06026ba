import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Zip } from "effect/encoding"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { StackLayer } from "#domain/Stack"
import * as LocalFunctionBuilder from "#layers/build/LocalFunctionBuilder"
import { type BuildRequest, FunctionBuilder } from "#services/FunctionBuilder"
import { needs, pathOf } from "#test/support/Engines"

const temporary = (name: string) => mkdtempSync(join(tmpdir(), `esb-FunctionBuilder-${name}-`))

const write = (root: string, files: Record<string, string | Uint8Array>) => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

/** A template's directory with these files. */
const project = (files: Record<string, string | Uint8Array>) => write(temporary("project"), files)

const zip = (entries: ReadonlyArray<Zip.ContentEntry>) =>
  Stream.fromIterable(entries).pipe(
    Stream.pipeThroughChannel(Zip.encode()),
    Stream.runCollect,
    Effect.map(Buffer.concat)
  )

/** Marks an entry of an archive as a symbolic link, whose content is its target. */
const asLinks = (path: string) => (archive: Buffer) => {
  const central = Buffer.from([0x50, 0x4b, 0x01, 0x02])
  for (let at = archive.indexOf(central); at !== -1; at = archive.indexOf(central, at + 4)) {
    const name = archive.toString("utf8", at + 46, at + 46 + archive.readUInt16LE(at + 28))
    if (name === path) archive.writeUInt32LE((0o120777 << 16) >>> 0, at + 38)
  }
  return archive
}

type ZipCode = Extract<BuildRequest["code"], { readonly _tag: "Zip" }>

const request = (
  templateDirectory: string,
  code: Partial<ZipCode> = {},
  layers: ReadonlyArray<StackLayer> = []
): BuildRequest & { readonly steps: ReadonlyArray<string> } => {
  const steps: Array<string> = []
  return {
    logicalId: "Orders",
    code: {
      _tag: "Zip",
      codeUri: "src",
      handler: "app.handler",
      runtime: "nodejs24.x",
      layers: [],
      buildMethod: undefined,
      buildProperties: {},
      ...code
    },
    layers,
    templateDirectory,
    progress: (step) => steps.push(step),
    steps
  }
}

/** A registry that refuses every connection, so that what needs one fails at once. */
const offline = () => {
  const home = temporary("offline")
  write(home, { ".npmrc": "registry=http://127.0.0.1:1/\nfetch-retries=0\n" })
  return { ...process.env, HOME: home, PIP_INDEX_URL: "http://127.0.0.1:1/", PIP_RETRIES: "0" }
}

const build = (wanted: BuildRequest) =>
  Effect.gen(function* () {
    const builder = yield* FunctionBuilder
    return yield* builder.build(wanted)
  })

const names = (directory: string) => readdirSync(directory).toSorted()
const text = (...parts: ReadonlyArray<string>) => readFileSync(join(...parts), "utf8")

const local = () =>
  Layer.fresh(
    LocalFunctionBuilder.layer({
      home: temporary("home"),
      environment: offline(),
      python: () => Effect.sync(() => ({ path: pathOf("python"), version: "3" }))
    })
  ).pipe(Layer.orDie)

const suite = (name: string, layer: () => Layer.Layer<FunctionBuilder>) =>
  describe(`FunctionBuilder (${name})`, () => {
    const test = (title: string, body: () => Effect.Effect<void, unknown, FunctionBuilder>, options = {}) =>
      it.live(title, () => Effect.suspend(body).pipe(Effect.provide(layer())), options)

    test("uses a directory that lacks nothing as it is", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.mjs": "export const handler = () => 1" })
        const wanted = request(root)
        const built = yield* build(wanted)
        assert.deepStrictEqual(built.sources, { taskDirectory: join(root, "src"), layerDirectories: [] })
        assert.deepStrictEqual(wanted.steps, [])
      }))

    test("leaves out what is foreign to a function", () =>
      Effect.gen(function* () {
        const root = project({ "app.mjs": "1", ".git/HEAD": "x", ".esb/run.json": "x", "lib/__pycache__/a.pyc": "x" })
        const { sources } = yield* build(request(root, { codeUri: "./" }))
        assert.deepStrictEqual(names(sources.taskDirectory), ["app.mjs", "lib"])
        assert.deepStrictEqual(names(join(sources.taskDirectory, "lib")), [])
      }))

    test("gives one key to what has not changed, and another when a file is written", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.mjs": "1" })
        const before = yield* build(request(root))
        assert.strictEqual((yield* build(request(root))).key, before.key)
        write(root, { "src/app.mjs": "2" })
        assert.notStrictEqual((yield* build(request(root))).key, before.key)
      }))

    test("unpacks an archive with its execute bits", () =>
      Effect.gen(function* () {
        const archive = yield* zip([
          Zip.file("bootstrap", "#!/bin/sh\n", { mode: 0o755 }),
          Zip.directory("lib/"),
          Zip.file("lib/a.txt", "a".repeat(10_000))
        ])
        const root = project({ "code.zip": archive })
        const { sources } = yield* build(request(root, { codeUri: "code.zip", runtime: "provided.al2023" }))
        assert.strictEqual(statSync(join(sources.taskDirectory, "bootstrap")).mode & 0o777, 0o755)
        assert.strictEqual(text(sources.taskDirectory, "lib/a.txt"), "a".repeat(10_000))
      }))

    test("refuses an archive whose entries lead out of it, and one that is none", () =>
      Effect.gen(function* () {
        const archive = yield* zip([Zip.file("aa/../b.txt", "b")])
        const evil = Buffer.from(archive.toString("latin1").replaceAll("aa/../b.txt", "../../b.txt"), "latin1")
        const root = project({ "evil.zip": evil, "none.zip": "not a zip" })
        const escaped = yield* Effect.flip(build(request(root, { codeUri: "evil.zip" })))
        assert.match(String(escaped), /evil\.zip cannot be unpacked: "\.\.\/\.\.\/b\.txt" leads out of it/)
        const none = yield* Effect.flip(build(request(root, { codeUri: "none.zip" })))
        assert.match(String(none), /it is not a zip archive/)
      }))

    test("keeps links inside of an archive and refuses those that lead out of it", () =>
      Effect.gen(function* () {
        const archive = (target: string) =>
          Effect.map(zip([Zip.file("lib/a.txt", "a"), Zip.file("lib/link", target)]), asLinks("lib/link"))
        const root = project({ "good.zip": yield* archive("a.txt"), "evil.zip": yield* archive("../../b.txt") })
        const { sources } = yield* build(request(root, { codeUri: "good.zip" }))
        assert.strictEqual(readlinkSync(join(sources.taskDirectory, "lib/link")), "a.txt")
        const failure = yield* Effect.flip(build(request(root, { codeUri: "evil.zip" })))
        assert.match(String(failure), /leads out of it/)
      }))

    test("takes a single file", () =>
      Effect.gen(function* () {
        const root = project({ "app.py": "def handler(e, c): return 1", "other.txt": "x" })
        const { sources } = yield* build(request(root, { codeUri: "app.py", runtime: "python3.13" }))
        assert.deepStrictEqual(names(sources.taskDirectory), ["app.py"])
      }))

    test("writes inline code to the file that its runtime looks for", () =>
      Effect.gen(function* () {
        const inline = (runtime: string): BuildRequest => ({
          ...request("/"),
          code: { _tag: "Inline", source: "code", handler: "index.handler", runtime, layers: [] }
        })
        const node = yield* build(inline("nodejs22.x"))
        assert.strictEqual(text(node.sources.taskDirectory, "index.js"), "code")
        const python = yield* build(inline("python3.12"))
        assert.strictEqual(text(python.sources.taskDirectory, "index.py"), "code")
      }))

    test("says which property names nothing", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(build(request(project({}), { codeUri: "gone" })))
        assert.match(String(failure), /Orders: CodeUri gone cannot be read: ENOENT/)
      }))

    test("uses what sam build made while it is newer than the source", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.mjs": "source" })
        utimesSync(join(root, "src/app.mjs"), 1, 1)
        write(root, { ".aws-sam/build/Orders/app.mjs": "built" })
        const fresh = yield* build(request(root))
        assert.strictEqual(fresh.sources.taskDirectory, join(root, ".aws-sam/build/Orders"))
        utimesSync(join(root, ".aws-sam/build/Orders"), 2, 2)
        write(root, { "src/app.mjs": "edited" })
        const stale = yield* build(request(root))
        assert.strictEqual(stale.sources.taskDirectory, join(root, "src"))
      }))

    test("refuses a build method it does not run, and says what to do", () =>
      Effect.gen(function* () {
        const root = project({ "src/main.go": "package main" })
        const failure = yield* Effect.flip(build(request(root, { runtime: "provided.al2023", buildMethod: "go1.x" })))
        assert.match(String(failure), /BuildMethod go1\.x is not run here: run "sam build"/)
      }))

    test("installs the packages of package.json when node_modules lacks them", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.mjs": "import a from 'a'",
          "src/package.json": JSON.stringify({ type: "module", dependencies: { a: "file:../a" } }),
          "a/package.json": JSON.stringify({ name: "a", version: "1.0.0" }),
          "a/index.js": "module.exports = 1"
        })
        const wanted = request(root)
        const { sources, inputs } = yield* build(wanted)
        assert.strictEqual(text(sources.taskDirectory, "node_modules/a/index.js"), "module.exports = 1")
        assert.strictEqual(text(sources.taskDirectory, "app.mjs"), "import a from 'a'")
        assert.isFalse(existsSync(join(root, "src/node_modules")))
        assert.include(inputs, join(root, "a"))
        assert.lengthOf(wanted.steps, 1)

        write(root, { "src/app.mjs": "// edited" })
        const again = request(root)
        assert.strictEqual(text((yield* build(again)).sources.taskDirectory, "app.mjs"), "// edited")
        assert.deepStrictEqual(again.steps, [], "an edit of the code installs nothing")
      }))

    test("leaves node_modules alone that has what the lock file names, and not one of another version", () =>
      Effect.gen(function* () {
        const lock = { lockfileVersion: 3, packages: { "node_modules/a": { version: "1.0.0" } } }
        const root = project({
          "src/app.mjs": "1",
          "src/package.json": JSON.stringify({ dependencies: { a: "^1.0.0" } }),
          "src/package-lock.json": JSON.stringify(lock),
          "src/node_modules/a/package.json": JSON.stringify({ name: "a", version: "1.0.0" })
        })
        assert.strictEqual((yield* build(request(root))).sources.taskDirectory, join(root, "src"))
        write(root, { "src/node_modules/a/package.json": JSON.stringify({ name: "a", version: "0.9.0" }) })
        const failure = yield* Effect.flip(build(request(root)))
        assert.match(String(failure), /npm ci .* ended with 1:\n/)
      }))

    test(
      "installs what requirements.txt asks for beside the code, once for the same requirements",
      () =>
        Effect.gen(function* () {
          const wheel = yield* zip([
            Zip.file("demo.py", "x = 1"),
            Zip.file("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
            Zip.file("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            Zip.file("demo-1.0.dist-info/RECORD", "")
          ])
          const root = project({
            "src/app.py": "import demo",
            "src/requirements.txt": "# packages\n./demo-1.0-py3-none-any.whl\n",
            "src/demo-1.0-py3-none-any.whl": wheel
          })
          const python = { runtime: "python3.13" }
          const { sources } = yield* build(request(root, python))
          assert.include(names(sources.taskDirectory), "demo.py")
          assert.include(names(sources.taskDirectory), "app.py")
          write(root, { "src/app.py": "import demo # edited" })
          const again = request(root, python)
          assert.include(text((yield* build(again)).sources.taskDirectory, "app.py"), "edited")
          assert.deepStrictEqual(again.steps, [])
        }),
      needs("python")
    )

    test(
      "fails with the last lines of a tool that fails",
      () =>
        Effect.gen(function* () {
          const root = project({ "src/app.py": "1", "src/requirements.txt": "no-such-package-of-esb==1" })
          const failure = yield* Effect.flip(build(request(root, { runtime: "python3.13" })))
          assert.match(String(failure), /Orders: .*pip install .* ended with 1:\n {2}.*no-such-package-of-esb/s)
        }),
      needs("python")
    )

    test("bundles TypeScript and follows what it imports from elsewhere", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.ts": 'import { two } from "../shared/two.ts"\nexport const handler = async (n: number) => n + two',
          "shared/two.ts": "export const two: number = 2"
        })
        const before = yield* build(request(root))
        assert.deepStrictEqual(names(before.sources.taskDirectory), ["app.js", "app.js.map"])
        assert.deepStrictEqual(before.inputs, [join(root, "src"), join(root, "shared/two.ts")])
        write(root, { "shared/two.ts": "export const two: number = 22" })
        const after = yield* build(request(root))
        assert.notStrictEqual(after.key, before.key)
        assert.include(text(after.sources.taskDirectory, "app.js"), "22")
      }))

    test("bundles an ES module where package.json says module", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.ts": "export const handler = async () => import.meta.url",
          "src/package.json": JSON.stringify({ type: "module" })
        })
        const { sources } = yield* build(request(root))
        assert.include(names(sources.taskDirectory), "app.mjs")
      }))

    test("tells the place of a TypeScript error", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.ts": "export const handler = (\n  oops oops" })
        const failure = yield* Effect.flip(build(request(root)))
        assert.include(String(failure), `${join(root, "src/app.ts")}:2:8`)
      }))

    test("writes source maps that find the sources, wherever the entry points lie", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.ts": 'export { two as handler } from "./deep/er/two.ts"',
          "src/deep/er/two.ts": 'import { three } from "../../../three.ts"\nexport const two = () => three',
          "three.ts": "export const three: number = 3"
        })
        const EntryPoints = ["app.ts", "deep/er/two.ts"]
        const code = { buildMethod: "esbuild", buildProperties: { EntryPoints, Sourcemap: true } }
        const { sources } = yield* build(request(root, code))
        for (const map of ["app.js.map", "deep/er/two.js.map"]) {
          const { sourceRoot, sources: paths } = JSON.parse(text(sources.taskDirectory, map))
          const found = paths.map((path: string) => join(sourceRoot, path))
          assert.include(found, join(root, "src/deep/er/two.ts"))
          assert.include(found, join(root, "three.ts"))
        }
      }))

    test("refuses what esbuild is not told in this way, property by property", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.ts": "export const handler = 1" })
        const buildProperties = { Minifyy: true, EntryPoints: "app.ts" }
        const { message } = yield* Effect.flip(build(request(root, { buildMethod: "esbuild", buildProperties })))
        const lines = message.split("\n").toSorted()
        assert.lengthOf(lines, 2)
        assert.match(message, /^Orders: BuildProperties/)
        assert.match(message, /BuildProperties\.EntryPoints: Expected array/)
        assert.match(message, /BuildProperties\.Minifyy: not known; did you mean "Minify"\?/)
      }))

    test("leaves an SDK that is not installed to the runtime, and warns when it cannot be fetched", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.ts": 'import { S3 } from "@aws-sdk/client-s3"\nexport const handler = () => S3'
        })
        const { sources, warnings } = yield* build(request(root))
        assert.include(text(sources.taskDirectory, "app.js"), 'require("@aws-sdk/client-s3")')
        assert.lengthOf(warnings, 1)
        assert.match(warnings[0] ?? "", /the code uses @aws-sdk\/client-s3, not installed, and it could not be fetched/)
      }))

    const layerOf = (contentUri: string, buildMethod?: string): StackLayer => ({
      logicalId: "Shared",
      name: "shared",
      contentUri,
      buildMethod
    })

    test("takes layers as they are, in their order", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.mjs": "1", "one/nodejs/a.js": "1", "two/nodejs/a.js": "2" })
        const { sources } = yield* build(request(root, {}, [layerOf("one"), layerOf("two")]))
        assert.deepStrictEqual(sources.layerDirectories, [join(root, "one"), join(root, "two")])
      }))

    test("lays a layer out for its runtime when it is built", () =>
      Effect.gen(function* () {
        const root = project({
          "src/app.mjs": "1",
          "layer/package.json": JSON.stringify({ dependencies: { a: "file:./a" } }),
          "layer/a/package.json": JSON.stringify({ name: "a", version: "1.0.0" }),
          "bare/shared.py": "x = 1"
        })
        const node = yield* build(request(root, {}, [layerOf("layer", "nodejs24.x")]))
        assert.isTrue(existsSync(join(node.sources.layerDirectories[0] ?? "", "nodejs/node_modules/a/package.json")))
        const python = yield* build(request(root, { runtime: "python3.13" }, [layerOf("bare")]))
        assert.deepStrictEqual(names(python.sources.layerDirectories[0] ?? ""), ["python"])
      }))

    test("names the layer whose content is not there", () =>
      Effect.gen(function* () {
        const root = project({ "src/app.mjs": "1" })
        const failure = yield* Effect.flip(build(request(root, {}, [layerOf("gone")])))
        assert.match(String(failure), /Shared: ContentUri gone cannot be read/)
      }))

    test("builds equal packages once when asked at the same time", () =>
      Effect.gen(function* () {
        const files = {
          "app.mjs": "1",
          "package.json": JSON.stringify({ dependencies: { a: "file:../a" } })
        }
        const root = project({ "a/package.json": JSON.stringify({ name: "a", version: "1.0.0" }) })
        const wanted = ["one", "two", "three"].map((name) => {
          write(join(root, name), files)
          return request(root, { codeUri: name })
        })
        yield* Effect.forEach(wanted, build, { concurrency: "unbounded" })
        assert.lengthOf(
          wanted.flatMap(({ steps }) => steps),
          1
        )
      }))
  })

suite("local", local)
