/** What a Gateway asks of an Agent's data door, as far as the head of its request tells. */
import { Result } from "effect"
import type { IncomingMessage } from "node:http"
import { InvalidParameter, RouteNotFound } from "#domain/Failure"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { ContainerId, OwnerId } from "#domain/Worker"

export type DoorRequest =
  /** `thaws`: the worker is frozen, and is to be woken first. */
  | { readonly _tag: "Invocation"; readonly id: ContainerId; readonly owner: OwnerId; readonly thaws: boolean }
  | { readonly _tag: "Ready"; readonly id: ContainerId; readonly owner: OwnerId }
  | { readonly _tag: "Log"; readonly owner: OwnerId; readonly run: string | undefined; readonly after: number }
  | { readonly _tag: "Pulse" }

/** A head that asks for nothing there is. `WrongMethod`: the path is right and the method is not. */
export type Refusal = RouteNotFound | InvalidParameter | { readonly _tag: "WrongMethod"; readonly allowed: string }

type Found = { readonly allowed: string; readonly make: (owner: OwnerId) => DoorRequest }

export const ownerHeader = "esb-owner"
export const pulsePath = "/pulse"
export const logPath = "/logs"
const workers = "/workers/"
/** A path of its own: an Agent that has never heard of it refuses it, where it would pass over a header. */
const thawing = "/thawed-invocations"
const invocations = "/invocations"
const ready = "/ready"

const pathOf = (id: ContainerId, wish: string): string => `${workers}${encodeURIComponent(id)}${wish}`

export const invocationPath = (id: ContainerId): string => pathOf(id, invocations)
export const thawingPath = (id: ContainerId): string => pathOf(id, thawing)
export const readyPath = (id: ContainerId): string => pathOf(id, ready)

/** `undefined` for what is no encoded text. */
const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

type OfWorker = (id: ContainerId, owner: OwnerId) => DoorRequest

/** What may be asked of a worker. */
const wishes: ReadonlyArray<readonly [name: string, allowed: string, make: OfWorker]> = [
  [invocations, "POST", (id, owner) => ({ _tag: "Invocation", id, owner, thaws: false })],
  [thawing, "POST", (id, owner) => ({ _tag: "Invocation", id, owner, thaws: true })],
  [ready, "GET", (id, owner) => ({ _tag: "Ready", id, owner })]
]

const ofWorker = (path: string): Found | undefined => {
  const wish = wishes.find(([name]) => path.endsWith(name))
  if (wish === undefined || !path.startsWith(workers)) return undefined
  const [name, allowed, make] = wish
  const id = decoded(path.slice(workers.length, -name.length))
  if (id === undefined || id === "") return undefined
  return { allowed, make: (owner) => make(id as ContainerId, owner) }
}

/** `run` and `after` tell up to where the Gateway has got the log before its connection broke. */
const ofLog = (query: string): Found => {
  const asked = new URLSearchParams(query)
  const after = Number(asked.get("after"))
  const run = asked.get("run") ?? undefined
  return {
    allowed: "GET",
    make: (owner) => ({ _tag: "Log", owner, run, after: Number.isSafeInteger(after) ? after : 0 })
  }
}

const found = (path: string, query: string): Found | undefined => {
  if (path === logPath) return ofLog(query)
  if (path === pulsePath) return { allowed: "GET", make: () => ({ _tag: "Pulse" }) }
  return ofWorker(path)
}

type Head = Pick<IncomingMessage, "headers" | "method" | "url">

export const read = ({ headers, method = "", url = "" }: Head): Result.Result<DoorRequest, Refusal> => {
  const mark = url.indexOf("?")
  const path = mark === -1 ? url : url.slice(0, mark)
  const asked = found(path, mark === -1 ? "" : url.slice(mark + 1))
  if (asked === undefined) return Result.fail(new RouteNotFound({ method, path }))
  if (asked.allowed !== method) return Result.fail({ _tag: "WrongMethod", allowed: asked.allowed })
  const told = headers[ownerHeader]
  const owner = typeof told === "string" ? InvocationHeaders.toText(told).trim() : ""
  if (owner === "" && path !== pulsePath) {
    return Result.fail(new InvalidParameter({ name: ownerHeader, message: `${ownerHeader} is required` }))
  }
  return Result.succeed(asked.make(owner as OwnerId))
}
