/** Tables for tests: known by name and key, without items. A table is `ACTIVE` at the second look, as no store has it at once. */
import { Effect, Layer } from "effect"
import { asStored, type StoredTable } from "#domain/Table"
import { TableExists, TableNotFound, TableStore } from "#services/TableStore"

export const layer: Layer.Layer<TableStore> = Layer.sync(TableStore, () => {
  const tables = new Map<string, StoredTable>()
  return {
    find: (tableName) =>
      Effect.suspend(() => {
        const table = tables.get(tableName)
        if (table === undefined) return Effect.fail(new TableNotFound({ tableName }))
        tables.set(tableName, { ...table, status: "ACTIVE" })
        return Effect.succeed(table)
      }),
    create: (table) =>
      Effect.suspend(() => {
        const tableName = table.TableName
        if (tables.has(tableName)) return Effect.fail(new TableExists({ tableName }))
        tables.set(tableName, asStored(table, "CREATING"))
        return Effect.void
      })
  }
})
