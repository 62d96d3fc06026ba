/**
 * YAML as CloudFormation reads it: YAML 1.1 without dates and sexagesimal numbers, and short tags for intrinsic functions.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
 */
import type { CollectionTag, ScalarTag } from "yaml"

/** Short tags and their long forms. `!Condition` and `!Ref` have no prefix. */
const names = [
  "And",
  "Base64",
  "Cidr",
  "Contains",
  "EachMemberEquals",
  "EachMemberIn",
  "Equals",
  "FindInMap",
  "ForEach",
  "GetAtt",
  "GetAZs",
  "GetStackOutput",
  "If",
  "ImportValue",
  "Join",
  "Length",
  "Not",
  "Or",
  "RefAll",
  "Select",
  "Split",
  "Sub",
  "ToJsonString",
  "Transform",
  "ValueOf",
  "ValueOfAll"
]

/** `!Sub` → `Fn::Sub`. */
export const longForms: ReadonlyMap<string, string> = new Map([
  ["!Ref", "Ref"],
  ["!Condition", "Condition"],
  ...names.map((name) => [`!${name}`, `Fn::${name}`] as const)
])

/** Each tag may stand before a text, a list or a map. The values are taken apart later, where their lines are known. */
const intrinsics: ReadonlyArray<ScalarTag | CollectionTag> = [...longForms.keys()].flatMap((tag) => [
  { tag, resolve: (text: string) => text },
  { tag, collection: "seq" as const },
  { tag, collection: "map" as const }
])

/** What a text without quotes means. `y` and `n` are letters, as the type of a table's key needs them to be. */
const plain: ReadonlyArray<ScalarTag> = [
  { tag: "tag:yaml.org,2002:null", default: true, test: /^(?:~|null|Null|NULL|)$/, resolve: () => null },
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:true|True|TRUE|yes|Yes|YES|on|On|ON)$/,
    resolve: () => true
  },
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:false|False|FALSE|no|No|NO|off|Off|OFF)$/,
    resolve: () => false
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?(?:0|[1-9][0-9_]*)$/,
    resolve: (text) => exactly(text, Number(text.replaceAll("_", "")))
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?0[0-7_]+$/,
    resolve: (text) => exactly(text, Number.parseInt(text.replaceAll("_", ""), 8))
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?0x[0-9a-fA-F_]+$/,
    resolve: (text) => exactly(text, Number.parseInt(text.replaceAll("_", ""), 16))
  },
  {
    tag: "tag:yaml.org,2002:float",
    default: true,
    test: /^[-+]?(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?$|^[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?$/,
    resolve: (text) => fraction(Number(text.replaceAll("_", "")))
  }
]

export const tags: ReadonlyArray<ScalarTag | CollectionTag> = [...plain, ...intrinsics]

/** A number that JavaScript cannot hold stays the text it was: ids and account numbers keep their digits. */
const exactly = (text: string, number: number): number | string => (Number.isSafeInteger(number) ? number : text)

/** `1.0` stays different from `1` where a number becomes a text, as in a variable of an environment. */
const fraction = (number: number): number | string => (Number.isInteger(number) ? `${number}.0` : number)
