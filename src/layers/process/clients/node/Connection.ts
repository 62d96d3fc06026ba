/**
 * The one connection of a worker: HTTP/1.1 over a socket, one exchange at a time. Node's own HTTP client costs 1.5 ms
 * more to load and several times as much per call, and nothing that it adds is needed towards our own listener.
 */
import { connect, type Socket } from "node:net"
import { AnswerReader, type HttpAnswer } from "./HttpAnswer.ts"

const RETRY_EVERY_MS = 100
/** A listener is near: what takes longer is nobody's address for the moment, and tried again. */
const CONNECT_WITHIN_MS = 1000

/** Nobody has listened for longer than the worker was to wait. */
export class RuntimeApiGone extends Error {
  override readonly name = "RuntimeApiGone"
}

/** The connection broke after the request was sent, and the other side is known to have been there. */
export class NotAnswered extends Error {
  override readonly name = "NotAnswered"
}

interface Waiting {
  readonly reader: AnswerReader
  readonly resolve: (answer: HttpAnswer) => void
  readonly reject: (cause: Error) => void
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** A request whose body is written while it is made. */
export interface OpenRequest {
  /** `written` is called when the bytes have left this process, which is how a slow reader slows the writer. */
  readonly write: (bytes: Uint8Array, written: (cause?: Error | null) => void) => void
  /** Rejects when the connection broke: what was written is gone, so there is no second attempt. */
  readonly answer: () => Promise<HttpAnswer>
}

/** Holds the event loop open only during an exchange: while user code runs, its own work alone keeps it alive. */
export class Connection {
  readonly #host: string
  readonly #port: number
  readonly #goneAfterMs: number
  #socket: Socket | undefined
  #waiting: Waiting | undefined
  /** How long the connection that broke last had stood; 0 when it never did. */
  #stoodMs = 0

  /**
   * @param endpoint `host:port`
   * @param goneAfterMs a listener that was restarted is back within this time; after it the worker is an orphan
   */
  constructor(endpoint: string, goneAfterMs: number) {
    this.#goneAfterMs = goneAfterMs
    const colon = endpoint.lastIndexOf(":")
    this.#host = endpoint.slice(0, colon)
    this.#port = Number(endpoint.slice(colon + 1))
  }

  /** Sends a request again and again until it is answered. Fails with {@link RuntimeApiGone}. */
  async insist(request: string): Promise<HttpAnswer> {
    let failingSince: number | undefined
    for (;;) {
      const reused = this.#socket !== undefined
      try {
        return await this.#send(request)
      } catch (cause) {
        const now = performance.now()
        if (failingSince === undefined || this.#stoodMs >= this.#goneAfterMs) failingSince = now
        if (now - failingSince >= this.#goneAfterMs)
          throw new RuntimeApiGone("nobody listens at the Runtime API", { cause })
        // An idle connection may be closed by the other side at any time; only a fresh one proves trouble.
        if (!reused) await pause(RETRY_EVERY_MS)
      }
    }
  }

  /**
   * Sends a request, over a second connection when the one at hand had been closed meanwhile; a repetition does no
   * harm, since the Runtime API takes one answer per call. Fails with {@link NotAnswered} when a fresh one breaks.
   */
  async deliver(request: string): Promise<HttpAnswer> {
    const reused = this.#socket !== undefined
    try {
      return await this.#send(request)
    } catch (cause) {
      if (!reused) throw new NotAnswered("the Runtime API closed the connection without an answer", { cause })
      return this.deliver(request)
    }
  }

  /** Starts a request whose body follows. Until its answer is asked for, it does not keep the process alive. */
  open(head: string): OpenRequest {
    const answer = this.#send(head)
    // A connection that breaks early shows up as a failed write; the answer tells it to whoever asks later.
    answer.catch(() => {})
    this.#socket?.unref()
    return {
      answer: () => {
        this.#socket?.ref()
        return answer
      },
      write: (bytes, written) => {
        if (this.#socket === undefined) written(new Error("the connection to the Runtime API is closed"))
        else this.#socket.write(bytes, written)
      }
    }
  }

  #send(bytes: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { reader: new AnswerReader(), resolve, reject }
      this.#socket ??= this.#connect()
      this.#socket.ref()
      this.#socket.write(bytes)
    })
  }

  #connect(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    let connectedAt: number | undefined
    let cause: Error | undefined
    socket.setTimeout(CONNECT_WITHIN_MS, () => socket.destroy(new Error("no connection in time")))
    socket.on("connect", () => {
      socket.setTimeout(0)
      connectedAt = performance.now()
    })
    socket.on("data", (piece) => this.#receive(socket, piece))
    socket.on("error", (error) => {
      cause = error
    })
    socket.on("close", () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#stoodMs = connectedAt === undefined ? 0 : performance.now() - connectedAt
      this.#settle()?.reject(cause ?? new Error("the Runtime API closed the connection"))
    })
    return socket
  }

  #receive(socket: Socket, piece: Buffer) {
    try {
      if (this.#waiting === undefined) throw new Error("bytes that nobody asked for")
      const answer = this.#waiting.reader.push(piece)
      if (answer === undefined) return
      socket.unref()
      if (answer.headers.get("connection")?.toLowerCase() === "close") this.#socket = undefined
      this.#settle()?.resolve(answer)
    } catch (cause) {
      socket.destroy(cause instanceof Error ? cause : new Error(String(cause)))
    }
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }
}
