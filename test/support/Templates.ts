/** Templates for tests: written as YAML, resolved, and their stack or their problems taken apart. */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import type { Stack, StackFunction } from "#domain/Stack"
import * as Template from "#domain/Template"
import type { TemplateProblem } from "#domain/TemplateInvalid"
import * as TemplateFile from "#layers/files/TemplateFile"

export type Options = Partial<Omit<Template.TemplateRequest, "document" | "file" | "lineOf">>

/** The outcome of a template whose syntax is right. */
export const outcome = (text: string, options: Options = {}) => {
  const parsed = TemplateFile.parse("template.yaml", text)
  assert(Result.isSuccess(parsed), Result.isFailure(parsed) ? parsed.failure.message : "")
  return Template.resolve({ parameters: {}, ...parsed.success, ...options })
}

export const stackOf = (text: string, options: Options = {}): Stack => {
  const result = outcome(text, options)
  assert(Result.isSuccess(result), Result.isFailure(result) ? result.failure.message : "")
  return result.success
}

export const problemsOf = (text: string, options: Options = {}): ReadonlyArray<TemplateProblem> => {
  const result = outcome(text, options)
  assert(Result.isFailure(result), "the template is accepted")
  return result.failure.problems
}

/** The only function of a stack. */
export const onlyFunction = (stack: Stack): StackFunction => {
  const [found, ...others] = stack.functions
  assert(found !== undefined && others.length === 0, `${stack.functions.length} functions`)
  return found
}

/** Text in which every line after the first is moved right. */
export const indent = (text: string, by: number): string => text.trimEnd().replaceAll("\n", `\n${" ".repeat(by)}`)

/** A template with one function, whose further properties are given as YAML. */
export const withFunction = (properties: string, sections = ""): string => `${sections}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: nodejs24.x
      ${indent(properties, 6)}
`

/** The value of a variable of an environment that is given as YAML: the shortest way to see what an expression is worth. */
export const valueOf = (expression: string, sections = "", options: Options = {}): string | undefined =>
  onlyFunction(stackOf(withFunction(`Environment: {Variables: {VALUE: ${expression}}}`, sections), options))
    .environment["VALUE"]

/** The messages about such a value. */
export const messagesOf = (expression: string, sections = "", options: Options = {}): ReadonlyArray<string> =>
  problemsOf(withFunction(`Environment: {Variables: {VALUE: ${expression}}}`, sections), options).map(
    ({ message }) => message
  )
