/** A port of 127.0.0.1 on which nobody listens at this moment, for servers that must come back to where they were. */
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { Effect } from "effect"

export const find = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
})
