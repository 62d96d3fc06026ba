/** Which registries are trusted how, and the limits of everything that is asked of them. */
import type { Redacted } from "effect"

export interface RegistryCredentials {
  readonly username: string
  readonly password: Redacted.Redacted
}

/** The way out to other machines, as the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name it. */
export interface Proxies {
  readonly http: string | undefined
  readonly https: string | undefined
  /** Hosts that are spoken to directly, separated by commas. This machine always is. */
  readonly none: string
}

export interface RegistrySettings {
  /** By host and port, as references name it. */
  readonly credentials: ReadonlyMap<string, RegistryCredentials>
  /** Hosts, with their ports, that are spoken to in plain HTTP. No other is, not even where a registry sends us. */
  readonly insecureHosts: ReadonlySet<string>
  /** PEM file of authorities that are believed besides the public ones. */
  readonly authorityPath: string | undefined
  readonly proxies: Proxies
  readonly connectionsPerHost: number
  readonly connectLimitMs: number
  /** Until an answer begins. */
  readonly answerLimitMs: number
  /** Between two pieces of a body. */
  readonly silenceLimitMs: number
  /** For a whole answer that is kept in memory. */
  readonly documentLimitMs: number
  /** For one blob on its way to us, whoever takes it from here included. */
  readonly transferLimitMs: number
  /** For telling a registry that an upload will not be finished: whoever gave it up does not wait for longer. */
  readonly callOffLimitMs: number
  readonly manifestLimitBytes: number
  readonly configLimitBytes: number
  readonly tokenLimitBytes: number
  /** How much of a refusal is read, to tell it. */
  readonly refusalLimitBytes: number
  /** Of a blob that is announced as larger, no byte is asked for. */
  readonly blobLimitBytes: number
  /** A blob that is larger goes up in parts of at least this size, and no more than a part is held in memory. */
  readonly chunkBytes: number
  readonly redirectLimit: number
  /** After the first attempt, and only of what may be done twice; also how often a blob that was cut off goes on. */
  readonly retryLimit: number
  /** Before the first retry; doubles each time. */
  readonly retryDelayMs: number
  /** A registry that asks us to wait for longer counts as unavailable. */
  readonly retryAfterLimitMs: number
  readonly rememberedTokens: number
  /** Of a token whose service does not say how long it is good. */
  readonly tokenLifetimeMs: number
  /** Before its end, a token is replaced. */
  readonly tokenMarginMs: number
  /** Blobs of one image under way at the same time. */
  readonly blobConcurrency: number
  /** Indexes within indexes. */
  readonly nestingLimit: number
  /** Manifests of one image, over all its platforms. */
  readonly manifestsLimit: number
}

const second = 1_000
const mebibyte = 1_048_576

export const defaults: RegistrySettings = {
  credentials: new Map(),
  insecureHosts: new Set(),
  authorityPath: undefined,
  proxies: { http: undefined, https: undefined, none: "" },
  connectionsPerHost: 8,
  connectLimitMs: 10 * second,
  answerLimitMs: 30 * second,
  silenceLimitMs: 30 * second,
  documentLimitMs: 60 * second,
  transferLimitMs: 3_600 * second,
  callOffLimitMs: 2 * second,
  manifestLimitBytes: 4 * mebibyte,
  configLimitBytes: 8 * mebibyte,
  tokenLimitBytes: mebibyte,
  refusalLimitBytes: 16_384,
  blobLimitBytes: 10_240 * mebibyte,
  chunkBytes: 8 * mebibyte,
  redirectLimit: 5,
  retryLimit: 4,
  retryDelayMs: 200,
  retryAfterLimitMs: 30 * second,
  rememberedTokens: 256,
  tokenLifetimeMs: 60 * second,
  tokenMarginMs: 5 * second,
  blobConcurrency: 3,
  nestingLimit: 3,
  manifestsLimit: 256
}
