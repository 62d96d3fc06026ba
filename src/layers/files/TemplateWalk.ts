/** From the nodes of a YAML document to plain values: short tags in their long form, aliases followed, `<<` merged. */
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml"
import * as Suggestion from "#domain/Suggestion"
import type { TemplatePath } from "#domain/TemplateNode"
import * as TemplateTags from "./TemplateTags.ts"

/** Values in one document, where what an alias stands for counts each time. */
const maximumValues = 200_000
/** Keys and positions to one value; also what ends an alias that contains itself. */
const maximumPath = 200
/** Each takes a look through the whole document. */
const maximumAliases = 1_000

export type Fault = (offset: number, message: string, hint?: string) => void

/** `place` hears the offset of every value: where its key is, or its item in a list. */
export const read = (
  document: Document,
  fault: Fault,
  place: (path: TemplatePath, offset: number) => void
): unknown => {
  const merging = new Set<Node>()
  let values = 0
  let aliases = 0
  let isTooLarge = false

  const value = (node: Node | null, path: TemplatePath, offset: number): unknown => {
    values += 1
    if (isTooLarge || values > maximumValues || path.length > maximumPath) {
      refuse(offset)
      return null
    }
    place(path, offset)
    const tag = node?.tag
    const longForm = tag === undefined ? undefined : TemplateTags.longForms.get(tag)
    if (tag !== undefined && longForm === undefined && tag.length > 1 && tag.startsWith("!")) {
      fault(offset, `unknown tag ${tag}${Suggestion.of(tag, TemplateTags.longForms.keys())}`)
    }
    if (longForm === undefined) {
      return content(node, path, offset)
    }
    const inner = [...path, longForm]
    place(inner, offset)
    return { [longForm]: content(node, inner, offset) }
  }

  const content = (node: Node | null, path: TemplatePath, offset: number): unknown => {
    if (isAlias(node)) {
      return value(resolve(node, offset), path, offset)
    }
    if (isMap<Node, Node | null>(node)) {
      return Object.fromEntries(entries(node, path))
    }
    if (isSeq<Node | null>(node)) {
      return node.items.map((item, index) => value(item, [...path, index], item?.range?.[0] ?? offset))
    }
    return isScalar(node) ? node.value : null
  }

  /** A map's own entries win over those it merges in, so they are read last. */
  const entries = (map: YAMLMap<Node, Node | null>, path: TemplatePath): ReadonlyArray<readonly [string, unknown]> => {
    const isMerge = (key: Node) => isScalar(key) && key.value === "<<" && key.type === "PLAIN"
    const merged = map.items
      .filter(({ key }) => isMerge(key))
      .flatMap((pair) => merge(pair.value, path, pair.key.range?.[0] ?? 0))
    const names = new Set<string>()
    const own = map.items
      .filter(({ key }) => !isMerge(key))
      .map(({ key, value: item }) => {
        const offset = key.range?.[0] ?? 0
        if (!isScalar(key)) {
          fault(offset, "a key is a text, not a list or a map")
        }
        // a key is what was written: NO stays a country
        const name = isScalar(key) ? (key.source ?? String(key.value)) : ""
        if (names.has(name)) {
          // the parser has found keys of one kind; 1 and "1" are two kinds to it
          fault(offset, "Map keys must be unique", `the key ${name} is already in this map`)
        }
        names.add(name)
        return [name, value(item, [...path, name], offset)] as const
      })
    return [...merged, ...own]
  }

  /** `<<: *base`, or a list of such, of which the first wins. */
  const merge = (node: Node | null, path: TemplatePath, offset: number): ReadonlyArray<readonly [string, unknown]> => {
    const target = isAlias(node) ? resolve(node, offset) : node
    if (isSeq<Node | null>(target)) {
      return target.items.toReversed().flatMap((item) => (isSeq(item) ? [] : merge(item, path, offset)))
    }
    if (!isMap<Node, Node | null>(target) || merging.has(target)) {
      fault(offset, "<< merges a map or a list of maps, none of which contains it")
      return []
    }
    merging.add(target)
    const found = entries(target, path)
    merging.delete(target)
    return found
  }

  const resolve = (alias: Alias, offset: number): Node | null => {
    aliases += 1
    if (aliases > maximumAliases) {
      refuse(offset)
      return null
    }
    const target = alias.resolve(document)
    if (target === undefined) {
      fault(offset, `there is no anchor &${alias.source} before this line`)
    }
    return target ?? null
  }

  const refuse = (offset: number): void => {
    if (!isTooLarge) {
      isTooLarge = true
      fault(offset, "the template is too large once its aliases are followed")
    }
  }

  return value(document.contents, [], document.contents?.range?.[0] ?? 0)
}
