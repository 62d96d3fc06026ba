/**
 * Makes the packages of layers and the preinstalled SDK importable from ES modules: they lie in the `node_modules`
 * directories of `NODE_PATH`, which Node consults for `require` only. A package that the function brings itself wins.
 *
 * Node from 22.15 resolves within the thread, at no cost while nothing is missing. An older one starts a thread for it
 * (30 ms), hence only after an import has failed; out of its reach are imports that a handler makes later.
 */
import * as module from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

const require = module.createRequire(import.meta.url)
const { existsSync } = require("node:fs") as typeof import("node:fs")

/** `@scope/name` or `name` of a bare specifier; no match for paths, URLs and `#imports`. */
const PACKAGE_NAME = /^(@[^/]+\/[^/]+|[^@#./:][^/:]*)(?=\/|$)/

const packageDirectories = (nodePath: string | undefined) =>
  (nodePath ?? "").split(":").filter((directory) => directory.endsWith("/node_modules"))

/** A module that would lie beside `directory` finds the packages in it. */
const neighbour = (directory: string) => pathToFileURL(join(dirname(directory), "_.mjs")).href

const isMissing = (cause: unknown) => (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND"

/** To be called before user code is loaded. */
export const installPackageFallback = (nodePath: string | undefined) => {
  const directories = packageDirectories(nodePath)
  if (directories.length === 0 || module.registerHooks === undefined) return
  module.registerHooks({
    resolve: (specifier, context, nextResolve) => {
      try {
        return nextResolve(specifier, context)
      } catch (cause) {
        const name = PACKAGE_NAME.exec(specifier)?.[1]
        const home = name && isMissing(cause) && directories.find((each) => existsSync(join(each, name)))
        if (!home) throw cause
        return nextResolve(specifier, { ...context, parentURL: neighbour(home) })
      }
    }
  })
}

/**
 * The hooks of an older Node, as the source text of a module. A failed import stays failed under its URL, so every file
 * gets a new one: `import.meta.url` ends in `#again`, which the functions of `node:url` ignore.
 */
const olderHooks = (directories: ReadonlyArray<string>) => `
  import { existsSync } from "node:fs"
  const homes = ${JSON.stringify(directories.map((each) => [each, neighbour(each)]))}
  const again = (resolved) => resolved.url.startsWith("file:") ? { ...resolved, url: resolved.url + "#again" } : resolved
  export const resolve = async (specifier, context, nextResolve) => {
    try {
      return again(await nextResolve(specifier, context))
    } catch (cause) {
      const name = ${PACKAGE_NAME}.exec(specifier)?.[1]
      const home = name && cause.code === "ERR_MODULE_NOT_FOUND" && homes.find(([directory]) => existsSync(directory + "/" + name))
      if (!home) throw cause
      return again(await nextResolve(specifier, { ...context, parentURL: home[1] }))
    }
  }`

/** `import(url)`, with a second attempt where the fallback cannot stand ready from the start. */
export const importModule = async (url: string, nodePath: string | undefined): Promise<unknown> => {
  try {
    return await import(url)
  } catch (cause) {
    const directories = packageDirectories(nodePath)
    if (!isMissing(cause) || directories.length === 0 || module.registerHooks !== undefined) throw cause
    module.register(`data:text/javascript,${encodeURIComponent(olderHooks(directories))}`)
    return await import(url)
  }
}
