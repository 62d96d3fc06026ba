/** Credentials that remember the sockets they were asked to secure: an attempt that is given up must not leave one behind. */
import type { Socket } from "node:net"
import { ChannelCredentials } from "@grpc/grpc-js"

type ConnectorArguments = Parameters<ChannelCredentials["_createSecureConnector"]>
type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>

export class RememberingCredentials extends ChannelCredentials {
  readonly sockets = new Set<Socket>()
  readonly inner: ChannelCredentials

  constructor(inner: ChannelCredentials) {
    super()
    this.inner = inner
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
        this.sockets.add(socket)
        socket.once("close", () => this.sockets.delete(socket))
        return connector.connect(socket)
      },
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy()
    }
  }
}
