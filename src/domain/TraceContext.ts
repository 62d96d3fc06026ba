/**
 * The value of `X-Amzn-Trace-Id`: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`.
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export interface TraceContext {
  /** `1-<8 hex digits of the Unix time in seconds>-<24 hex digits>`, or what the caller uses in its place. */
  readonly root: string
  readonly parent: string | undefined
  /** `1`, `0` or `?`. */
  readonly sampled: string
}

/** Longer headers are not looked at. */
const maxCharacters = 512

const identifier = /^[A-Za-z0-9-]{1,128}$/

/** A new trace from a moment and 24 random hex digits. */
export const make = (atUnixMs: number, digits: string, sampled: "0" | "1" = "1"): TraceContext => ({
  root: `1-${Math.floor(atUnixMs / 1000)
    .toString(16)
    .padStart(8, "0")}-${digits}`,
  parent: undefined,
  sampled
})

/** A new trace from now. */
export const generate = (sampled: "0" | "1" = "1"): TraceContext =>
  make(Date.now(), crypto.randomUUID().replaceAll("-", "").slice(8), sampled)

const valueIfPlain = (value: string | undefined): string | undefined =>
  value !== undefined && identifier.test(value) ? value : undefined

/**
 * Reads what a caller sent: `Root`, `Parent` and `Sampled` in any order, or a bare root id. Other fields are dropped.
 * `undefined` when there is no root in it, so that a new trace begins.
 */
export const parse = (header: string): TraceContext | undefined => {
  if (header.length > maxCharacters) {
    return undefined
  }
  const fields = new Map<string, string>()
  for (const part of header.split(";")) {
    const text = part.trim()
    const mark = text.indexOf("=")
    if (mark > 0) {
      fields.set(text.slice(0, mark), text.slice(mark + 1))
    } else if (mark < 0 && text.includes("-")) {
      fields.set("Root", text)
    }
  }
  const root = valueIfPlain(fields.get("Root"))
  const sampled = fields.get("Sampled")
  return root === undefined
    ? undefined
    : {
        root,
        parent: valueIfPlain(fields.get("Parent")),
        sampled: sampled === "0" || sampled === "?" ? sampled : "1"
      }
}

/** `Root`, `Parent` if there is one, `Sampled`: the order in which functions and logs see them. */
export const format = (trace: TraceContext): string =>
  `Root=${trace.root}${trace.parent === undefined ? "" : `;Parent=${trace.parent}`};Sampled=${trace.sampled}`

/** Whether the operations of this trace are wanted. Asked of every call: the text is as {@link format} writes it. */
export const isSampled = (formatted: string): boolean => formatted.endsWith(";Sampled=1")
