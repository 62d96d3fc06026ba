import { defineConfig } from "vitest/config"

/** One kind of test: a folder under `test/`, its place in the order, and how many of its files run at once. */
const kind = (name: string, groupOrder: number, testTimeoutMs: number, maxWorkers: number | string) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`] as Array<string>,
    testTimeout: testTimeoutMs,
    hookTimeout: 2 * testTimeoutMs,
    maxWorkers,
    sequence: { groupOrder }
  }
})

/** Of those that open real sockets and start real processes: most of their time is waiting. */
const filesAtOnce = 2

const endToEnd = kind("e2e", 4, 30_000, filesAtOnce)

/** What concerns an invocation, once more: by a Gateway whose workers live behind an Agent of its own, over mTLS. */
const behindAnAgent = {
  ...endToEnd,
  test: {
    ...endToEnd.test,
    name: "agent",
    include: ["Invoke*", "BadInputFunction", "Disconnect", "EventsRetries", "EventsDurability", "RoutesResponse"].map(
      (clause) => `test/e2e/${clause}.test.ts`
    ),
    env: { ESB_AGENT: "1" },
    sequence: { groupOrder: 5 }
  }
}

export default defineConfig({
  test: {
    pool: "forks",
    environment: "node",
    reporters: [["default", { summary: false }], "./test/support/ClosingLine.ts"],
    passWithNoTests: false,
    globalSetup: "./test/support/TemporaryFiles.ts",
    // Cheap ones first. Real sockets and processes take real time, so few of the files that open them run at once.
    projects: [
      kind("unit", 1, 10_000, "100%"),
      kind("tidy", 2, 60_000, 1),
      kind("contract", 3, 30_000, filesAtOnce),
      endToEnd,
      behindAnAgent
    ]
  }
})
