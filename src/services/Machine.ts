/** The machine that runs workers, or the container with a machine's rights: what its kernel and its commands can be told. */
import { Context, type Duration, type Effect, Schema, type Scope } from "effect"
import type { Subnet } from "#domain/Subnet"

/** The kernel, or a command, refused, is not there, or did not end in time. */
export class MachineRefused extends Schema.TaggedError<MachineRefused>()("MachineRefused", {
  /** A path, or a command with its arguments. */
  what: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.what}: ${this.detail}`
  }
}

export interface Attached {
  /** Name of the interface. */
  readonly name: string
  /** The network behind it. */
  readonly subnet: Subnet
}

export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Besides that of this process. */
  readonly environment: Readonly<Record<string, string>>
  /** How long it may take to end when it is asked to, before it is killed. */
  readonly endsWithin: Duration.Duration
}

export class Machine extends Context.Service<
  Machine,
  {
    /** Text of a file, mostly one of the kernel's. */
    readonly read: (path: string) => Effect.Effect<string, MachineRefused>
    readonly write: (path: string, text: string) => Effect.Effect<void, MachineRefused>
    readonly exists: (path: string) => Effect.Effect<boolean>
    /** With its parents; one that is there is success. */
    readonly makeDirectory: (path: string) => Effect.Effect<void, MachineRefused>
    /** What a command wrote on stdout. Fails when it ends with another code than 0, or not within 15 s. */
    readonly run: (command: string, ...args: ReadonlyArray<string>) => Effect.Effect<string, MachineRefused>
    /** Networks of the Internet Protocol's fourth version, but for its own loopback. */
    readonly networks: Effect.Effect<ReadonlyArray<Attached>>
    /** Whether somebody listens at a socket in the file system. */
    readonly answers: (socketPath: string) => Effect.Effect<boolean>
    /** Addresses of a host's name, of the fourth version; none where nobody knows it. */
    readonly lookUp: (host: string) => Effect.Effect<ReadonlyArray<string>>
    /**
     * Starts a program, whose output is this process's. The end of the scope asks it to end, and kills it when it does not. Answers an
     * effect that succeeds with how it ended, in words: one that could not be started has ended, too.
     */
    readonly start: (program: Program) => Effect.Effect<{ readonly ended: Effect.Effect<string> }, never, Scope.Scope>
  }
>()("esb/services/Machine") {}
