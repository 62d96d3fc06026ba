/** What the requests of `proto/agent.proto` ask for, checked. The order of the checks is a part of the contract. */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { InvalidParameter, PayloadTooLarge } from "#domain/Failure"
import * as FunctionName from "#domain/FunctionName"
import { limits } from "#domain/Invocation"
import type * as InvocationHeaders from "#domain/InvocationHeaders"
import * as RieCall from "#domain/RieCall"
import { ContainerId, OwnerId, specText, type Worker, type WorkerSpec } from "#domain/Worker"
import type { EnsureContainerRequest, InvokeWorkerRequest } from "#layers/grpc/generated/agent_pb"
import * as ReceivedCall from "#layers/grpc/ReceivedCall"

/** How long a call may take whose caller does not say. */
const defaultTimeoutMs = 30_000

const required = (name: string): InvalidParameter => new InvalidParameter({ name, message: `${name} is required` })

const wrong = (name: string, rule: string): InvalidParameter =>
  new InvalidParameter({ name, message: `${name} ${rule}` })

/** Owners are remembered, and written into labels. */
const longestOwner = 256

export const owner = Effect.fnUntraced(function* ({ ownerId }: { readonly ownerId: string }) {
  const trimmed = ownerId.trim()
  if (trimmed === "") return yield* required("owner_id")
  if (trimmed.length > longestOwner) return yield* wrong("owner_id", `must be at most ${longestOwner} characters long`)
  return OwnerId.make(trimmed)
})

export interface Named {
  readonly containerId: string
  readonly ownerId: string
}

/** The worker that a request names, and who asks for it. */
export const named = Effect.fnUntraced(function* (request: Named) {
  if (request.containerId === "") return yield* required("container_id")
  return { id: ContainerId.make(request.containerId), owner: yield* owner(request) }
})

/** A variable as every operating system takes it. */
const isVariable = ([name, value]: readonly [string, string]): boolean =>
  /^[^=\0]+$/.test(name) && !value.includes("\0")

/** `imageOf`: the image of a function that is asked for without one, where there are images. */
export const start = Effect.fnUntraced(function* (
  request: EnsureContainerRequest,
  imageOf: ((name: FunctionName.FunctionName) => string) | undefined
) {
  const { env: environment, functionName, specHash } = request
  if (functionName === "") return yield* required("function_name")
  const by = yield* owner(request)
  const given = request.image.trim()
  if (given === "" && imageOf === undefined) return yield* required("image")
  if (!FunctionName.is(functionName)) {
    return yield* wrong("function_name", "must be 1 to 64 characters of A-Z, a-z, 0-9, - and _")
  }
  if (!Object.entries(environment).every(isVariable)) {
    return yield* wrong("env", "must have names without = and NUL, and values without NUL")
  }
  const image = given === "" && imageOf !== undefined ? imageOf(functionName) : given
  const wanted = { functionName, image, environment }
  const spec: WorkerSpec = {
    ...wanted,
    specHash: specHash === "" ? createHash("sha256").update(specText(wanted)).digest("hex") : specHash
  }
  return { spec, owner: by }
})

/** Names in lower case; those that are empty are skipped. */
const headersOf = (given: Readonly<Record<string, string>>): InvocationHeaders.Headers =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (name === "" ? [] : [[name.toLowerCase(), value]]))
  )

const pathIsKnown = (path: string): boolean => ["", RieCall.path, RieCall.path.slice(1)].includes(path)

/** The call of a worker, and how long it may take. */
export const call = Effect.fnUntraced(function* (request: InvokeWorkerRequest, worker: Worker) {
  const { headers, path, payload, timeoutMs } = request
  if (!pathIsKnown(path)) return yield* wrong("path", `must be ${RieCall.path}, or empty`)
  if (payload.length > limits.requestBytes) return yield* new PayloadTooLarge({ limitBytes: limits.requestBytes })
  const invocation = yield* ReceivedCall.read(worker, headersOf(headers), payload)
  return { invocation, limitMs: timeoutMs > 0 ? timeoutMs : defaultTimeoutMs }
})
