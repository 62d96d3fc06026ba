/**
 * The intrinsic functions that only look at their operands, which have been worked out before they arrive here.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */
import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import * as Suggestion from "./Suggestion.ts"
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"

/** A failure is the message of a problem. */
export type TemplateOperator = (
  argument: TemplateNode,
  place: TemplatePlace,
  mappings: TemplateMap | undefined
) => Result.Result<TemplateNode, string>

export const operators: Readonly<Record<string, TemplateOperator>> = {
  "Fn::Join": (argument, place) => {
    const [delimiter, list, ...more] = itemsOf(argument)
    const parts = list === undefined ? undefined : texts(list)
    return delimiter?._tag === "Scalar" && parts !== undefined && more.length === 0
      ? Result.succeed(TemplateNodes.scalar(parts.join(String(delimiter.value)), place))
      : Result.fail("Fn::Join takes a delimiter and a list of texts")
  },

  "Fn::Split": (argument, place) => {
    const [delimiter, text, ...more] = texts(argument) ?? []
    return delimiter === undefined || delimiter === "" || text === undefined || more.length > 0
      ? Result.fail("Fn::Split takes a delimiter and a text")
      : Result.succeed(
          TemplateNodes.list(
            text.split(delimiter).map((part) => TemplateNodes.scalar(part, place)),
            place
          )
        )
  },

  "Fn::Select": (argument) => {
    const [index, list, ...more] = itemsOf(argument)
    if (index?._tag !== "Scalar" || !/^\d+$/.test(String(index.value)) || list?._tag !== "List" || more.length > 0) {
      return Result.fail("Fn::Select takes a position from 0 and a list")
    }
    const selected = list.items[Number(index.value)]
    return selected === undefined
      ? Result.fail(`Fn::Select asks for element ${index.value} of a list of ${list.items.length}`)
      : Result.succeed(selected)
  },

  "Fn::FindInMap": (argument, _place, mappings) => {
    const keys = texts(argument)
    if (keys?.length !== 3) {
      return Result.fail("Fn::FindInMap takes the name of a mapping and two keys")
    }
    let found: TemplateNode | undefined = mappings
    const seen = ["Mappings"]
    for (const key of keys) {
      const entries: ReadonlyMap<string, TemplateNode> = found?._tag === "Map" ? found.entries : new Map()
      found = entries.get(key)
      if (found === undefined) {
        return Result.fail(`${seen.join(".")} has no "${key}"${Suggestion.of(key, entries.keys())}`)
      }
      seen.push(key)
    }
    return found === undefined ? Result.fail("there are no Mappings") : Result.succeed(found)
  },

  "Fn::Base64": (argument, place) =>
    argument._tag === "Scalar"
      ? Result.succeed(TemplateNodes.scalar(Base64.encode(String(argument.value)), place))
      : Result.fail("Fn::Base64 takes a text")
}

/** Functions of CloudFormation whose answer lies outside of a template, or needs a macro; with the reason. */
export const withoutAnswer: Readonly<Record<string, string>> = {
  "Fn::ImportValue": "there are no other stacks to import from; use a parameter",
  "Fn::GetStackOutput": "there are no other stacks; use a parameter",
  "Fn::GetAZs": "one machine has no availability zones",
  "Fn::Cidr": "there are no networks to divide",
  "Fn::Transform": "macros are not run",
  "Fn::ForEach": "it needs the macro AWS::LanguageExtensions",
  "Fn::Length": "it needs the macro AWS::LanguageExtensions",
  "Fn::ToJsonString": "it needs the macro AWS::LanguageExtensions"
}

/** The texts of a list; `undefined` when it is no list, or holds anything else. */
export const texts = (node: TemplateNode): ReadonlyArray<string> | undefined => {
  if (node._tag !== "List") {
    return undefined
  }
  const found = node.items.flatMap((item) =>
    item._tag === "Scalar" && item.value !== null ? [String(item.value)] : []
  )
  return found.length === node.items.length ? found : undefined
}

const itemsOf = (node: TemplateNode): ReadonlyArray<TemplateNode> => (node._tag === "List" ? node.items : [])
