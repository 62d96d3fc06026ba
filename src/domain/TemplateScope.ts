/** What the names in a template stand for while its values are worked out. */
import type { TemplateMap, TemplateNode, TemplatePlace } from "./TemplateNode.ts"
import type { TemplateReport } from "./TemplateReport.ts"

/** Text or a list of texts; `undefined` when the value was wrong and has been reported. */
export type TemplateParameter = string | ReadonlyArray<string> | undefined

export interface TemplateScope {
  readonly report: TemplateReport
  /** Pseudo parameters such as `AWS::Region` included. */
  readonly parameters: ReadonlyMap<string, TemplateParameter>
  readonly mappings: TemplateMap | undefined
  /** `undefined` when it cannot be decided, which has been reported. */
  readonly condition: (name: string, place: TemplatePlace) => boolean | undefined
  /** What `Ref` (no attribute) or `Fn::GetAtt` of a resource answers. */
  readonly resource: (logicalId: string, attribute: string | undefined, place: TemplatePlace) => TemplateNode
}
