/**
 * Whether a server of this container answers: `health.js <url> [authority.pem]`. Exit code 0 for an answer of 2xx, 1 for anything
 * else with one line of why on stderr, 2 for wrong usage. Made for images without a shell, and to start fast: nothing but Node.
 */
import { readFileSync } from "node:fs"
import { get as getPlain, type IncomingMessage } from "node:http"
import { get as getSecurely } from "node:https"

/** From the start to the end of the answer. */
const limitMs = 4_000

const [url = "", authorityPath] = process.argv.slice(2)

const end = (code: number, why?: string): never => {
  if (why !== undefined) process.stderr.write(`${why}\n`)
  process.exit(code)
}

if (!URL.canParse(url)) end(2, "usage: health.js <url> [authority.pem]")

const fail = (why: string) => end(1, `${url}: ${why}`)

/** The authority that certified the server, in place of the public ones. */
const authority = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    return fail(cause instanceof Error ? cause.message : String(cause))
  }
}

const options = {
  signal: AbortSignal.timeout(limitMs),
  ...(authorityPath === undefined ? {} : { ca: authority(authorityPath) })
}

const judge = (answer: IncomingMessage) => {
  const { statusCode = 0 } = answer
  answer.resume()
  answer.once("end", () => (statusCode >= 200 && statusCode < 300 ? end(0) : fail(`answers ${statusCode}`)))
}

const request = url.startsWith("https:") ? getSecurely(url, options, judge) : getPlain(url, options, judge)

request.once("error", (cause) =>
  fail(options.signal.aborted ? `no whole answer within ${limitMs} ms` : cause.message || String(cause))
)
