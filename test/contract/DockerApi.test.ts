/** What a request to an engine costs beside what the engine takes for it. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import { join } from "node:path"
import { inspect } from "node:util"
import { DockerApi } from "#layers/docker/DockerApi"
import * as Docker from "#layers/docker/DockerApi"
import { temporaryDirectory } from "#test/support/ProcessWorkers"

/** An engine that has nothing to tell, and never stops telling it. */
const silentEngine = Effect.acquireRelease(
  Effect.promise(async () => {
    const socketPath = join(temporaryDirectory(), "engine.sock")
    const server = createServer((_request, response) => response.writeHead(200).flushHeaders()).listen(socketPath)
    await once(server, "listening")
    return { server, socketPath }
  }),
  ({ server }) =>
    Effect.promise(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
)

it.live("A request to an engine costs no more where many connections are open", () =>
  Effect.gen(function* () {
    const { server, socketPath } = yield* silentEngine
    yield* Effect.gen(function* () {
      const { call, engine } = yield* DockerApi
      const followed = yield* Effect.all(Array.from({ length: 20 }, () => call(() => engine.getEvents())))
      const open = yield* Effect.promise(
        () => new Promise<number>((resolve) => server.getConnections((_, n) => resolve(n)))
      )
      assert.strictEqual(open, followed.length)
      // dockerode renders it like this, once a request.
      const rendered = inspect((engine.modem as { readonly agent?: unknown }).agent, { showHidden: true, depth: null })
      assert.strictEqual(rendered, "Connections")
    }).pipe(Effect.provide(Docker.layer({ socketPath })))
  }).pipe(Effect.scoped)
)
