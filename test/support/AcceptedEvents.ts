/** Events of the sample `events`: sent, watched, and found again in what their runs have left. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { eventually } from "./Eventually.ts"
import type * as HttpCaller from "./HttpCaller.ts"
import type { Running } from "./RoutedStack.ts"

export interface StoredEvent {
  readonly id: string
  readonly functionName: string
  readonly state: "ready" | "running" | "failed"
  readonly failures: number
  readonly crashes: number
  readonly reason?: string
}

/** Where the runs of one test leave their lines. */
export const fileOf = (stack: Running, name: string): string => join(stack.directory, `${name}.runs`)

/** Sends an event with a payload; the stack runs with `INVOKE_AUTH=none`. */
export const send = (
  stack: Pick<Running, "ask">,
  functionName: string,
  payload: unknown
): Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer> =>
  stack.ask({
    method: "POST",
    target: `/2015-03-31/functions/${functionName}/invocations`,
    headers: { "x-amz-invocation-type": "Event" },
    body: JSON.stringify(payload)
  })

/** Sends an event that must be accepted; answers its request id. */
export const accepted = Effect.fnUntraced(function* (stack: Running, functionName: string, payload: unknown) {
  const answer = yield* send(stack, functionName, payload)
  const requestId = answer.header("x-amzn-requestid")
  if (answer.status !== 202 || requestId === undefined) {
    return yield* Effect.die(new Error(`${functionName} answered ${answer.status}: ${answer.text}`))
  }
  return requestId
})

const linesOf = (path: string): ReadonlyArray<string> =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []

/** How often each request id has run, in order of its first run. */
export const runsIn = (file: string): ReadonlyMap<string, number> => {
  const runs = new Map<string, number>()
  for (const line of linesOf(file)) {
    const requestId = line.split(" ")[1] ?? ""
    runs.set(requestId, (runs.get(requestId) ?? 0) + 1)
  }
  return runs
}

/** What the destination of these events was told, in order. */
export const recordsIn = (file: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  linesOf(`${file}.records`).map((line) => JSON.parse(line))

/** The newest events that have not ended well, at most so many. */
export const stored = (stack: Running, limit = 100): Effect.Effect<ReadonlyArray<StoredEvent>, HttpCaller.NoAnswer> =>
  Effect.map(
    stack.askWithToken({ target: `/_esb/events?limit=${limit}` }),
    (answer) => (answer.json() as { readonly events: ReadonlyArray<StoredEvent> }).events
  )

/** The event of a request id, once it is as it should be; `undefined` when it has ended well. */
export const untilStored = (
  stack: Running,
  requestId: string,
  what: string,
  holds: (event: StoredEvent | undefined) => boolean,
  withinMs = 15_000
) =>
  eventually(
    `event ${requestId} ${what}`,
    Effect.map(stored(stack), (events) => events.find(({ id }) => id === requestId)),
    holds,
    withinMs
  )
