/**
 * Credentials that remember the sockets they were asked to secure: an attempt that is given up must not leave one behind, nor
 * one that is connected only then, which grpc-js forgets.
 */
import type { Socket } from "node:net"
import { ChannelCredentials } from "@grpc/grpc-js"

type ConnectorArguments = Parameters<ChannelCredentials["_createSecureConnector"]>
type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>

export class RememberingCredentials extends ChannelCredentials {
  readonly inner: ChannelCredentials
  readonly #sockets = new Set<Socket>()
  #isGivenUp = false

  constructor(inner: ChannelCredentials) {
    super()
    this.inner = inner
  }

  /** Ends all connections, and from now on each as soon as it is made. */
  giveUp(): void {
    this.#isGivenUp = true
    for (const socket of this.#sockets) socket.destroy()
  }

  override _isSecure(): boolean {
    return this.inner._isSecure()
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(...given: ConnectorArguments): Connector {
    const connector = this.inner._createSecureConnector(...given)
    return {
      connect: (socket) => {
        if (this.#isGivenUp) {
          socket.destroy()
          return Promise.reject(new Error("nobody waits for this connection any more"))
        }
        this.#sockets.add(socket)
        socket.once("close", () => this.#sockets.delete(socket))
        return connector.connect(socket)
      },
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy()
    }
  }
}
