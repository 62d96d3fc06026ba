/** The text of `Fn::Sub`: literal pieces and `${Name}`; `${!Name}` is the literal `${Name}`. */

export type TemplatePiece =
  | { readonly _tag: "Literal"; readonly text: string }
  /** `Orders`, `Orders.Arn` or `AWS::Region`. */
  | { readonly _tag: "Variable"; readonly name: string }

const variable = /\$\{(!?)([^{}]*)\}/g

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html */
export const parse = (text: string): ReadonlyArray<TemplatePiece> => {
  const pieces: Array<TemplatePiece> = []
  let literal = ""
  let from = 0
  for (const found of text.matchAll(variable)) {
    const [whole, escape, name = ""] = found
    literal += text.slice(from, found.index)
    from = found.index + whole.length
    if (escape === "!") {
      literal += `\${${name}}`
      continue
    }
    if (literal !== "") {
      pieces.push({ _tag: "Literal", text: literal })
      literal = ""
    }
    pieces.push({ _tag: "Variable", name: name.trim() })
  }
  literal += text.slice(from)
  return literal === "" ? pieces : [...pieces, { _tag: "Literal", text: literal }]
}
