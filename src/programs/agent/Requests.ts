/** What the requests of `proto/agent.proto` ask for, checked. The order of the checks is a part of the contract. */
import { Effect } from "effect"
import { createHash, randomUUID } from "node:crypto"
import { InvalidParameter, PayloadTooLarge } from "#domain/Failure"
import * as FunctionArn from "#domain/FunctionArn"
import * as FunctionName from "#domain/FunctionName"
import { type Invocation, limits } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import { ContainerId, OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import type { EnsureContainerRequest, InvokeWorkerRequest } from "#layers/grpc/generated/agent_pb"

/** How long a call may take whose caller does not say. */
const defaultTimeoutMs = 30_000

/** The one path of an emulator, and of a caller who names none. */
const invocationsPath = "/2015-03-31/functions/function/invocations"

/** Region in the ARN of a call whose caller tells none. */
const unnamedRegion = "us-east-1"

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

/** As a Gateway of ours computes it. */
const digest = (name: string, image: string, environment: Readonly<Record<string, string>>): string =>
  createHash("sha256")
    .update(JSON.stringify([name, image, Object.entries(environment).toSorted()]))
    .digest("hex")

export const start = Effect.fnUntraced(function* (request: EnsureContainerRequest) {
  const { env: environment, functionName, specHash } = request
  if (functionName === "") return yield* required("function_name")
  const by = yield* owner(request)
  const image = request.image.trim()
  if (image === "") return yield* required("image")
  if (!FunctionName.is(functionName)) {
    return yield* wrong("function_name", "must be 1 to 64 characters of A-Z, a-z, 0-9, - and _")
  }
  if (!Object.entries(environment).every(isVariable)) {
    return yield* wrong("env", "must have names without = and NUL, and values without NUL")
  }
  const spec: WorkerSpec = {
    functionName,
    image,
    environment,
    specHash: specHash === "" ? digest(functionName, image, environment) : specHash
  }
  return { spec, owner: by }
})

/** Names in lower case; those that are empty are skipped. */
const headersOf = (given: Readonly<Record<string, string>>): InvocationHeaders.Headers =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (name === "" ? [] : [[name.toLowerCase(), value]]))
  )

const pathIsKnown = (path: string): boolean => ["", invocationsPath, invocationsPath.slice(1)].includes(path)

/** The call of a worker, and how long it may take. */
export const call = Effect.fnUntraced(function* (request: InvokeWorkerRequest, worker: Worker) {
  const { headers, path, payload, timeoutMs } = request
  if (!pathIsKnown(path)) return yield* wrong("path", `must be ${invocationsPath}, or empty`)
  if (payload.length > limits.requestBytes) return yield* new PayloadTooLarge({ limitBytes: limits.requestBytes })
  const head = InvocationHeaders.toCall(headersOf(headers), {
    requestId: randomUUID(),
    arn: FunctionArn.of(unnamedRegion, worker.functionName)
  })
  if (!InvocationHeaders.isRequestId(head.requestId)) return yield* wrong("headers", InvocationHeaders.requestIdRule)
  const invocation: Invocation = { ...head, functionName: worker.functionName, payload }
  return { invocation, limitMs: timeoutMs > 0 ? timeoutMs : defaultTimeoutMs }
})
