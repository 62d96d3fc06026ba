/** Prepared statements as functions. The tables are STRICT, so a row has the types that its table's format names. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"

type Values = ReadonlyArray<SQLInputValue>

/** The first row. */
export const one = <Row>(database: DatabaseSync, sql: string): ((...values: Values) => Row | undefined) => {
  const statement = database.prepare(sql)
  return (...values) => statement.get(...values) as Row | undefined
}

export const all = <Row>(database: DatabaseSync, sql: string): ((...values: Values) => ReadonlyArray<Row>) => {
  const statement = database.prepare(sql)
  return (...values) => statement.all(...values) as ReadonlyArray<unknown> as ReadonlyArray<Row>
}

/** Rows one at a time, for who may stop before the last. */
export const each = <Row>(database: DatabaseSync, sql: string): ((...values: Values) => Iterable<Row>) => {
  const statement = database.prepare(sql)
  return (...values) => statement.iterate(...values) as Iterable<unknown> as Iterable<Row>
}

/** Changes rows; tells how many, and the key of the last new one. */
export const change = (
  database: DatabaseSync,
  sql: string
): ((...values: Values) => { readonly changes: number; readonly key: number }) => {
  const statement = database.prepare(sql)
  return (...values) => {
    const { changes, lastInsertRowid } = statement.run(...values)
    return { changes: Number(changes), key: Number(lastInsertRowid) }
  }
}
