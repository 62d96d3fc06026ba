/**
 * Reads the fields of a map of a template by name and kind. What is wrong is reported where it is written; a reader then
 * gets `undefined`, as for a field that is not there.
 */
import * as Suggestion from "./Suggestion.ts"
import * as TemplateOperators from "./TemplateOperators.ts"
import type { Evaluated } from "./TemplateIntrinsics.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap, TemplateNode } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import type { TemplateSupport } from "./TemplateSupport.ts"
import { namesOf } from "./TemplateSupport.ts"

/** Says of every field of a map that it is misspelt, has no effect, or is refused. */
export const check = (scope: TemplateScope, map: TemplateMap, support: TemplateSupport): void => {
  for (const [name, written] of map.entries) {
    const value = TemplateIntrinsics.choose(scope, written)
    if (value === undefined) {
      continue
    }
    const ineffective = reasonFor(support.withoutEffect, name)
    const refused = reasonFor(support.refused, name)
    if (name.startsWith("Fn::")) {
      scope.report.unsupported(value.place, `${name} is not supported beside properties: macros are not run`)
    } else if (ineffective !== undefined) {
      scope.report.warning(value.place, `${name} has no effect here: ${ineffective}`)
    } else if (refused !== undefined) {
      scope.report.unsupported(value.place, `${name} is not supported: ${refused}`)
    } else if (!support.honoured.includes(name) && support.describes?.includes(name) !== true) {
      scope.report.problem(value.place, `unknown property "${name}"${Suggestion.of(name, namesOf(support))}`)
    }
  }
}

const reasonFor = (reasons: Readonly<Record<string, string>> | undefined, name: string): string | undefined =>
  reasons !== undefined && Object.hasOwn(reasons, name) ? reasons[name] : undefined

/** Whether a field is written, and not `AWS::NoValue`. */
export const has = (scope: TemplateScope, map: TemplateMap, name: string): boolean => {
  const written = map.entries.get(name)
  return written !== undefined && TemplateIntrinsics.choose(scope, written) !== undefined
}

/** Reports a field that is not written. Answers whether it is. */
export const required = (scope: TemplateScope, map: TemplateMap, name: string): boolean => {
  const isThere = has(scope, map, name)
  if (!isThere) {
    scope.report.problem(map.place, `${name} is required`)
  }
  return isThere
}

/** The value of a field, worked out to its leaves. */
export const value = (scope: TemplateScope, map: TemplateMap, name: string): Evaluated =>
  notNull(scope, name, map, TemplateIntrinsics.evaluate)

/** A map whose fields are still to be read. */
export const map = (scope: TemplateScope, parent: TemplateMap, name: string): TemplateMap | undefined => {
  const node = notNull(scope, name, parent, TemplateIntrinsics.open)
  return node?._tag === "Map" ? node : mismatch(scope, name, node, "a map")
}

/** A list whose items are still to be read. */
export const list = (
  scope: TemplateScope,
  parent: TemplateMap,
  name: string
): ReadonlyArray<TemplateNode> | undefined => {
  const node = notNull(scope, name, parent, TemplateIntrinsics.open)
  return node?._tag === "List" ? node.items : mismatch(scope, name, node, "a list")
}

/** Numbers and booleans count as text, as they do on AWS. */
export const text = (scope: TemplateScope, parent: TemplateMap, name: string): string | undefined => {
  const node = value(scope, parent, name)
  return node?._tag === "Scalar" ? String(node.value) : mismatch(scope, name, node, "a text")
}

export const texts = (scope: TemplateScope, parent: TemplateMap, name: string): ReadonlyArray<string> | undefined => {
  const node = value(scope, parent, name)
  if (node?._tag !== "List" || node.items.some((item) => item._tag === "Unknown")) {
    return node?._tag === "List" ? undefined : mismatch(scope, name, node, "a list")
  }
  return TemplateOperators.texts(node) ?? mismatch(scope, name, node, "a list of texts")
}

/** One of the given texts, spelled as they are. */
export const choice = <A extends string>(
  scope: TemplateScope,
  parent: TemplateMap,
  name: string,
  choices: ReadonlyArray<A>
): A | undefined => {
  const written = text(scope, parent, name)
  const found = choices.find((candidate) => candidate === written)
  if (written !== undefined && found === undefined) {
    scope.report.problem(placeOf(parent, name), `${name} is ${choices.join(" or ")}, not "${written}"`)
  }
  return found
}

/** A whole number, also when it is written as a text: the value of a parameter always is one. */
export const integer = (
  scope: TemplateScope,
  parent: TemplateMap,
  name: string,
  range: { readonly min: number; readonly max: number }
): number | undefined => {
  const node = value(scope, parent, name)
  if (node?._tag !== "Scalar") {
    return mismatch(scope, name, node, "a whole number")
  }
  const written = String(node.value)
  const number = /^-?\d{1,15}(\.0+)?$/.test(written) ? Number(written) : Number.NaN
  if (number >= range.min && number <= range.max) {
    return number
  }
  scope.report.problem(
    node.place,
    `${name} is a whole number from ${range.min} to ${range.max}, not ${TemplateNodes.describe(node)}`
  )
  return undefined
}

export const boolean = (scope: TemplateScope, parent: TemplateMap, name: string): boolean | undefined => {
  const node = value(scope, parent, name)
  const written = node?._tag === "Scalar" ? String(node.value).toLowerCase() : undefined
  return written === "true" ? true : written === "false" ? false : mismatch(scope, name, node, "true or false")
}

/** Where a field is written, or else the map it would be in. */
export const placeOf = (parent: TemplateMap, name: string) => (parent.entries.get(name) ?? parent).place

const notNull = (
  scope: TemplateScope,
  name: string,
  parent: TemplateMap,
  work: (scope: TemplateScope, node: TemplateNode) => Evaluated
): Evaluated => {
  const written = parent.entries.get(name)
  const node = written === undefined ? undefined : work(scope, written)
  return node?._tag === "Scalar" && node.value === null
    ? scope.report.problem(node.place, `${name} has no value`)
    : node
}

const mismatch = (scope: TemplateScope, name: string, node: Evaluated, kind: string): undefined => {
  if (node !== undefined && node._tag !== "Unknown") {
    scope.report.problem(node.place, `${name} is ${kind}, not ${TemplateNodes.describe(node)}`)
  }
  return undefined
}
