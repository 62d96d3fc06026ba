/** Our runtime clients as commands: the Node client bundled as for `dist`, the Python client from its sources. */
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Effect, Scope } from "effect"
import { afterAll } from "vitest"
import { type ClientCommand, type ClientWorker, start } from "./ClientWorker.ts"
import { pathOf } from "#test/support/Engines"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** Handlers to run, one folder per language. */
export const samples = (language: "node" | "python", ...path: ReadonlyArray<string>) =>
  join(repository, "test/samples/clients", language, ...path)

export type ClientOptions = Partial<Pick<ClientCommand, "taskRoot" | "environment" | "outputFile" | "holdsOutput">>

/** Starts a worker with this handler. */
export type StartClient = (handler: string, options?: ClientOptions) => Effect.Effect<ClientWorker, never, Scope.Scope>

const home = mkdtempSync(join(tmpdir(), "esb-node-client-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

let bundled: Promise<string> | undefined

/** Built once per test file, the way `npm run build` does it. */
const bundledNodeClient = () =>
  (bundled ??= (async () => {
    const outfile = join(home, "node.mjs")
    await build({
      entryPoints: [join(repository, "src/layers/process/clients/node/main.ts")],
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node18",
      outfile
    })
    return outfile
  })())

/** The client on one Node, for a function that declares the runtime of one of AWS's generations. */
export const nodeClient = async (interpreter: string, runtime: "nodejs22.x" | "nodejs24.x"): Promise<StartClient> => {
  const client = await bundledNodeClient()
  return (handler, { taskRoot = samples("node"), environment, ...output } = {}) =>
    start({
      command: interpreter,
      arguments: [client],
      taskRoot,
      handler,
      ...output,
      environment: { AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`, ...environment }
    })
}

export const versionOfNode = (interpreter: string) =>
  spawnSync(interpreter, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.trim()

let python: string | undefined

/** A version manager puts a slow script in front of the interpreter; a worker is started without it. */
const pythonItself = () =>
  (python ??= spawnSync(pathOf("python"), ["-c", "import sys; print(sys.executable)"], {
    encoding: "utf8"
  }).stdout.trim())

export const pythonClient = (runtime: "python3.11" | "python3.13"): StartClient => {
  const interpreter = pythonItself()
  return (handler, { taskRoot = samples("python"), environment, ...output } = {}) =>
    start({
      command: interpreter,
      arguments: [join(repository, "src/layers/process/clients/python/bootstrap.py")],
      taskRoot,
      handler,
      ...output,
      environment: {
        AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
        PYTHONDONTWRITEBYTECODE: "1",
        ...environment
      }
    })
}
