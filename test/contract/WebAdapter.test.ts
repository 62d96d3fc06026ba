import { containerdEngine, dockerEngine } from "#test/support/ContainerEngines"
import { suite } from "./WebAdapterContract.ts"

suite(dockerEngine)
suite(containerdEngine)
