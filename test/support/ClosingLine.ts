/** The end of every test run: what was skipped, by name and with the reason, then one line that counts. */
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from "vitest/node"

/** The reason a test gives for itself, else the nearest one around it. */
const reasonOf = (test: TestCase): string => {
  const result = test.result()
  if (result.state === "skipped" && result.note !== undefined) return result.note
  for (let at: TestCase | TestSuite | TestModule = test; at.type !== "module"; at = at.parent) {
    const { skipReason } = at.meta()
    if (skipReason !== undefined) return skipReason
  }
  return "no reason given"
}

/** Tests that ran to a verdict or were skipped; a file that cannot be loaded counts as one failure. */
const count = (modules: ReadonlyArray<TestModule>) => {
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  const inState = (state: string) => tests.filter((test) => test.result().state === state)
  const broken = modules.filter((module) => module.errors().length > 0).length
  const brokenSuites = modules
    .flatMap((module) => [...module.children.allSuites()])
    .filter((suite) => suite.errors().length > 0).length
  return {
    passed: inState("passed").length,
    failed: inState("failed").length + broken + brokenSuites,
    unfinished: inState("pending").length,
    skipped: inState("skipped")
  }
}

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>) {
    const { passed, failed, unfinished, skipped } = count(modules)
    const lines = skipped.map((test) => `  ${test.module.relativeModuleId} > ${test.fullName}\n    ${reasonOf(test)}`)
    const closing = [`${passed} passed`, `${failed + unfinished + unhandled.length} failed`]
    if (skipped.length > 0) closing.push(`${skipped.length} skipped`)
    process.stdout.write([...(lines.length > 0 ? ["Skipped:", ...lines, ""] : []), closing.join(", "), ""].join("\n"))
  }
}
