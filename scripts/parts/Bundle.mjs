/** What `npm run build` makes of `src`, and whether what lies in `dist` is still that. */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Refusal } from "./Refusal.mjs"

/** Programs and threads that the chosen Node runs. */
const servers = {
  gateway: "src/programs/gateway/main.ts",
  agent: "src/programs/agent/main.ts",
  provisioner: "src/programs/provisioner/main.ts",
  "runtime-node": "src/programs/runtime-node/main.ts",
  fence: "src/programs/fence/main.ts",
  health: "src/programs/health/main.ts",
  "sqlite-thread": "src/layers/sqlite/SqliteThread.ts"
}

/** The command line loads only what the command at hand needs: `esb --version` has 0.15 s. */
const commandLine = { esb: "src/programs/esb/main.ts" }

/** Runs beside a function's own code, on whichever Node that function asks for. */
const nodeClient = { "clients/node": "src/layers/process/clients/node/main.ts" }

/** A part is read when it is needed. Parts lie beside the entry, so that `import.meta.url` names `dist` in every module. */
const inParts = (name) => ({ splitting: true, chunkNames: `${name}-[hash]` })

const pythonClient = "src/layers/process/clients/python"

const entries = { ...servers, ...commandLine, ...nodeClient }

/** Some bundled packages still call `require`; the alias keeps clear of a module that makes its own. */
const requireBanner = `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`

const filesUnder = (directory) =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name !== "__pycache__" && !entry.name.endsWith(".pyc"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()

/** What `ESB_VERSION` in the sources becomes: the release, and the commit where the checkout is one: `0.1.0+684d939`. */
const versionOf = (root) => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short=7", "HEAD"], { cwd: root, encoding: "utf8" })
  return status === 0 ? `${version}+${stdout.trim()}` : version
}

const digestOf = (root) => {
  const hash = createHash("sha256")
  const files = [
    ...filesUnder(join(root, "src")),
    ...["package.json", "package-lock.json"].map((name) => join(root, name))
  ]
  for (const file of [...files, join(root, "scripts/parts/Bundle.mjs")]) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update("\0")
  }
  return hash.update(versionOf(root)).digest("hex")
}

/** Whether `dist` was made from the sources that are here now, by their content and not by their age. */
export const isBuilt = (root) => {
  const stamp = join(root, "dist/.stamp")
  return existsSync(stamp) && readFileSync(stamp, "utf8") === digestOf(root)
}

/** Source files that a bundle starts from and that are not there. */
const missingSources = (root) =>
  [...Object.values(entries), pythonClient].filter((path) => !existsSync(join(root, path)))

/**
 * Bundles into `dist`, which is replaced in one step and only by a build that went well. Returns the sources that
 * were missing; what does not depend on them is built all the same.
 */
export const bundle = async (root) => {
  const { build, stop } = await import("esbuild")
  const digest = digestOf(root)
  const missing = missingSources(root)
  const fresh = join(root, `.dist-${process.pid}`)
  const present = (record) => Object.fromEntries(Object.entries(record).filter(([, path]) => !missing.includes(path)))

  const shared = {
    absWorkingDir: root,
    outdir: fresh,
    bundle: true,
    format: "esm",
    platform: "node",
    // Native add-ons of ssh2, which dockerode brings, are optional: it asks for them and goes on without.
    external: ["esbuild", "*.node"],
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
    define: { ESB_VERSION: JSON.stringify(versionOf(root)) }
  }
  const onChosenNode = {
    ...shared,
    target: "node24",
    banner: { js: requireBanner },
    // Some bundled packages look for files beside themselves; modules have no `__dirname`.
    define: { ...shared.define, __dirname: "import.meta.dirname" }
  }

  try {
    await Promise.all([
      build({ ...onChosenNode, entryPoints: present(servers), ...inParts("server") }),
      build({ ...onChosenNode, entryPoints: present(commandLine), ...inParts("esb") }),
      build({ ...shared, entryPoints: present(nodeClient), target: "node18", outExtension: { ".js": ".mjs" } })
    ])
    if (!missing.includes(pythonClient)) {
      cpSync(join(root, pythonClient), join(fresh, "clients/python"), {
        recursive: true,
        filter: (source) => !source.includes("__pycache__")
      })
    }
    mkdirSync(fresh, { recursive: true })
    if (missing.length === 0) writeFileSync(join(fresh, ".stamp"), digest)
    const old = `${fresh}.old`
    if (existsSync(join(root, "dist"))) renameSync(join(root, "dist"), old)
    renameSync(fresh, join(root, "dist"))
    rmSync(old, { recursive: true, force: true })
  } catch (error) {
    // esbuild has told each error with its place already.
    throw Array.isArray(error.errors) ? new Refusal(`dist was not built: ${error.errors.length} errors.`) : error
  } finally {
    // esbuild's own process would live as long as this one, which may go on to run a stack.
    await stop()
    rmSync(fresh, { recursive: true, force: true })
  }
  return missing
}
