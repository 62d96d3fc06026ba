/** A wire to a server on this machine, for whatever may happen to wires. */
import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Wire {
  readonly address: string
  /** From now on nothing passes in either direction, while connections stand and new ones are accepted. */
  readonly freeze: () => void
  /** What was held back passes. */
  readonly thaw: () => void
  /** Every connection breaks, and new ones break at once. */
  readonly cut: () => void
  readonly mend: () => void
  /** Connections that the client has open now. */
  readonly connections: () => number
  /** Connections that were tried so far. */
  readonly attempts: () => number
}

/** Where the wire begins: somewhere on the usual address, unless a client has to find it elsewhere. */
export interface Beginning {
  readonly host?: string
  readonly port?: number
}

export const make = Effect.fnUntraced(function* (
  port: number,
  { host = "127.0.0.1", port: from = 0 }: Beginning = {}
): Effect.fn.Return<Wire, never, Scope.Scope> {
  const sockets = new Set<Socket>()
  const clients = new Set<Socket>()
  const held: Array<() => void> = []
  let frozen = false
  let broken = false
  let attempts = 0

  const pass = (event: () => void): void => {
    if (frozen) held.push(event)
    else event()
  }
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from)
    // The other end hears of it by the close that follows.
    from.on("error", () => undefined)
    from.on("data", (chunk: Buffer) => pass(() => void to.write(chunk)))
    from.once("close", () => {
      sockets.delete(from)
      clients.delete(from)
      pass(() => to.destroy())
    })
  }
  const server = createServer((near) => {
    attempts += 1
    if (broken) {
      near.resetAndDestroy()
      return
    }
    const far = connect(port, "127.0.0.1")
    clients.add(near)
    carry(near, far)
    carry(far, near)
  })
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const listening = Effect.callback<number>((resume) => {
    server.listen(from, host, () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })
  const at = yield* Effect.acquireRelease(listening, () =>
    Effect.sync(() => {
      breakAll()
      server.close()
    })
  )
  return {
    address: `${host}:${at}`,
    freeze: () => void (frozen = true),
    thaw: () => {
      frozen = false
      for (const event of held.splice(0)) event()
    },
    cut: () => {
      broken = true
      breakAll()
    },
    mend: () => void (broken = false),
    connections: () => clients.size,
    attempts: () => attempts
  }
})
