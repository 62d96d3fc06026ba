import { defineConfig } from "vitest/config"

/** One kind of test: a folder under `test/`, its deadline, and whether its files may share the machine. */
const kind = (name: string, order: number, testTimeoutMs: number, fileParallelism: boolean) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: testTimeoutMs,
    hookTimeout: 2 * testTimeoutMs,
    fileParallelism,
    sequence: { groupOrder: order }
  }
})

export default defineConfig({
  test: {
    pool: "forks",
    environment: "node",
    reporters: [["default", { summary: false }], "./test/support/ClosingLine.ts"],
    passWithNoTests: false,
    // Real sockets and processes measure time, so the files that open them run one after another.
    projects: [
      kind("unit", 0, 10_000, true),
      kind("contract", 1, 30_000, false),
      kind("e2e", 2, 30_000, false),
      kind("tidy", 3, 60_000, false)
    ]
  }
})
