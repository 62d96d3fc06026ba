/** Why a name server does not listen. */
import { Schema } from "effect"

export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  address: Schema.String,
  port: Schema.Int,
  /** Somebody else listens there. */
  isTaken: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return `no name server can listen at ${this.address}:${this.port}: ${this.detail}`
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not use this port",
  EADDRINUSE: "somebody else listens there",
  EADDRNOTAVAIL: "this machine does not have the address"
}

export const because = (place: { readonly address: string; readonly port: number }, error: NodeJS.ErrnoException) =>
  new CannotListen({
    ...place,
    isTaken: error.code === "EADDRINUSE",
    detail: reasons[error.code ?? ""] ?? error.message
  })
