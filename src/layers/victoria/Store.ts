/** A store that takes lines by HTTP, on one connection that is kept. */
import { Buffer } from "node:buffer"
import { Data, Effect, type Scope } from "effect"
import { Client } from "undici"
import type { ShipLimits } from "./ShipLimits.ts"

/** The store did not take the lines. */
export class NotTaken extends Data.TaggedError("NotTaken")<{
  readonly detail: string
  /** It may take them later. */
  readonly mayPass: boolean
}> {}

/** What a request to the store is made of. */
export interface Door {
  /** Below the path of the store's URL, with its query. */
  readonly path: string
  readonly contentType: string
  readonly body: (lines: ReadonlyArray<string>) => string
}

export interface Store {
  readonly send: (lines: ReadonlyArray<string>) => Effect.Effect<void, NotTaken>
}

/** Characters of an answer that tells why not. */
const reasonCharacters = 500
const mostAnswerBytes = 65_536
const keepAliveMs = 60_000

/** What may be otherwise the next time: the store is behind, or away. */
const passing = new Set([408, 425, 429])
const mayPass = (status: number): boolean => status >= 500 || passing.has(status)

const basicAuthorization = ({ password, username }: URL): Readonly<Record<string, string>> => {
  if (username === "" && password === "") return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` }
}

const wordsOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message || ("code" in error ? String(error.code) : error.name)
}

/** @param url of the store; a user and a password in it are sent as basic authorization */
export const open = (url: string, door: Door, limits: ShipLimits): Effect.Effect<Store, never, Scope.Scope> => {
  const at = new URL(url)
  const path = at.pathname.replace(/\/+$/, "") + door.path
  const headers = { "content-type": door.contentType, ...basicAuthorization(at) }
  const answer = async (client: Client, body: string, signal: AbortSignal): Promise<NotTaken | undefined> => {
    const response = await client.request({ method: "POST", path, headers, body, signal })
    if (response.statusCode >= 200 && response.statusCode < 300) {
      await response.body.dump()
      return undefined
    }
    const reason = (await response.body.text()).trim().slice(0, reasonCharacters)
    return new NotTaken({
      detail: `the store answered ${response.statusCode}${reason === "" ? "" : `: ${reason}`}`,
      mayPass: mayPass(response.statusCode)
    })
  }
  return Effect.map(
    Effect.acquireRelease(
      Effect.sync(
        () =>
          new Client(at.origin, {
            pipelining: 1,
            allowH2: false,
            keepAliveTimeout: keepAliveMs,
            headersTimeout: 0,
            bodyTimeout: 0,
            maxResponseSize: mostAnswerBytes,
            connect: { timeout: limits.connectLimitMs }
          })
      ),
      (client) => Effect.promise(() => client.destroy())
    ),
    (client) => ({
      send: (lines) =>
        Effect.tryPromise({
          try: (signal) => answer(client, door.body(lines), signal),
          catch: (error) => new NotTaken({ detail: wordsOf(error), mayPass: true })
        }).pipe(
          Effect.timeoutOrElse({
            duration: limits.answerLimitMs,
            orElse: () =>
              Effect.fail(new NotTaken({ detail: `no answer within ${limits.answerLimitMs} ms`, mayPass: true }))
          }),
          Effect.flatMap((refusal) => (refusal === undefined ? Effect.void : Effect.fail(refusal)))
        )
    })
  )
}
