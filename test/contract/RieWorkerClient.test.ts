import { emulatorNames } from "#test/support/Emulators"
import { suite } from "./RieWorkerClientContract.ts"

for (const name of emulatorNames) suite(name)
