/** What `resources.yml` says: the tables and buckets of a stack. A key that is not known here is refused by name. */
import { Schema } from "effect"
import { Bucket } from "./Bucket.ts"
import { reader } from "./ManifestFile.ts"
import { Table } from "./Table.ts"

const distinct =
  <A>(field: string, nameOf: (entry: A) => string) =>
  (entries: ReadonlyArray<A>) => {
    const names = entries.map(nameOf)
    return names.flatMap((name, position) =>
      names.indexOf(name) === position ? [] : [{ path: [position, field], issue: `"${name}" is there already` }]
    )
  }

const Tables = Schema.Array(Table).check(Schema.makeFilter(distinct("TableName", ({ TableName }) => TableName)))
const Buckets = Schema.Array(Bucket).check(Schema.makeFilter(distinct("BucketName", ({ BucketName }) => BucketName)))

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const File = Schema.Struct({
  resources: optional(
    Schema.Struct({
      dynamodb: optional(Tables),
      s3: optional(Buckets),
      /** Layers are built into the code of functions; there is nothing to provide. */
      layers: Schema.optionalKey(Schema.Unknown)
    })
  )
})

export const readFile = reader(File)

export interface Resources {
  readonly tables: ReadonlyArray<Table>
  readonly buckets: ReadonlyArray<Bucket>
}

export const resourcesOf = ({ resources }: typeof File.Type): Resources => ({
  tables: resources?.dynamodb ?? [],
  buckets: resources?.s3 ?? []
})
