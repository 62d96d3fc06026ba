import { containerdEngine, dockerEngine } from "#test/support/ContainerEngines"
import { suite } from "./ProtocolsContract.ts"

suite(dockerEngine)
suite(containerdEngine)
