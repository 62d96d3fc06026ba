/** The address with which this machine reaches others. */
import { createSocket } from "node:dgram"
import { Effect } from "effect"

/** Reserved for documentation: nobody has it, and nothing is sent there. */
const elsewhere = "192.0.2.1"
const discard = 9

/** `undefined` on a machine without a network. */
export const find: Effect.Effect<string | undefined> = Effect.callback((resume) => {
  const socket = createSocket("udp4")
  const found = (address: string | undefined): void => {
    socket.close()
    resume(Effect.succeed(address))
  }
  socket.once("error", () => found(undefined))
  // Connecting a datagram socket asks the routing table, and nobody else.
  socket.connect(discard, elsewhere, () => found(socket.address().address))
})
