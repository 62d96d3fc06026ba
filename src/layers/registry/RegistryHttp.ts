/**
 * One HTTP request and its answer: over TLS unless the host is named insecure, redirects included, and what proves who we are
 * goes to nobody but the server that it is meant for.
 */
import { Data, Effect, type Scope } from "effect"
import { readFile } from "node:fs/promises"
import type { Readable } from "node:stream"
import { getCACertificates } from "node:tls"
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici"
import { isLoopback } from "#domain/ImageReference"
import { AuthorityUnreadable } from "./AuthorityUnreadable.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

export interface Request {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly authorization?: string | undefined
  readonly body?: Uint8Array
}

export interface Answer {
  readonly status: number
  /** The first value, where a name has several. */
  readonly header: (name: string) => string | undefined
  /** Where it came from, after redirects. */
  readonly url: URL
  readonly body: Readable
}

/** There was no answer. */
export class Unanswered extends Data.TaggedError("Unanswered")<{
  readonly detail: string
  /** Asking once more would change nothing. */
  readonly isFinal: boolean
  readonly cause?: unknown
}> {}

export interface RegistryHttp {
  /** The answer is open until its scope ends; what is not read by then is not fetched. */
  readonly send: (request: Request) => Effect.Effect<Answer, Unanswered, Scope.Scope>
}

const redirects = new Set([301, 302, 303, 307, 308])

/** Errors of connections that the next attempt meets again. */
const isHopeless = (code: string): boolean => code === "ENOTFOUND" || /CERT|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL/.test(code)

/** What the library of TLS says of an answer in plain HTTP. */
const answeredPlainly = "ERR_SSL_WRONG_VERSION_NUMBER"

const detailOf = ({ code = "", message }: NodeJS.ErrnoException): string =>
  code === answeredPlainly
    ? "it answers in plain HTTP, and is not among the insecure registries"
    : message.trim() || code

const unanswered = (cause: unknown): Unanswered => {
  const error = cause as NodeJS.ErrnoException
  return new Unanswered({ detail: detailOf(error), isFinal: isHopeless(error.code ?? ""), cause })
}

/** Reading so much costs less than another connection. */
const drainedBytes = 16_384

/** Nobody reads it any more: what fails in it now is of no interest. Its connection is kept when little of it is left. */
export const discard = ({ body, header }: Answer): void => {
  body.on("error", () => undefined)
  if (Number(header("content-length")) <= drainedBytes) body.resume()
  else body.destroy()
}

/** Those that this process believes in any case, and those of the file. */
const authoritiesOf = ({ authorityPath }: RegistrySettings) =>
  authorityPath === undefined
    ? Effect.undefined
    : Effect.tryPromise({
        try: async () => [...getCACertificates(), await readFile(authorityPath, "utf8")],
        catch: (cause) => new AuthorityUnreadable({ path: authorityPath, detail: (cause as Error).message })
      })

/** Connections, directly to this machine, and by way of the proxies, if there are any, to others. */
const connections = Effect.fnUntraced(function* (settings: RegistrySettings, ca: ReadonlyArray<string> | undefined) {
  const trust = ca === undefined ? {} : { ca: [...ca] }
  const options = {
    connections: settings.connectionsPerHost,
    connect: { timeout: settings.connectLimitMs, ...trust },
    headersTimeout: settings.answerLimitMs,
    bodyTimeout: settings.silenceLimitMs
  }
  const open = <A extends Dispatcher>(make: () => A) =>
    Effect.acquireRelease(Effect.sync(make), (opened) => Effect.promise(() => opened.destroy()))
  const direct = yield* open(() => new Agent(options))
  const { http, https, none } = settings.proxies
  if (http === undefined && https === undefined) return () => direct
  // What is absent is given as empty: the library would look into the environment for it.
  const places = { httpProxy: http ?? "", httpsProxy: https ?? "", noProxy: none }
  const tunnel = { connectTimeout: settings.connectLimitMs, requestTls: trust }
  const proxied = yield* open(() => new EnvHttpProxyAgent({ ...options, ...places, ...tunnel }))
  return ({ host }: URL): Dispatcher => (isLoopback(host) ? direct : proxied)
})

export const make = Effect.fnUntraced(function* (settings: RegistrySettings) {
  const ca = yield* authoritiesOf(settings)
  const connectionTo = yield* connections(settings, ca)
  const warned = new Set<string>()
  // As addresses have them: in lower case, and without a port that goes without saying.
  const insecureHosts = new Set([...settings.insecureHosts].map((host) => URL.parse(`http://${host}`)?.host ?? host))

  /** Plain HTTP is spoken only where an operator wants it, and he is told. */
  const permit = Effect.fnUntraced(function* ({ host, protocol }: URL) {
    if (protocol === "https:") return
    if (protocol !== "http:" || !insecureHosts.has(host)) {
      return yield* new Unanswered({
        detail: `${protocol}//${host} is not encrypted, and ${host} is not among the insecure registries`,
        isFinal: true
      })
    }
    if (warned.has(host)) return
    warned.add(host)
    if (isLoopback(host)) return
    yield* Effect.logWarning(`Registry ${host} is spoken to in plain HTTP: whoever is in between can change images`)
  })

  const once = ({ authorization, body, headers, method, url }: Request) =>
    Effect.acquireRelease(
      Effect.tryPromise({
        try: async (signal): Promise<Answer> => {
          const answer = await connectionTo(url).request({
            origin: url.origin,
            path: `${url.pathname}${url.search}`,
            method,
            headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
            body: body ?? null,
            signal
          })
          const header = (name: string): string | undefined => [answer.headers[name] ?? []].flat()[0]
          return { status: answer.statusCode, header, url, body: answer.body }
        },
        catch: unanswered
      }),
      (answer) => Effect.sync(() => discard(answer)),
      { interruptible: true }
    )

  const follow = (request: Request, hops: number): Effect.Effect<Answer, Unanswered, Scope.Scope> =>
    Effect.gen(function* () {
      yield* permit(request.url)
      const answer = yield* once(request)
      const location = answer.header("location")
      const isReading = request.method === "GET" || request.method === "HEAD"
      if (!redirects.has(answer.status) || !isReading || location === undefined) return answer
      discard(answer)
      if (hops === settings.redirectLimit) {
        return yield* new Unanswered({ detail: `more than ${settings.redirectLimit} redirects`, isFinal: true })
      }
      if (!URL.canParse(location, request.url.href)) {
        return yield* new Unanswered({ detail: "a redirect leads nowhere", isFinal: true })
      }
      const url = new URL(location, request.url)
      const authorization = url.origin === request.url.origin ? request.authorization : undefined
      return yield* follow({ ...request, url, authorization }, hops + 1)
    })

  return { send: (request) => follow(request, 0) } satisfies RegistryHttp
})
