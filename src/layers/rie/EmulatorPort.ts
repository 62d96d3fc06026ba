/** Whether somebody listens: told by a connection that is closed at once, never by a call, which would load the function. */
import { Effect } from "effect"
import { connect } from "node:net"

export interface Address {
  readonly host: string
  readonly port: number
}

/** `false` when the connection is refused, or does not stand within the limit. */
export const accepts = ({ host, port }: Address, limitMs: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = connect({ host, port, timeout: limitMs })
    const end = (accepted: boolean) => (): void => {
      socket.destroy()
      resume(Effect.succeed(accepted))
    }
    socket.once("connect", end(true))
    socket.once("timeout", end(false))
    socket.on("error", end(false))
    return Effect.sync(() => void socket.destroy())
  })

/** Waits until somebody listens, however long that takes. */
export const accepting = Effect.fnUntraced(function* (
  address: Address,
  { probeEveryMs, probeLimitMs }: { readonly probeEveryMs: number; readonly probeLimitMs: number }
) {
  while (!(yield* accepts(address, probeLimitMs))) yield* Effect.sleep(probeEveryMs)
})
