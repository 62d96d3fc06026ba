/** What was found while a template is read. Reading goes on after a finding, so that all of them are shown together. */
import type { TemplateNotice } from "./Stack.ts"
import type { TemplateProblem } from "./TemplateInvalid.ts"
import type { TemplatePlace, TemplateUnknown } from "./TemplateNode.ts"

export interface TemplateReport {
  /** Never deployable. Answers the unknown value that stands in for the one that is wrong. */
  readonly problem: (place: TemplatePlace, message: string) => TemplateUnknown
  /** Deployable on AWS, not here: a problem, or with `allowUnsupported` a warning. Answers whether it is let through. */
  readonly unsupported: (place: TemplatePlace, message: string) => boolean
  /** Deployed, and not as it would be on AWS. */
  readonly warning: (place: TemplatePlace, message: string) => void
  readonly problems: () => ReadonlyArray<TemplateProblem>
  readonly warnings: () => ReadonlyArray<TemplateNotice>
}

export const make = (allowUnsupported: boolean): TemplateReport => {
  const problems = new Map<string, TemplateProblem>()
  const warnings = new Map<string, TemplateNotice>()
  // A value may be worked out more than once; what is wrong with it is said once.
  const add = (found: Map<string, TemplateProblem>, { line, path }: TemplatePlace, message: string) => {
    found.set(JSON.stringify([line, path, message]), { line, path: path === "" ? "template" : path, message })
  }
  const inOrder = (found: ReadonlyMap<string, TemplateProblem>) =>
    [...found.values()].toSorted((a, b) => a.line - b.line)
  return {
    problem: (place, message) => {
      add(problems, place, message)
      return { _tag: "Unknown", place }
    },
    unsupported: (place, message) => {
      add(allowUnsupported ? warnings : problems, place, message)
      return allowUnsupported
    },
    warning: (place, message) => add(warnings, place, message),
    problems: () => inOrder(problems),
    warnings: () => inOrder(warnings)
  }
}
