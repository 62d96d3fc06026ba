/**
 * Answers recorded from AWS, and whether an answer of ours is the same. A placeholder of a recording (`<uuid:1>`,
 * `<function-name:1>`, the account `111111111111`) stands for one value throughout its record; what was measured (`<duration>`,
 * `<memory>`, `date`) may differ each time. All else is literal.
 */
import { assert } from "@effect/vitest"
import type { InvokeCommandInput } from "@aws-sdk/client-lambda"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathOf } from "./Engines.ts"
import * as Stack from "./Stack.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

export interface Recording {
  readonly test: string
  readonly steps: Readonly<Record<string, Json>>
  /** What the placeholders stand for, as far as it is known. */
  readonly bound: Map<string, string>
}

const read = (file: string): Record<string, { readonly "recorded-content": Readonly<Record<string, Json>> }> =>
  JSON.parse(readFileSync(join(pathOf("golden"), "aws-recordings", `${file}.snapshot.json`), "utf8"))

const isNewest = (key: string): boolean => key.startsWith("tests/aws/services/")

/** The recordings of a file whose test has a name that ends like this, `TestLambdaErrors::test_lambda_handler_exit`. */
export const all = (file: string, isWanted: (test: string) => boolean): ReadonlyArray<Recording> =>
  Object.entries(read(file))
    .filter(([key]) => isNewest(key) && isWanted(key))
    .map(([key, record]) => ({
      test: key.slice(key.indexOf("::") + 2),
      steps: record["recorded-content"],
      bound: new Map()
    }))

export const find = (test: string, file = "lambda___test_lambda"): Recording => {
  const [found, ...others] = all(file, (key) => key.endsWith(`::${test}`))
  if (found === undefined || others.length > 0) throw new Error(`${others.length + 1} recordings of ${test} in ${file}`)
  return found
}

const isObject = <A>(value: A): value is A & Readonly<Record<string, A>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What was recorded in a step, or in a part of it: `msg.Body`. */
const step = (recording: Recording, path: string): Json => {
  const found = path
    .split(".")
    .reduce<Json | undefined>((at, name) => (isObject(at) ? at[name] : undefined), recording.steps)
  if (found === undefined) throw new Error(`${recording.test} has no step ${path}`)
  return found
}

const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
const isoDate = "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z"

/** What a placeholder of this name can stand for; any text where nothing is said. */
const shapes: Readonly<Record<string, string>> = {
  uuid,
  "request-id": uuid,
  timeout_error_msg: uuid,
  partition: "aws",
  region: "[a-z]{2}-[a-z]+-\\d",
  "function-name": "[\\w-]{1,64}",
  duration: "\\d+(?:\\.\\d\\d)?",
  memory: "\\d+",
  date: isoDate,
  account: "\\d{12}"
}

const measured = new Set(["duration", "memory", "date", "remaining-time-in-millis"])

/** Values that the recorder replaced as a whole. */
const wholly = new Set(["date", "datetime", "timestamp", "log-result", "code-sha256", "<stack-trace>"])

const placeholder =
  /<(?<name>[a-z][\w-]*)(?::(?<number>\d+))?>|\b(?<account>111111111111)\b|(?<=^|\t)(?<date>date)(?=\t|$)/g

/** `<a:len(65)>` is sixty-five times the letter. */
const spelledOut = (text: string): string =>
  text.replace(/<(\w):len\((\d+)\)>/g, (_, letter: string, count: string) => letter.repeat(Number(count)))

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** The recorded text as a pattern; the names of what its groups catch, in order. */
const patternOf = (recorded: string, bound: ReadonlyMap<string, string>) => {
  const text = spelledOut(recorded)
  const names: Array<string> = []
  let pattern = ""
  let at = 0
  for (const match of text.matchAll(placeholder)) {
    const { account, date, name = account === undefined ? "date" : "account", number } = match.groups ?? {}
    const key = [account ?? date ?? name, number].join(":")
    const isMeasured = measured.has(name)
    const known = isMeasured ? undefined : bound.get(key)
    pattern += literal(text.slice(at, match.index))
    if (known === undefined) {
      const first = names.indexOf(key)
      pattern += first !== -1 && !isMeasured ? `\\${first + 1}` : `(${shapes[name] ?? "[^]+?"})`
      if (first === -1 || isMeasured) names.push(isMeasured ? "" : key)
    } else pattern += literal(known)
    at = match.index + match[0].length
  }
  return { pattern: new RegExp(`^${pattern}${literal(text.slice(at))}$`), names }
}

