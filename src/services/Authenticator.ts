/** Who is calling. */
import { Context, type Effect, type Redacted } from "effect"
import type {
  MissingAuthentication,
  SignatureIncomplete,
  SignatureRefused,
  Unauthorized,
  UnknownCredential
} from "#domain/Failure"

/** A request as it was received: nothing decoded, nothing normalised. */
export interface SignedRequest {
  readonly method: string
  /** The raw request target, with its query. */
  readonly target: string
  /** Name and value in turn, in the order and spelling received (`IncomingMessage.rawHeaders`). */
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: Uint8Array
}

/** The user or access key that was proved. */
export interface Principal {
  readonly name: string
}

export class Authenticator extends Context.Service<
  Authenticator,
  {
    /** Signature Version 4 by a credential issued here, any region, clock skew ±5 minutes; or one of our bearer tokens. */
    readonly signed: (
      request: SignedRequest
    ) => Effect.Effect<Principal, MissingAuthentication | UnknownCredential | SignatureRefused | SignatureIncomplete>
    /** The value of an `Authorization` header: `Bearer <token>` or the bare token. */
    readonly bearer: (authorization: string | undefined) => Effect.Effect<Principal, Unauthorized>
    /** A token for a user whose password was right. */
    readonly issue: (user: string, password: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, Unauthorized>
  }
>()("esb/services/Authenticator") {}
