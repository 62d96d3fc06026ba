/** A place on the network where functions in containers note their runs, which write no file of this machine. */
import { appendFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

/** Whatever is posted to `url` is appended to the file before it is answered; goes with the scope. */
export const make = (host: string, file: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(async (request, response) => {
          let said = ""
          for await (const chunk of request) said += String(chunk)
          appendFileSync(file, said)
          response.end()
        })
        server.listen(0, host, () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const at = `${host}:${(server.address() as AddressInfo).port}`
      return { at, url: `http://${at}/` }
    }
  )
