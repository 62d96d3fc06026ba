/** The poll with which a runtime waits for its next call: held until there is one, or until nobody waits any more. */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"

export class ParkedPoll {
  #response: ServerResponse | undefined
  /** Connections that a poll came over; one lasts for many polls. */
  readonly #watched = new WeakSet<Socket>()
  readonly #onLost: () => void

  constructor(onLost: () => void) {
    this.#onLost = onLost
  }

  /** A runtime has one poll; the one before was given up by it, or its connection is dead and has not said so. */
  park(response: ServerResponse): void {
    this.#response?.destroy()
    this.#response = response
    response.on("close", () => this.#lose(response))
    this.#watch(response.socket)
  }

  holds(response: ServerResponse): boolean {
    return this.#response === response
  }

  /** Whoever takes it answers it. */
  take(): ServerResponse | undefined {
    const response = this.#response
    this.#response = undefined
    return response
  }

  #lose(response: ServerResponse): void {
    if (this.#response !== response) return
    this.#response = undefined
    this.#onLost()
  }

  /**
   * When the other side of a connection closes, its poll is lost at once, and not only when this side has closed as well: a
   * call that comes in between would be handed to nobody.
   */
  #watch(socket: Socket | null): void {
    if (socket === null || this.#watched.has(socket)) return
    this.#watched.add(socket)
    socket.once("end", () => {
      if (this.#response?.socket === socket) this.#lose(this.#response)
    })
  }
}
