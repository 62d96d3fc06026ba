/**
 * Who imports whom under `src`, read from the syntax tree: static imports and re-exports, type-only ones included,
 * `import("…")` as a value and as a type, and `require`. Needs the tools of `npm ci`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { parseSync, Visitor } from "oxc-parser"

const isModule = (name) => /\.[mc]?[jt]sx?$/.test(name)

const modulesUnder = (directory) =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile() && isModule(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : []

/** The text of a string literal; undefined for anything that only running tells. */
const literal = (node) => (node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined)

/** Every request one module makes: `{ specifier, at, names }`, where a specifier is undefined when only running tells it. */
const requestsOf = (path, text) => {
  const { program, module, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0].message}`)
  const requests = []
  const ask = (specifier, at, names = []) => requests.push({ specifier, at, names })
  for (const { moduleRequest, entries } of module.staticImports) {
    ask(
      moduleRequest.value,
      moduleRequest.start,
      entries.flatMap(({ importName }) => importName.name ?? [])
    )
  }
  for (const { moduleRequest, importName } of module.staticExports.flatMap(({ entries }) => entries)) {
    if (moduleRequest !== null)
      ask(moduleRequest.value, moduleRequest.start, importName.name === null ? [] : [importName.name])
  }
  new Visitor({
    ImportExpression: (node) => ask(literal(node.source), node.start),
    TSImportType: (node) => ask(literal(node.source), node.start),
    TSImportEqualsDeclaration: (node) => {
      if (node.moduleReference.type === "TSExternalModuleReference")
        ask(literal(node.moduleReference.expression), node.start)
    },
    CallExpression: (node) => {
      if (node.callee.type === "Identifier" && node.callee.name === "require")
        ask(literal(node.arguments[0]), node.start)
    }
  }).visit(program)
  return requests
}

/** `#domain/Worker` by the `imports` of package.json; undefined when none of them matches. */
const aliased = (aliases, specifier) => {
  for (const [pattern, target] of Object.entries(aliases)) {
    const [before, after] = pattern.split("*")
    if (after === undefined ? specifier === pattern : specifier.startsWith(before) && specifier.endsWith(after)) {
      return target.replace("*", specifier.slice(before.length, specifier.length - (after ?? "").length))
    }
  }
  return undefined
}

/** Where a specifier leads: `{ path }` inside the repository, `{ name }` outside of it, `{}` when only running tells it. */
const targetOf = (root, aliases, from, specifier) => {
  if (specifier === undefined) return {}
  if (specifier.startsWith(".")) return { path: resolve(dirname(from), specifier) }
  if (specifier.startsWith("/")) return { path: specifier }
  const alias = specifier.startsWith("#") ? aliased(aliases, specifier) : undefined
  return alias === undefined ? { name: specifier } : { path: resolve(root, alias) }
}

const lineOf = (text, offset) => text.slice(0, offset).split("\n").length

/**
 * The modules of `root/src` with what each imports: paths relative to the root and written with slashes, `line` counted
 * from 1, `names` those picked by name, `lost` for a path at which there is no file.
 */
export const importGraph = (root) => {
  const aliases = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).imports ?? {}
  const told = (path) => relative(root, path).split(sep).join("/")
  return modulesUnder(join(root, "src")).map((path) => {
    const text = readFileSync(path, "utf8")
    const imports = requestsOf(path, text).map(({ specifier, at, names }) => {
      const { path: to, name } = targetOf(root, aliases, path, specifier)
      const inside = to === undefined ? { lost: false } : { to: told(to), lost: !existsSync(to) }
      return { specifier, line: lineOf(text, at), names, name, ...inside }
    })
    return { path: told(path), imports }
  })
}
