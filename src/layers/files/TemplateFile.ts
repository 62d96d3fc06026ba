/** A template on disk, read and parsed; what it means is decided by the domain. */
import { createReadStream } from "node:fs"
import { buffer } from "node:stream/consumers"
import { Effect, Result, Schema } from "effect"
import type { ParsedTemplate } from "./TemplateYaml.ts"
import * as TemplateYaml from "./TemplateYaml.ts"

/** What CloudFormation accepts from S3. */
const maximumBytes = 1024 * 1024

/** There is no such file, or it is not one to read as a template. */
export class TemplateUnreadable extends Schema.TaggedError<TemplateUnreadable>()("TemplateUnreadable", {
  file: Schema.String,
  detail: Schema.String,
  hint: Schema.String
}) {
  override get message() {
    return `${this.file}: ${this.detail} (${this.hint})`
  }
}

/** The text is neither YAML nor JSON. The first place is the one to look at; others may follow from it. */
export class TemplateSyntax extends Schema.TaggedError<TemplateSyntax>()("TemplateSyntax", {
  file: Schema.String,
  problems: Schema.NonEmptyArray(
    Schema.Struct({
      line: Schema.Int,
      column: Schema.Int,
      message: Schema.String,
      hint: Schema.UndefinedOr(Schema.String)
    })
  )
}) {
  override get message() {
    return this.problems
      .map(
        ({ line, column, message, hint }) =>
          `${this.file}:${line}:${column}: ${message}${hint === undefined ? "" : ` (${hint})`}`
      )
      .join("\n")
  }
}

export interface TemplateFile extends ParsedTemplate {
  /** As it was asked for. */
  readonly file: string
}

/** Fails with what is wrong with the file, or with its text. */
export const read = Effect.fn("TemplateFile.read")(function* (file: string) {
  const text = yield* Effect.fromResult(decode(file, yield* bytesOf(file)))
  return yield* Effect.fromResult(parse(file, text))
})

export const parse = (file: string, text: string): Result.Result<TemplateFile, TemplateSyntax> =>
  Result.mapBoth(TemplateYaml.parse(text), {
    onSuccess: (parsed) => ({ ...parsed, file }),
    onFailure: (problems) => new TemplateSyntax({ file, problems })
  })

const bytesOf = (file: string) =>
  Effect.tryPromise({
    // one byte more than allowed is enough to know that there are too many
    try: (signal) => buffer(createReadStream(file, { end: maximumBytes, signal })),
    catch: (cause) => unreadable(file, cause)
  })

const unreadable = (file: string, cause: unknown): TemplateUnreadable => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
  const known = reasons[code]
  return new TemplateUnreadable({
    file,
    detail: known?.detail ?? `it cannot be read: ${code}`,
    hint: known?.hint ?? "name a template file"
  })
}

const reasons: Readonly<Record<string, { readonly detail: string; readonly hint: string }>> = {
  ENOENT: { detail: "there is no such file", hint: "name a template, or make one with esb init" },
  EISDIR: { detail: "it is a directory", hint: "name the template in it" },
  EACCES: { detail: "it may not be read", hint: "look at its permissions" }
}

const decode = (file: string, bytes: Uint8Array): Result.Result<string, TemplateUnreadable> => {
  if (bytes.length > maximumBytes) {
    const detail = `it has more than ${maximumBytes} bytes`
    return Result.fail(new TemplateUnreadable({ file, detail, hint: "CloudFormation takes no template that large" }))
  }
  try {
    return Result.succeed(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return Result.fail(new TemplateUnreadable({ file, detail: "it is not UTF-8", hint: "save it as UTF-8" }))
  }
}
