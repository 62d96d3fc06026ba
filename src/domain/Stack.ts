/** What a template asks for, after parameters, conditions and intrinsics are resolved. Paths are as written: relative to the template. */
import type { FunctionName } from "./FunctionName.ts"
import type { AsynchronousPolicy, ScheduleSpec } from "./FunctionSpec.ts"
import type { Route } from "./Route.ts"

/** Where the code of a function comes from. */
export type FunctionCode =
  | {
      readonly _tag: "Zip"
      /** A directory, a `.zip` or a single file. */
      readonly codeUri: string
      readonly handler: string
      readonly runtime: string
      /** Logical ids of layers of the same template, in order. */
      readonly layers: ReadonlyArray<string>
      /** `Metadata.BuildMethod` and esbuild's `BuildProperties`, when given. */
      readonly buildMethod: string | undefined
      readonly buildProperties: Readonly<Record<string, unknown>>
    }
  | {
      readonly _tag: "Inline"
      readonly source: string
      readonly handler: string
      readonly runtime: string
      readonly layers: ReadonlyArray<string>
    }
  | { readonly _tag: "Image"; readonly imageUri: string }
  | {
      /** An image that is still to be built. */
      readonly _tag: "Dockerfile"
      /** The directory that it is built from. */
      readonly context: string
      /** Below the context. */
      readonly dockerfile: string
      /** The stage that is wanted; without one, the last. */
      readonly target: string | undefined
      readonly arguments: Readonly<Record<string, string>>
    }

/** What is an image, or becomes one by its own Dockerfile. */
export type ImageCode = Extract<FunctionCode, { readonly _tag: "Image" | "Dockerfile" }>
/** What runs by an interpreter of this machine, or of a base image. */
export type SourceCode = Exclude<FunctionCode, ImageCode>

export const isImage = (code: FunctionCode): code is ImageCode => code._tag === "Image" || code._tag === "Dockerfile"

export interface StackFunction {
  readonly logicalId: string
  readonly name: FunctionName
  readonly code: FunctionCode
  readonly timeoutMs: number
  readonly memoryMiB: number
  readonly environment: Readonly<Record<string, string>>
  /** `ReservedConcurrentExecutions`. */
  readonly maxCapacity: number | undefined
  /** `ProvisionedConcurrencyConfig`. */
  readonly minCapacity: number | undefined
  readonly asynchronous: Partial<AsynchronousPolicy>
  readonly schedules: ReadonlyArray<ScheduleSpec>
}

export interface StackLayer {
  readonly logicalId: string
  readonly name: string
  readonly contentUri: string
  readonly buildMethod: string | undefined
}

export interface Stack {
  readonly functions: ReadonlyArray<StackFunction>
  readonly layers: ReadonlyArray<StackLayer>
  readonly routes: ReadonlyArray<Route>
  /** Entries for `resources.yml`, spelled as the AWS APIs spell them. */
  readonly tables: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly buckets: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly warnings: ReadonlyArray<TemplateNotice>
}

/** Something a template says that is not, or not fully, honoured. */
export interface TemplateNotice {
  /** 1-based line of the template. */
  readonly line: number
  /** `Resources.Orders.Properties.VpcConfig` */
  readonly path: string
  readonly message: string
}
