/** A Runtime API that does nothing but hand out one event and take its answer: the floor of every start. */
import { once } from "node:events"
import { createServer } from "node:http"
import { Effect } from "effect"
import * as AgentProcess from "./AgentProcess.ts"

const event = "{}"

/** Hands one event to whoever asks first; `answered` resolves when its answer is here, and then the next event is for the next. */
export const make = (host: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      let answered: () => void = () => undefined
      let handed = true
      const server = createServer((request, response) => {
        if (request.method === "POST") {
          request.resume()
          request.once("end", () => {
            response.writeHead(202, { "content-type": "application/json" }).end('{"status":"OK"}\n')
            answered()
          })
        } else if (!handed) {
          handed = true
          const deadline = Date.now() + 10_000
          response
            .writeHead(200, {
              "content-type": "application/json",
              "lambda-runtime-aws-request-id": crypto.randomUUID(),
              "lambda-runtime-deadline-ms": String(deadline),
              "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:floor"
            })
            .end(event)
        }
      })
      server.keepAliveTimeout = 0
      // Where an Agent's doors are: nothing else of this machine is open to workers.
      server.listen(AgentProcess.doorPorts.last, host)
      await once(server, "listening")
      return {
        server,
        port: AgentProcess.doorPorts.last,
        next: () => {
          handed = false
          return new Promise<void>((resolve) => (answered = resolve))
        }
      }
    }),
    ({ server }) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  )
