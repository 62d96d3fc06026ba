/** `Metadata.BuildProperties` of `BuildMethod: esbuild`. */
import { Effect, Schema, SchemaIssue } from "effect"
import * as Suggestion from "#domain/Suggestion"
import { Unbuildable } from "./Unbuildable.ts"

const Words = Schema.Array(Schema.String)
const Table = Schema.Record(Schema.String, Schema.String)

const BundleProperties = Schema.Struct({
  EntryPoints: Schema.optionalKey(Words),
  Format: Schema.optionalKey(Schema.Literals(["cjs", "esm"])),
  Target: Schema.optionalKey(Schema.String),
  Minify: Schema.optionalKey(Schema.Boolean),
  Sourcemap: Schema.optionalKey(Schema.Union([Schema.Boolean, Schema.Literals(["linked", "inline", "external"])])),
  SourcesContent: Schema.optionalKey(Schema.Boolean),
  KeepNames: Schema.optionalKey(Schema.Boolean),
  External: Schema.optionalKey(Words),
  MainFields: Schema.optionalKey(Words),
  Loader: Schema.optionalKey(Words),
  Banner: Schema.optionalKey(Table),
  Footer: Schema.optionalKey(Table),
  Define: Schema.optionalKey(Table),
  OutExtension: Schema.optionalKey(Words)
})
export type BundleProperties = typeof BundleProperties.Type

const known = Object.keys(BundleProperties.fields)

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => (issue._tag === "UnexpectedKey" ? "not known" : SchemaIssue.defaultLeafHook(issue))
})

/** One line for each property that is wrong. */
const complaintsOf = (issue: SchemaIssue.Issue): string =>
  format(issue)
    .issues.map(({ message, path = [] }) => {
      const steps = path.map(String)
      const meant = message === "not known" ? Suggestion.of(steps.at(-1) ?? "", known) : ""
      return `${["BuildProperties", ...steps].join(".")}: ${message}${meant}`
    })
    .join("\n")

export const decode = (written: Readonly<Record<string, unknown>>) =>
  Schema.decodeEffect(BundleProperties, { onExcessProperty: "error", errors: "all" })(written).pipe(
    Effect.mapError(({ issue }) => new Unbuildable({ detail: complaintsOf(issue) }))
  )
