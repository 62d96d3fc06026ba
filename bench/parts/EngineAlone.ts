/**
 * The floor of a start in a container: the engine alone, asked for the same container as the Agent asks for, and a Runtime API
 * that does nothing but hand out one event and take its answer.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import { Effect } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { OwnerId } from "#domain/Worker"
import * as ContainerOptions from "#layers/docker/ContainerOptions"
import * as AgentProcess from "./AgentProcess.ts"
import type { DockerStack } from "./DockerStack.ts"
import { timed } from "./Figures.ts"

const event = "{}"

/** Hands one event to whoever asks first; `answered` resolves when its answer is here, and then the next event is for the next. */
const stubRuntimeApi = (host: string) =>
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

/** Its containers are removed when the scope ends, as those of the stack are: a removal would disturb whatever is measured next. */
export const make = Effect.fnUntraced(function* (stack: DockerStack, handler: string, memoryMiB: number) {
  const { engine, gatewayAddress, identity, image, network } = stack
  const stub = yield* stubRuntimeApi(gatewayAddress)
  const { Config, Id } = yield* Effect.promise(() => engine.getImage(image).inspect())
  const names: Array<string> = []
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => Promise.all(names.map((name) => engine.getContainer(name).remove({ force: true, v: true }))))
  )
  const options = (name: string) => ({
    ...ContainerOptions.make({
      identity,
      name,
      spec: {
        functionName: "floor" as FunctionName,
        image,
        specHash: "floor",
        environment: {
          _HANDLER: handler,
          AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
          AWS_LAMBDA_FUNCTION_NAME: "floor",
          AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMiB),
          AWS_LAMBDA_FUNCTION_TIMEOUT: "10"
        }
      },
      owner: "bench" as OwnerId,
      image: { reference: image, digest: Id, entrypoint: [], user: Config.User },
      memoryMiB,
      logStream: "floor",
      network,
      door: { endpoint: `${gatewayAddress}:${stub.port}`, token: "floor" }
    }),
    // Of nobody's stack, so that no Agent takes it for a leftover.
    Labels: {}
  })
  const start = async (): Promise<void> => {
    const name = `esb-${identity.environment}-floor-${names.length}`
    names.push(name)
    await (await engine.createContainer(options(name))).start()
  }
  return {
    /** Without waiting for what runs in it. */
    start,
    /** Until its function has answered, one at a time; milliseconds. */
    coldStart: (): Promise<number> => {
      const answered = stub.next()
      return timed(() => Promise.all([start(), answered]))
    },
    /** The container that was made last. */
    last: () => engine.getContainer(names.at(-1) ?? "")
  }
})
