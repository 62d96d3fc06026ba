import { describe } from "@effect/vitest"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { suite } from "./ContainerRuntimeContract.ts"

describe("workers in containers of containerd", needs("containerd", "cni"), () => {
  suite("containerd", ContainerdWorkers.layer(), { measures: true, artifacts: false })
})
