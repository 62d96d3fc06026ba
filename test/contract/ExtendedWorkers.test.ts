import { containerdEngine, dockerEngine } from "#test/support/ContainerEngines"
import { suite } from "./ExtendedWorkersContract.ts"

suite(dockerEngine)
suite(containerdEngine)
