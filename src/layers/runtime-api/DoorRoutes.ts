/**
 * The paths behind a door, and who answers them.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Answers from "./Answers.ts"
import type { WorkerDoor } from "./WorkerDoor.ts"

type Route = (door: WorkerDoor, request: IncomingMessage, response: ServerResponse) => void

const invocations = "/2018-06-01/runtime/invocation/"
const next = `${invocations}next`
const responseEnd = "/response"
const errorEnd = "/error"

/** Telemetry is not delivered, and a subscriber is told so in AWS's own words for that, which no extension takes for a failure. */
const unsupported =
  (errorType: string, errorMessage: string): Route =>
  (_door, _request, response) =>
    Answers.json(response, 202, { errorMessage, errorType })

/** Paths without a parameter. `restore/*` is absent: AWS serves it to functions with SnapStart only, which is not offered. */
const fixed: ReadonlyMap<string, { readonly method: string; readonly route: Route }> = new Map([
  [next, { method: "GET", route: (door, _request, response) => door.runtimePolls(response) }],
  ["/2018-06-01/ping", { method: "GET", route: (_door, _request, response) => void response.end("pong") }],
  [
    "/2018-06-01/runtime/init/error",
    { method: "POST", route: (door, request, response) => door.initFails(request, response) }
  ],
  [
    "/2020-01-01/extension/register",
    { method: "POST", route: (door, request, response) => door.extensions.registers(request, response) }
  ],
  [
    "/2020-01-01/extension/event/next",
    { method: "GET", route: (door, request, response) => door.extensions.polls(request, response) }
  ],
  [
    "/2020-01-01/extension/init/error",
    { method: "POST", route: (door, request, response) => door.extensions.fails(request, response, "InitError") }
  ],
  [
    "/2020-01-01/extension/exit/error",
    { method: "POST", route: (door, request, response) => door.extensions.fails(request, response, "ExitError") }
  ],
  ["/2020-08-15/logs", { method: "PUT", route: unsupported("Logs.NotSupported", "Logs API is not supported") }],
  [
    "/2022-07-01/telemetry",
    { method: "PUT", route: unsupported("Telemetry.NotSupported", "Telemetry API is not supported") }
  ]
])

/** `…/invocation/{id}/response` and `…/invocation/{id}/error`. */
const answer = (door: WorkerDoor, path: string, request: IncomingMessage, response: ServerResponse): boolean => {
  const isResponse = path.endsWith(responseEnd)
  if (!path.startsWith(invocations) || !(isResponse || path.endsWith(errorEnd))) return false
  if (request.method !== "POST") {
    Answers.wrongMethod(response)
    return true
  }
  const requestId = path.slice(invocations.length, isResponse ? -responseEnd.length : -errorEnd.length)
  door.answerBegins(request, response, requestId, isResponse ? "InvocationResponse" : "InvocationErrorResponse")
  return true
}

/** One request of a worker that was let in. */
export const serve: Route = (door, request, response) => {
  const target = request.url ?? ""
  const query = target.indexOf("?")
  const path = query === -1 ? target : target.slice(0, query)
  const found = fixed.get(path)
  if (found === undefined) {
    if (!answer(door, path, request, response)) Answers.notFound(response)
  } else if (found.method === request.method) found.route(door, request, response)
  else Answers.wrongMethod(response)
}
