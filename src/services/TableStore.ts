/** Where the tables of a stack live. */
import { Context, type Effect, Schema } from "effect"
import type { StoreFailure } from "#domain/StoreFailure"
import type { StoredTable, Table } from "#domain/Table"

/** The store has no table of this name. */
export class TableNotFound extends Schema.TaggedError<TableNotFound>()("TableNotFound", {
  tableName: Schema.String
}) {
  override get message() {
    return `There is no table ${this.tableName}`
  }
}

/** The store has a table of this name, or is about to have or to lose it. It was not touched. */
export class TableExists extends Schema.TaggedError<TableExists>()("TableExists", {
  tableName: Schema.String
}) {
  override get message() {
    return `There is a table ${this.tableName} already`
  }
}

export class TableStore extends Context.Service<
  TableStore,
  {
    readonly find: (tableName: string) => Effect.Effect<StoredTable, TableNotFound | StoreFailure>
    /** Begins to make it: it can be used when {@link find} tells that it is `ACTIVE`. */
    readonly create: (table: Table) => Effect.Effect<void, TableExists | StoreFailure>
  }
>()("esb/services/TableStore") {}
