/** How a command speaks: results on stdout, for people or as JSON; everything else on stderr. */
import { Context, Effect } from "effect"
import { styleText } from "node:util"
import { Json } from "./Globals.ts"

type Style = Parameters<typeof styleText>[0]

/** Colour where the stream is a terminal that wants it. */
export const onStdout = (style: Style, text: string) => styleText(style, text, { stream: process.stdout })
export const onStderr = (style: Style, text: string) => styleText(style, text, { stream: process.stderr })

export interface Voice {
  readonly json: boolean
  /** A result: as one line of JSON, or as `told` for people. */
  readonly result: (value: unknown, told: () => string) => Effect.Effect<void>
  /** What goes on, for people only. */
  readonly note: (line: string) => void
  /** Something that a reader should look at; also without a terminal, and with `--json`. */
  readonly warn: (line: string) => void
}

/** Whether this command is a step of another one, which has a result of its own. */
const IsStep = Context.Reference("esb/programs/esb/Voice/IsStep", { defaultValue: () => false })

/** Runs a command as a step of another one: its result is a note. */
export const asStep = <A, E, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(command, IsStep, true)

export const voice: Effect.Effect<Voice, never, typeof Json.Identifier> = Effect.gen(function* () {
  const json = yield* Json
  const isStep = yield* IsStep
  const note = (line: string): void => {
    if (!json) process.stderr.write(`${line}\n`)
  }
  return {
    json,
    result: (value, told) =>
      Effect.sync(() => {
        if (isStep) note(told())
        else process.stdout.write(`${json ? JSON.stringify(value) : told()}\n`)
      }),
    note,
    warn: (line) => {
      process.stderr.write(`${onStderr("yellow", "warning:")} ${line}\n`)
    }
  }
})

/** Rows under their headings, in columns. */
export const table = (headings: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? "").length))
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return [onStdout("bold", line(headings)), ...rows.map(line)].join("\n")
}

/** `3 s`, `4 min`, `2 h`, `5 d`: how long ago something was. */
export const age = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}
