/** A template as a tree in which every value knows where it was written, also after sections were merged into one another. */
import { Result } from "effect"
import type { TemplateProblem } from "./TemplateInvalid.ts"

export interface TemplatePlace {
  /** 1-based. */
  readonly line: number
  /** `Resources.Orders.Properties.Timeout` */
  readonly path: string
}

export interface TemplateScalar {
  readonly _tag: "Scalar"
  readonly value: string | number | boolean | null
  readonly place: TemplatePlace
}

export interface TemplateList {
  readonly _tag: "List"
  readonly items: ReadonlyArray<TemplateNode>
  readonly place: TemplatePlace
}

export interface TemplateMap {
  readonly _tag: "Map"
  readonly entries: ReadonlyMap<string, TemplateNode>
  readonly place: TemplatePlace
}

/** A value that could not be worked out. Why has been reported already, so its readers stay silent. */
export interface TemplateUnknown {
  readonly _tag: "Unknown"
  readonly place: TemplatePlace
}

export type TemplateNode = TemplateScalar | TemplateList | TemplateMap | TemplateUnknown

/** Keys and positions from the root of a document to a value. */
export type TemplatePath = ReadonlyArray<string | number>

/** Levels of nesting, which is also the depth of recursion of everything that reads the tree. */
const maximumDepth = 100
/** Values in one document; aliases count each time they are used. */
const maximumNodes = 200_000

export const scalar = (value: TemplateScalar["value"], place: TemplatePlace): TemplateScalar => ({
  _tag: "Scalar",
  value,
  place
})

export const list = (items: ReadonlyArray<TemplateNode>, place: TemplatePlace): TemplateList => ({
  _tag: "List",
  items,
  place
})

export const map = (entries: ReadonlyMap<string, TemplateNode>, place: TemplatePlace): TemplateMap => ({
  _tag: "Map",
  entries,
  place
})

/** Reads parsed YAML or JSON; refuses what is nested too deep or too large to be a template. */
export const fromDocument = (
  document: unknown,
  lineOf: (path: TemplatePath) => number
): Result.Result<TemplateNode, TemplateProblem> => {
  let nodes = 0
  let excess: TemplateProblem | undefined

  const read = (value: unknown, path: TemplatePath): TemplateNode => {
    const place = { line: lineOf(path), path: path.join(".") }
    nodes += 1
    if (excess !== undefined || nodes > maximumNodes || path.length > maximumDepth) {
      excess ??= {
        ...place,
        message:
          nodes > maximumNodes
            ? `a template holds at most ${maximumNodes} values`
            : `a template is nested at most ${maximumDepth} levels deep`
      }
      return { _tag: "Unknown", place }
    }
    if (Array.isArray(value)) {
      return list(
        value.map((item, index) => read(item, [...path, index])),
        place
      )
    }
    if (typeof value === "object" && value !== null) {
      return map(new Map(Object.entries(value).map(([key, item]) => [key, read(item, [...path, key])])), place)
    }
    return scalar(
      typeof value === "number" || typeof value === "boolean" || value === null ? value : String(value ?? ""),
      place
    )
  }

  const root = read(document, [])
  return excess === undefined ? Result.succeed(root) : Result.fail(excess)
}

/** The plain value of a tree; what could not be worked out is left out. */
export const toPlain = (node: TemplateNode): unknown => {
  switch (node._tag) {
    case "Scalar":
      return node.value
    case "List":
      return node.items.map(toPlain)
    case "Map":
      return Object.fromEntries([...node.entries].map(([key, item]) => [key, toPlain(item)]))
    case "Unknown":
      return undefined
  }
}

/** What a value is, for messages. */
export const describe = (node: TemplateNode): string => {
  switch (node._tag) {
    case "Scalar":
      return node.value === null ? "nothing" : `the ${typeof node.value} ${JSON.stringify(node.value)}`
    case "List":
      return "a list"
    case "Map":
      return "a map"
    case "Unknown":
      return "unknown"
  }
}

/** Whether a map stands for a value that is still to be worked out: `{ Ref: … }`, `{ "Fn::Sub": … }`. */
export const intrinsicOf = (node: TemplateNode): readonly [name: string, argument: TemplateNode] | undefined => {
  if (node._tag !== "Map" || node.entries.size !== 1) {
    return undefined
  }
  const [entry] = node.entries
  return entry !== undefined && (entry[0] === "Ref" || entry[0].startsWith("Fn::")) ? entry : undefined
}
