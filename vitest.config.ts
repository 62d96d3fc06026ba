import { defineConfig } from "vitest/config"

/** One kind of test: a folder under `test/`, its place in the order, and how many of its files run at once. */
const kind = (name: string, groupOrder: number, testTimeoutMs: number, maxWorkers: number | string) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: testTimeoutMs,
    hookTimeout: 2 * testTimeoutMs,
    maxWorkers,
    sequence: { groupOrder }
  }
})

export default defineConfig({
  test: {
    pool: "forks",
    environment: "node",
    reporters: [["default", { summary: false }], "./test/support/ClosingLine.ts"],
    passWithNoTests: false,
    // Cheap ones first. Real sockets and processes take real time, so the files that open them run one after another.
    projects: [
      kind("unit", 1, 10_000, "100%"),
      kind("tidy", 2, 60_000, 1),
      kind("contract", 3, 30_000, 1),
      kind("e2e", 4, 30_000, 1)
    ]
  }
})
