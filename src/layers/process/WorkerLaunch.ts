/** What exactly is started for a worker: the program, its arguments, and every variable it sees. */
import { randomBytes } from "node:crypto"
import { delimiter, dirname, join } from "node:path"
import { type Family, type Interpreter, written } from "#domain/Interpreter"
import * as LogStreamName from "#domain/LogStreamName"
import type { Artifact } from "#services/ArtifactStore"
import type { ProcessSettings } from "./ProcessSettings.ts"
import * as WorkerCache from "./WorkerCache.ts"
import type { WorkerDirectory } from "./WorkerDirectory.ts"
import type { WorkerPlan } from "./WorkerPlan.ts"

type Words = readonly [string, ...ReadonlyArray<string>]
type Environment = Readonly<Record<string, string>>

/** Where AWS puts things, in the values that users write. Here they lie elsewhere. */
const atHome =
  ({ optDirectory, taskDirectory }: Artifact) =>
  (value: string): string =>
    value.replaceAll(/(?<=^|:)\/(opt|var\/task)(?=\/|:|$)/g, (whole, place: string) =>
      place === "opt" ? (optDirectory ?? whole) : taskDirectory
    )

/** A list of directories: the user's own first, ours behind them. */
const pathList = (user: string | undefined, ours: ReadonlyArray<string | undefined>): string =>
  [user, ...ours].filter((entry) => entry !== undefined && entry !== "").join(delimiter)

/** What the heap may take; the rest of the memory is for buffers, stacks and code, as AWS divides it. */
const heapShare = 0.9

const clientOf: Record<Family, (plan: WorkerPlan, interpreter: Interpreter, clients: string) => Words> = {
  node: ({ settings }, { path }, clients) => [
    path,
    `--max-old-space-size=${Math.floor(settings.memoryMiB * heapShare)}`,
    join(clients, "node.mjs")
  ],
  python: (_plan, { path }, clients) => [path, join(clients, "python/bootstrap.py")]
}

/** The program. A wrapper script of the user's is started in its place, with the program as its arguments. */
export const words = (plan: WorkerPlan, processSettings: ProcessSettings): Words => {
  const { artifact, engine, spec } = plan
  if (engine._tag === "Bootstrap") return [engine.path]
  const program = clientOf[engine.need.family](plan, engine.interpreter, processSettings.clientsDirectory)
  const wrapper = spec.environment["AWS_LAMBDA_EXEC_WRAPPER"]
  return wrapper === undefined || wrapper === "" ? program : [atHome(artifact)(wrapper), ...program]
}

/** Where modules are found: the function's own value, its layers, and the SDK that AWS has preinstalled. */
const searchPaths: Record<
  Family,
  (plan: WorkerPlan, processSettings: ProcessSettings, user: Environment) => Environment
> = {
  node: ({ artifact: { image, optDirectory: opt }, engine }, { sdk, stateDirectory }, user) => {
    const major = engine._tag === "Interpreter" ? engine.need.version.major : 0
    const layers =
      opt === undefined ? [] : [join(opt, `nodejs/node${major}/node_modules`), join(opt, "nodejs/node_modules")]
    return {
      NODE_COMPILE_CACHE: user["NODE_COMPILE_CACHE"] ?? join(WorkerCache.of(stateDirectory, image), "node"),
      NODE_PATH: pathList(user["NODE_PATH"], [...layers, sdk.node])
    }
  },
  python: ({ artifact: { image, optDirectory: opt, taskDirectory }, engine }, { sdk, stateDirectory }, user) => {
    const version =
      engine._tag === "Interpreter" ? written("python", engine.need.version).replace("Python ", "python") : ""
    const layers = opt === undefined ? [] : [join(opt, "python"), join(opt, `python/lib/${version}/site-packages`)]
    return {
      // Artifacts are shared and do not change: what Python compiles goes elsewhere.
      PYTHONPYCACHEPREFIX: user["PYTHONPYCACHEPREFIX"] ?? join(WorkerCache.of(stateDirectory, image), "python"),
      PYTHONPATH: pathList(user["PYTHONPATH"], [taskDirectory, ...layers, sdk.python])
    }
  }
}

/** Nothing of ours but what is written here: a worker does not inherit this process's environment. */
export const environment = (
  plan: WorkerPlan,
  processSettings: ProcessSettings,
  directory: WorkerDirectory,
  door: { readonly endpoint: string; readonly token: string }
): Environment => {
  const { artifact, engine, spec } = plan
  const { optDirectory: opt, taskDirectory } = artifact
  const mapped = atHome(artifact)
  const user = Object.fromEntries(Object.entries(spec.environment).map(([name, value]) => [name, mapped(value)]))
  const program = engine._tag === "Interpreter" ? engine.interpreter.path : engine.path
  const inOpt = (name: string) => (opt === undefined ? undefined : join(opt, name))
  return {
    TZ: ":UTC",
    LANG: "en_US.UTF-8",
    HOME: directory.path,
    ...spec.environment,
    ...(engine._tag === "Interpreter" ? searchPaths[engine.need.family](plan, processSettings, user) : {}),
    PATH: pathList(user["PATH"], [dirname(program), "/usr/local/bin", "/usr/bin", "/bin", inOpt("bin")]),
    LD_LIBRARY_PATH: pathList(user["LD_LIBRARY_PATH"], [taskDirectory, join(taskDirectory, "lib"), inOpt("lib")]),
    TMPDIR: directory.temporary,
    LAMBDA_TASK_ROOT: taskDirectory,
    LAMBDA_RUNTIME_DIR: processSettings.clientsDirectory,
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: LogStreamName.make(new Date(), randomBytes(LogStreamName.randomBytes)),
    AWS_LAMBDA_RUNTIME_API: door.endpoint,
    ESB_WORKER_TOKEN: door.token
  }
}
