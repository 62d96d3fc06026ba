/**
 * The next full minute, as near as a test wants it: for processes that are started with the {@link environment}, the clock
 * runs ahead of the machine's.
 */
const variable = "ESB_TEST_CLOCK_AHEAD_MS"

/** Makes a process, and all that it starts with its own environment, believe that the next minute begins after `ms`. */
export const environment = (ms: number): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import=${import.meta.url}`,
  [variable]: String(60_000 - ((Date.now() + ms) % 60_000))
})

const aheadMs = process.env[variable]
if (aheadMs !== undefined) {
  const realNow = Date.now
  const now = (): number => realNow() + Number(aheadMs)
  globalThis.Date = new Proxy(Date, {
    construct: (target, parts, made) => Reflect.construct(target, parts.length === 0 ? [now()] : parts, made),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name))
  })
}
