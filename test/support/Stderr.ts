/** What a program says on stderr, kept from the reader of the tests. */
import { vi } from "@effect/vitest"
import { Effect } from "effect"

/** The lines of JSON that are written while the scope lasts. */
export const complaints = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => vi.spyOn(process.stderr, "write").mockReturnValue(true)),
    (spy) => Effect.sync(() => spy.mockRestore())
  ),
  (spy) => () => spy.mock.calls.map(([text]) => JSON.parse(String(text)) as Record<string, unknown>)
)
