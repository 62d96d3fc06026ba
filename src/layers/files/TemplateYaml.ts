/** Parses the text of a template, YAML or JSON (which is YAML), and remembers the line of every value. */
import { Result } from "effect"
import { Composer, type CST, LineCounter, Parser } from "yaml"
import type { TemplatePath } from "#domain/TemplateNode"
import * as TemplateTags from "./TemplateTags.ts"
import * as TemplateWalk from "./TemplateWalk.ts"

export interface SyntaxProblem {
  /** 1-based. */
  readonly line: number
  /** 1-based. */
  readonly column: number
  readonly message: string
  readonly hint: string | undefined
}

export type SyntaxProblems = readonly [SyntaxProblem, ...ReadonlyArray<SyntaxProblem>]

export interface ParsedTemplate {
  /** Plain values; short tags in their long form. */
  readonly document: unknown
  /** The 1-based line of a value: where its key is, or its item in a list. A path that leads nowhere is on line 1. */
  readonly lineOf: (path: TemplatePath) => number
}

/** Deeper nesting would overflow the stack of everything that reads a template, this parser first. */
const maximumDepth = 100
/** More of them are mostly echoes of the first. */
const maximumProblems = 10

export const parse = (text: string): Result.Result<ParsedTemplate, SyntaxProblems> => {
  const lines = new LineCounter()
  const problems: Array<SyntaxProblem> = []
  const fault: TemplateWalk.Fault = (offset, message, hint) => {
    const { line, col } = lines.linePos(offset)
    problems.push({ line: Math.max(line, 1), column: Math.max(col, 1), message, hint })
  }

  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const tooDeep = offsetBelow(tokens, maximumDepth)
  if (tooDeep !== undefined) {
    const { line, col } = lines.linePos(tooDeep)
    return Result.fail([{ line, column: col, message: `more than ${maximumDepth} levels of nesting`, hint: undefined }])
  }
  const composer = new Composer({
    schema: "failsafe",
    customTags: (base) => [...base, ...TemplateTags.tags],
    prettyErrors: false
  })
  const [document, second] = composer.compose(tokens, true, text.length)
  for (const error of document?.errors ?? []) {
    fault(error.pos[0], error.message, hints[error.code])
  }
  if (second !== undefined) {
    fault(second.range[0], "a second document begins", "a template is one document; remove the line ---")
  }
  const lineOfPath = new Map<string, number>()
  const found =
    document === undefined || problems.length > 0
      ? undefined
      : TemplateWalk.read(document, fault, (path, offset) => {
          lineOfPath.set(JSON.stringify(path), lines.linePos(offset).line)
        })
  const [first, ...others] = problems
  return first !== undefined
    ? Result.fail([first, ...others.slice(0, maximumProblems - 1)])
    : Result.succeed({ document: found, lineOf: (path) => lineOfPath.get(JSON.stringify(path)) ?? 1 })
}

const hints: Readonly<Partial<Record<string, string>>> = {
  BAD_INDENT:
    "items of one map or list begin in the same column, and a closing bracket stands right of the key it belongs to",
  BAD_SCALAR_START: "put the text in quotes",
  BLOCK_AS_IMPLICIT_KEY: 'a text that contains ": " needs quotes',
  DUPLICATE_KEY: "the key is already in this map; remove or rename one of the two",
  MISSING_CHAR: 'a quote, a bracket or the ":" after a key is missing here or before',
  TAB_AS_INDENT: "indent with spaces",
  UNEXPECTED_TOKEN: "compare the indentation and the quotes with the lines before"
}

/** Where a token begins that is nested deeper than so many levels. Without recursion, because there may be a million of them. */
const offsetBelow = (tokens: ReadonlyArray<CST.Token>, depth: number): number | undefined => {
  const open: Array<readonly [token: CST.Token, level: number]> = tokens.map((token) => [token, 0])
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, level] = next
    if (level > depth) {
      return token.offset
    }
    if (token.type === "document" && token.value !== undefined) {
      open.push([token.value, level])
    }
    for (const item of "items" in token ? token.items : []) {
      for (const child of [item.key, item.value]) {
        if (child !== null && child !== undefined) {
          open.push([child, level + 1])
        }
      }
    }
  }
  return undefined
}
