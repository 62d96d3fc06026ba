/** A directory of certificates that goes with the scope of the test, and what is in it. */
import { Duration, Effect } from "effect"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as CertificateDirectory from "#layers/x509/CertificateDirectory"
import type { Paths } from "#layers/x509/CertificateFiles"

export interface CertificateHome {
  readonly directory: string
  readonly pathOf: (name: string) => string
  readonly text: (name: string) => string
  readonly certificate: (name: string) => X509Certificate
  /** What an Agent, or a Gateway, is given. */
  readonly agent: Paths
  readonly gateway: Paths
  readonly make: (wish?: Partial<CertificateDirectory.Wish>) => ReturnType<typeof CertificateDirectory.make>
}

export const empty = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-certificates-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  ),
  (parent): CertificateHome => {
    const directory = join(parent, "certs")
    const pathOf = (name: string) => join(directory, name)
    const text = (name: string) => readFileSync(pathOf(name), "utf8")
    const pathsOf = (name: string): Paths => ({
      certificatePath: pathOf(`${name}.crt`),
      keyPath: pathOf(`${name}.key`),
      authorityPath: pathOf("rootCA.crt")
    })
    return {
      directory,
      pathOf,
      text,
      certificate: (name) => new X509Certificate(text(name)),
      agent: pathsOf("server"),
      gateway: pathsOf("client"),
      make: (wish = {}) =>
        CertificateDirectory.make({
          directory,
          renew: "nothing",
          serverNames: [],
          validity: Duration.hours(87_600),
          ...wish
        })
    }
  }
)

/** With everything that a stack has. */
export const made = Effect.tap(empty, ({ make }) => make())
