/** The stack that a template asks for, with the parameters that count. */
import { Effect, Result, Schema } from "effect"
import { relative } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { TemplateNotice } from "#domain/Stack"
import * as Template from "#domain/Template"
import type { TemplateInvalid, TemplateProblem } from "#domain/TemplateInvalid"
import * as TemplateFile from "#layers/files/TemplateFile"
import type { Parameters } from "./KeptParameters.ts"
import { CommandFailed } from "./Refusal.ts"
import type { BuildSettings } from "./Settings.ts"

export interface TemplateRequest {
  /** Absolute. */
  readonly template: string
  /** Those given now. */
  readonly parameters: Parameters
  /** Those of an earlier deploy: they count where none is given now, and the template still has them. */
  readonly kept: Parameters
  readonly settings: BuildSettings
}

/** A path as a person at this terminal would write it. */
const near = (path: string): string => {
  const short = relative(process.cwd(), path)
  return short === "" || short.startsWith("..") ? path : short
}

/** A refusal with a way around it, when some of it is only for what is not offered here. */
const withAdvice = (refused: TemplateInvalid, asked: Template.TemplateRequest) => {
  const allowed = Template.resolve({ ...asked, allowUnsupported: true })
  const left = Result.isFailure(allowed) ? allowed.failure.problems : []
  const isOnlyUnoffered = (problem: TemplateProblem) => !left.some((each) => isDeepStrictEqual(each, problem))
  return refused.problems.some(isOnlyUnoffered)
    ? new CommandFailed({
        message: `${refused.message}\nWith --allow-unsupported, what is not supported is left out with a warning.`
      })
    : refused
}

const Declaring = Schema.Struct({ Parameters: Schema.Record(Schema.String, Schema.Unknown) })

export const read = Effect.fnUntraced(function* ({ kept, parameters: given, settings, template }: TemplateRequest) {
  const { document, file, lineOf } = yield* TemplateFile.read(near(template))
  const declared = Schema.is(Declaring)(document) ? document.Parameters : {}
  const still = Object.entries(kept).filter(([name]) => Object.hasOwn(declared, name))
  const parameters: Parameters = { ...Object.fromEntries(still), ...given }
  const { allowUnsupported, region } = settings
  const asked = { file, document, lineOf, parameters, region, allowUnsupported }
  const stack = yield* Effect.fromResult(
    Result.mapError(Template.resolve(asked), (refused) => withAdvice(refused, asked))
  )
  return { stack, parameters }
})

/** What a template says that is not, or not fully, honoured, with its place. */
export const told = (template: string, { line, message, path }: TemplateNotice): string =>
  `${near(template)}:${line}: ${path}: ${message}`
