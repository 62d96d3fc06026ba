import { needs } from "#test/support/Engines"
import * as LogStores from "#test/support/LogStores"
import { suite } from "./VictoriaLogsContract.ts"

suite("a recorder", LogStores.recorder(), {})

suite("itself", LogStores.victoriaLogs, needs("victorialogs"))
