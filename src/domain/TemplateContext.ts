/** What the readers of single resources share. */
import type { TemplateReferences } from "./TemplateReferences.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"

/** As `Architectures` spells them. */
export type Architecture = "x86_64" | "arm64"

export interface TemplateContext {
  readonly scope: TemplateScope
  readonly resources: ReadonlyMap<string, TemplateResource>
  readonly nameOf: TemplateReferences["nameOf"]
  readonly find: TemplateReferences["find"]
  /** Of the machine that will run the functions, when it is known. */
  readonly architecture: Architecture | undefined
}
