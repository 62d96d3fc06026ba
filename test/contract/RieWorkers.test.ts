import { describe } from "@effect/vitest"
import { emulatorNames, needsEmulator } from "#test/support/Emulators"
import * as RieWorkers from "#test/support/RieWorkers"
import { suite } from "./ContainerRuntimeContract.ts"

for (const name of emulatorNames) {
  describe("workers behind an emulator", needsEmulator(name), () => {
    suite(name, RieWorkers.layer(name), { measures: false, protocol: "rie", seesCalls: false })
  })
}
