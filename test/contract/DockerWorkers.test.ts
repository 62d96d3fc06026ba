import { describe } from "@effect/vitest"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import { suite } from "./ContainerRuntimeContract.ts"

describe("workers in containers", needs("docker"), () => {
  suite("docker", DockerWorkers.layer(), { measures: true, artifacts: false })
})
