/** What a program proves itself with to its peers, and by whom it believes theirs. */
import { Context, type Redacted, type Stream } from "effect"

export interface CertificateBundle {
  /** PEM of the program's own certificate. */
  readonly certificate: string
  /** PEM of the key that belongs to it. */
  readonly key: Redacted.Redacted
  /** PEM of the authority: the only one whose certificates are believed, whatever the machine trusts besides. */
  readonly authority: string
}

export class Certificates extends Context.Service<
  Certificates,
  {
    /** In use now, and good. `undefined`: connections are neither encrypted nor checked. */
    readonly current: () => CertificateBundle | undefined
    /** Every bundle that takes the place of another, from now on. Connections that are open stay. */
    readonly changes: Stream.Stream<CertificateBundle>
  }
>()("esb/services/Certificates") {}
