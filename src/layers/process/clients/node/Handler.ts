/**
 * From the handler string to the function: `dir/file.export.nested` names a file below the task root and a path of
 * properties within it. Names, order of the file types and texts of the errors are AWS's.
 */
import { createRequire } from "node:module"
import { basename, dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { RuntimeFault } from "./Fault.ts"
import { importModule } from "./PackageFallback.ts"

const require = createRequire(import.meta.url)
const fs = require("node:fs") as typeof import("node:fs")

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming")
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark")

/** What user code exports. Its parameters depend on its kind, and nobody checked them. */
export type UserFunction = (...parameters: ReadonlyArray<unknown>) => unknown

export interface Handler {
  readonly call: UserFunction
  /** Made by `awslambda.streamifyResponse`. */
  readonly streaming: boolean
  readonly highWaterMark: number | undefined
}

interface HandlerName {
  readonly directory: string
  readonly file: string
  readonly exportPath: ReadonlyArray<string>
}

const parseName = (handler: string): HandlerName => {
  if (handler.includes("..")) {
    throw new RuntimeFault(
      "Runtime.MalformedHandlerName",
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`
    )
  }
  const [, file, exportPath] = /^([^.]*)\.(.*)$/.exec(basename(handler)) ?? []
  if (file === undefined || exportPath === undefined)
    throw new RuntimeFault("Runtime.MalformedHandlerName", "Bad handler")
  return { directory: dirname(handler), file, exportPath: exportPath.split(".") }
}

/** What the nearest `package.json` says of `.js` files; a `node_modules` on the way up ends the search. */
const isModuleScope = (directory: string): boolean => {
  if (basename(directory) === "node_modules") return false
  const manifest = join(directory, "package.json")
  if (fs.existsSync(manifest)) {
    try {
      return (JSON.parse(fs.readFileSync(manifest, "utf8")) as { type?: unknown }).type === "module"
    } catch (cause) {
      console.warn(`${manifest} cannot be read, it will be ignored for ES module detection purposes.`, cause)
      return false
    }
  }
  const parent = dirname(directory)
  return parent !== directory && isModuleScope(parent)
}

const isFile = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** CommonJS, except where the file turns out to be an ES module that `require` cannot take. */
const load = async (path: string, nodePath: string | undefined): Promise<unknown> => {
  const isModule = path.endsWith(".mjs") || (path.endsWith(".js") && isModuleScope(dirname(path)))
  if (isModule) return importModule(pathToFileURL(path).href, nodePath)
  try {
    return require(path) as unknown
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code
    if (code !== "ERR_REQUIRE_ASYNC_MODULE" && code !== "ERR_REQUIRE_ESM") throw cause
    return importModule(pathToFileURL(path).href, nodePath)
  }
}

const loadFile = async (taskRoot: string, name: HandlerName, nodePath: string | undefined): Promise<unknown> => {
  const directory = resolve(taskRoot, name.directory)
  const path = ["", ".js", ".mjs", ".cjs"].map((extension) => join(directory, name.file + extension)).find(isFile)
  try {
    if (path !== undefined) return await load(path, nodePath)
    // Neither a file below the task root: a package, of the function or of a layer.
    return require(require.resolve(name.file, { paths: [taskRoot, directory] })) as unknown
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      throw new RuntimeFault("Runtime.UserCodeSyntaxError", String(cause), { stack: cause.stack })
    }
    if ((cause as NodeJS.ErrnoException | undefined)?.code === "MODULE_NOT_FOUND") {
      throw new RuntimeFault("Runtime.ImportModuleError", String(cause))
    }
    throw cause
  }
}

const find = (exported: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], exported)

const streamingOf = (call: UserFunction & { [STREAMING]?: unknown; [HIGH_WATER_MARK]?: unknown }) => {
  const mark = Number(call[HIGH_WATER_MARK])
  return { streaming: call[STREAMING] === "response", highWaterMark: mark > 0 ? mark : undefined }
}

/** Loads the user's module. Fails with a {@link RuntimeFault}, or with whatever the module throws itself. */
export const loadHandler = async (
  taskRoot: string,
  handler: string,
  nodePath: string | undefined
): Promise<Handler> => {
  const name = parseName(handler)
  const loaded = await loadFile(taskRoot, name, nodePath)
  const found =
    find(loaded, name.exportPath) ?? find((loaded as { default?: unknown } | null)?.default, name.exportPath)
  if (found === undefined || found === null) {
    throw new RuntimeFault("Runtime.HandlerNotFound", `${handler} is undefined or not exported`)
  }
  if (typeof found !== "function") {
    throw new RuntimeFault("Runtime.HandlerNotFound", `${handler} is not a function`)
  }
  const call = found as UserFunction
  return { call, ...streamingOf(call) }
}

/** What `awslambda.streamifyResponse` does. */
export const streamifyResponse = (call: UserFunction, options?: { readonly highWaterMark?: unknown }): UserFunction => {
  const highWaterMark = options?.highWaterMark
  return Object.assign(call, {
    [STREAMING]: "response",
    ...(typeof highWaterMark === "number" && { [HIGH_WATER_MARK]: Math.trunc(highWaterMark) })
  })
}
