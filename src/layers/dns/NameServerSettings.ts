/** Where a name server listens, whom it answers and what it knows, and the limits of everything it does for others. */
import type { OwnName } from "#domain/OwnNames"
import type { Subnet } from "#domain/Subnet"
import type { Nameserver } from "./Nameservers.ts"

/** What has to be said. */
export interface NameServerPlace {
  /** An address of this machine, never all of them. */
  readonly address: string
  /** Whoever asks from elsewhere gets no answer: the kernel hands over what comes for the address by any interface. */
  readonly clients: Subnet
  readonly names: ReadonlyArray<OwnName>
}

/** What may be said. */
export interface NameServerOptions {
  /** Of datagrams and connections alike; 0 lets the system choose one for both. */
  readonly port: number
  /** Who knows all other names, in the order in which they are asked; `undefined`: whom the machine itself asks. */
  readonly upstream: ReadonlyArray<Nameserver> | undefined
  /** Where the machine names them. */
  readonly resolverFile: string
  /** How long what that file says is believed. */
  readonly resolverFileAgeMs: number
  /** All of them together, each an equal part: a client asks again after 5 seconds. */
  readonly answerWithinMs: number
  /** The largest query. */
  readonly queryBytes: number
  /** Queries that wait for others' answers. One more is refused at once. */
  readonly waiting: { readonly inAll: number; readonly ofOneClient: number }
  /** Open connections. One more is closed at once. */
  readonly connections: { readonly inAll: number; readonly ofOneClient: number }
  /** After this long without a byte a connection is closed. */
  readonly connectionIdleMs: number
  /** For how long clients may remember a name of our own. */
  readonly ownSeconds: number
}

export type NameServerSettings = NameServerPlace & NameServerOptions

export const defaults: NameServerOptions = {
  port: 53,
  upstream: undefined,
  resolverFile: "/etc/resolv.conf",
  resolverFileAgeMs: 5_000,
  answerWithinMs: 4_500,
  queryBytes: 4_096,
  waiting: { inAll: 512, ofOneClient: 64 },
  connections: { inAll: 128, ofOneClient: 8 },
  connectionIdleMs: 10_000,
  ownSeconds: 30
}
