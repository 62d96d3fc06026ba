/**
 * A small HTTP server for whoever collects figures: one answer, whatever the path and the method. `/health` alone is answered by
 * whether calls are taken, with 200 or 503.
 */
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, FiberSet, Schema, type Scope } from "effect"

/** The port is taken, or not ours to take. */
class ScrapePortUnavailable extends Schema.TaggedError<ScrapePortUnavailable>()("ScrapePortUnavailable", {
  cause: Schema.Defect()
}) {
  override get message() {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** A request that takes longer to arrive is not waited for. */
const headersLimitMs = 5_000
const requestLimitMs = 10_000

/** How often requests that take too long are looked for. */
const lookEveryMs = 1_000

/** Longer than the minute that most collectors let pass between two questions: the connection is kept. */
const keepAliveMs = 65_000

/** A connection on which nothing moves is closed, a collector that does not read its answer with it. */
const silenceLimitMs = 70_000

/** Collectors are few. */
const mostConnections = 64

/** How long answers that are under way may take when the server ends. */
const partingLimit = "5 seconds"

const healthPath = "/health"
const plainText = "text/plain; charset=utf-8"

type Reply = readonly [status: number, contentType: string, body: string]

const make = (): Server => {
  const server = createServer({
    headersTimeout: headersLimitMs,
    requestTimeout: requestLimitMs,
    connectionsCheckingInterval: lookEveryMs,
    keepAliveTimeout: keepAliveMs
  })
  server.maxConnections = mostConnections
  return server.setTimeout(silenceLimitMs)
}

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // It fails when the server never listened, which is as good.
    server.close(() => resume(Effect.void))
  }).pipe(Effect.timeoutOption(partingLimit), Effect.andThen(Effect.sync(() => server.closeAllConnections())))

const listen = (server: Server, host: string, port: number): Effect.Effect<void, ScrapePortUnavailable> =>
  Effect.callback((resume) => {
    const refused = (cause: Error): void => resume(Effect.fail(new ScrapePortUnavailable({ cause })))
    server.once("error", refused)
    server.listen({ host, port }, () => {
      server.off("error", refused)
      resume(Effect.void)
    })
  })

/** A server that ends does not wait for a connection that is kept. */
const send = (server: Server, response: ServerResponse, status: number, contentType: string, body: string): void => {
  response.shouldKeepAlive &&= server.listening
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** Answers until the scope ends, and says on which port. */
export const serve = Effect.fnUntraced(function* (options: {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly contentType: string
  readonly answer: Effect.Effect<string>
  /** Whether calls are taken. */
  readonly health: Effect.Effect<boolean>
}): Effect.fn.Return<number, ScrapePortUnavailable, Scope.Scope> {
  // Made first, so that it ends last: answers that are under way are waited for.
  const fork = yield* FiberSet.makeRuntime()
  const server = yield* Effect.acquireRelease(Effect.sync(make), close)
  const figures = Effect.map(options.answer, (body): Reply => [200, options.contentType, body])
  const health = Effect.map(options.health, (isServing): Reply =>
    isServing ? [200, plainText, "SERVING\n"] : [503, plainText, "NOT_SERVING\n"]
  )
  const replyTo = (target: string) => (target === healthPath || target.startsWith(`${healthPath}?`) ? health : figures)
  server.on("request", (request, response) => {
    // A body is nothing to us.
    request.resume()
    const fiber = fork(
      replyTo(request.url ?? "").pipe(
        Effect.map(([status, contentType, body]) => send(server, response, status, contentType, body)),
        Effect.catchDefect((defect) =>
          Effect.andThen(
            Effect.sync(() => send(server, response, 500, plainText, "the log says why\n")),
            Effect.logError("figures could not be told", defect)
          )
        )
      )
    )
    response.once("close", () => fiber.interruptUnsafe())
  })
  yield* listen(server, options.host, options.port)
  // Whatever it is, the server goes on with the next connection.
  server.on("error", (cause) => void fork(Effect.logWarning(`a collector could not connect: ${cause.message}`)))
  return (server.address() as AddressInfo).port
})
