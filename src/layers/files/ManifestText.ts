/** From the text of `functions.yml` and `routing.yml` to what they say, with the line of everything that is wrong. */
import { createHash } from "node:crypto"
import { basename } from "node:path"
import { Result } from "effect"
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument
} from "yaml"
import type { ManifestInvalid } from "#domain/ManifestFile"

/** The text of both files; `undefined` for one that is not there. */
export interface Texts {
  readonly functions: string | undefined
  readonly routing: string | undefined
}

/** Two texts have one revision when they are the same. */
export const revisionOf = ({ functions, routing }: Texts): string =>
  createHash("sha256")
    .update(JSON.stringify([functions, routing]))
    .digest("hex")

/** `functions.yml:3: functions.hello.timeuot: unknown key; …` */
export type Complaint = string

type Path = ReadonlyArray<string | number>

/** Where a path leads, or how far it does: the offset of its last key or item that is there. */
const offsetOf = (root: ParsedNode | null, path: Path): number => {
  let node: Node | null | undefined = root
  let offset = root?.range[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (!isPair(pair) || !isScalar(pair.key)) {
        return offset
      }
      offset = pair.key.range?.[0] ?? offset
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      node = node.items[Number(step)] as Node | undefined
      offset = node?.range?.[0] ?? offset
    }
  }
  return offset
}

/** Fails where aliases would make a small text a huge value. */
const toValue = (document: Document.Parsed): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => document.toJS(),
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
  })

export interface Text<A> {
  /** Where the text is from. */
  readonly path: string
  readonly text: string
  readonly decode: (value: unknown) => Result.Result<A, ManifestInvalid>
}

/**
 * Reads YAML 1.2 with `<<` for merges. What YAML only warns of, such as a tag nobody knows, is wrong here: it would be
 * read as something else than was meant.
 */
export const read = <A>({ decode, path, text }: Text<A>): Result.Result<A, ReadonlyArray<Complaint>> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const complain = (offset: number, message: string): Complaint =>
    `${basename(path)}:${lines.linePos(offset).line}: ${message}`
  const wrong = [...document.errors, ...document.warnings]
  if (wrong.length > 0) {
    return Result.fail(wrong.map(({ message, pos }) => complain(pos[0], message)))
  }
  const value = toValue(document)
  if (Result.isFailure(value)) {
    return Result.fail([complain(0, value.failure)])
  }
  return Result.mapError(decode(value.success), ({ problems }) =>
    problems.map((problem) =>
      complain(
        offsetOf(document.contents, problem.path),
        [problem.path.join("."), problem.message].filter((part) => part !== "").join(": ")
      )
    )
  )
}
