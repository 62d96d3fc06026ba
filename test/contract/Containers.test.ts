import { containerdEngine, dockerEngine } from "#test/support/ContainerEngines"
import { suite } from "./ContainersContract.ts"

suite(dockerEngine)
suite(containerdEngine)
