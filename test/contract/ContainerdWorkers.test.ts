import { describe } from "@effect/vitest"
import * as Containerd from "#test/support/Containerd"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { suite } from "./ContainerRuntimeContract.ts"

for (const { name, needed, series } of Containerd.everyVersion("cni")) {
  describe(`workers in containers of ${name}`, needed, () => {
    suite(name, ContainerdWorkers.layer({}, { series }), { measures: true, artifacts: false })
  })
}
