/** A template that cannot be deployed, with everything that is wrong with it: one run shows a user all there is to mend. */
import { Schema } from "effect"

export const TemplateProblem = Schema.Struct({
  /** 1-based. */
  line: Schema.Int,
  /** `Resources.Orders.Properties.Timeout` */
  path: Schema.String,
  message: Schema.String
})
export type TemplateProblem = typeof TemplateProblem.Type

/** Holds at least one problem, in the order of the lines. */
export class TemplateInvalid extends Schema.TaggedError<TemplateInvalid>()("TemplateInvalid", {
  file: Schema.String,
  problems: Schema.NonEmptyArray(TemplateProblem)
}) {
  override get message() {
    return this.problems.map(({ line, path, message }) => `${this.file}:${line}: ${path}: ${message}`).join("\n")
  }
}
