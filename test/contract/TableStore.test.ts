import { Effect, Layer } from "effect"
import * as DynamoTableStore from "#layers/aws/DynamoTableStore"
import * as MemoryTableStore from "#layers/memory/MemoryTableStore"
import * as StoreServers from "#test/support/StoreServers"
import { suite } from "./TableStoreContract.ts"

suite("memory", MemoryTableStore.layer)

suite("dynalite", Layer.unwrap(Effect.map(StoreServers.tables(), DynamoTableStore.layer)))
