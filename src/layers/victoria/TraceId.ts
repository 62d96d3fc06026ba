/** How a trace is called where names of traces are 32 hex digits. */
import { createHash } from "node:crypto"
import { hexTraceId } from "#domain/Span"

/** The digits of the root; those of its hash where a caller made up a root in a form of his own. */
export const of = (root: string): string =>
  hexTraceId(root) ?? createHash("sha256").update(root).digest("hex").slice(0, 32)