const differencesOfText = (bound: Map<string, string>, path: string, recorded: string, actual: unknown) => {
  if (wholly.has(recorded)) return actual === undefined ? [`${path} is missing`] : []
  const { names, pattern } = patternOf(recorded, bound)
  const match = typeof actual === "object" ? null : pattern.exec(String(actual))
  if (match === null) return [`${path}: recorded ${JSON.stringify(recorded)}, got ${JSON.stringify(actual)}`]
  names.forEach((name, index) => {
    if (name !== "") bound.set(name, match[index + 1] ?? "")
  })
  return []
}

const differences = (
  bound: Map<string, string>,
  path: string,
  recorded: Json | undefined,
  actual: unknown
): Array<string> => {
  if (typeof recorded === "string") return differencesOfText(bound, path, recorded, actual)
  if (Array.isArray(recorded) && Array.isArray(actual) && recorded.length === actual.length) {
    return recorded.flatMap((each, index) => differences(bound, `${path}[${index}]`, each, actual[index]))
  }
  if (isObject(recorded) && isObject(actual)) {
    const keys = new Set([...Object.keys(recorded), ...Object.keys(actual)])
    return [...keys].flatMap((key) => differences(bound, `${path}.${key}`, recorded[key], actual[key]))
  }
  return recorded === actual ? [] : [`${path}: recorded ${JSON.stringify(recorded)}, got ${JSON.stringify(actual)}`]
}

/** Fails with every difference between what AWS said in this step, or this part of one, and what we say. */
export const assertSame = (recording: Recording, path: string, actual: unknown): void => {
  const found = differences(recording.bound, path, step(recording, path), actual)
  if (found.length > 0) assert.fail([`${recording.test} was answered differently:`, ...found].join("\n"))
}

/** Where AWS keeps a function's code; workers that are child processes have it elsewhere. */
const taskRoot = /[^\s"(]*\/artifacts\/[0-9a-f]{64}\/task/g

/** The recorder keeps payloads that are objects as values, and others as text. */
const payloadOf = (text: string): unknown =>
  /^\s*[{[]/.test(text) ? JSON.parse(text.replace(taskRoot, "/var/task")) : text

/** Exceptions that are not in the model of the Lambda API: the recorder has only their name and message. */
const unmodelled = new Set(["ValidationException"])

/** The recorder keeps the members of an exception in the model's spelling, the SDK writes all of them small. */
const capitalised = new Set(["ResourceNotFoundException", "ServiceException"])

const metadata = (status: number | undefined) => ({ HTTPHeaders: {}, HTTPStatusCode: status })

const membersOf = (refusal: Stack.Refusal) => {
  const { message, name } = refusal
  const { Reason, Type } = refusal as { readonly Reason?: string; readonly Type?: string }
  return {
    ...(Reason === undefined ? {} : { Reason }),
    Type,
    [capitalised.has(name) ? "Message" : "message"]: message
  }
}

/** What the SDK answers, in the form that the recorder keeps it in. */
export const answer = (stack: Pick<Stack.Stack, "lambda">, input: InvokeCommandInput): Effect.Effect<unknown> =>
  Effect.match(Stack.send(stack, input), {
    onSuccess: (output) => {
      const { $metadata, Payload: _, ...members } = output
      return {
        ...Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)),
        Payload: payloadOf(Stack.textOf(output)),
        ResponseMetadata: metadata($metadata.httpStatusCode)
      }
    },
    onFailure: (refusal) => ({
      Error: { Code: refusal.name, Message: refusal.message },
      ...(unmodelled.has(refusal.name) ? {} : membersOf(refusal)),
      ResponseMetadata: metadata(refusal.$metadata.httpStatusCode)
    })
  })
