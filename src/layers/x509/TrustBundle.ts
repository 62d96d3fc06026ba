/**
 * What workers believe when they speak TLS, as files in a directory that they may read: the public authorities and ours. Written
 * anew when our authority changes; a reader finds the old bundle or the new one, and never half of it.
 */
import { Duration, Effect, Schema, type Scope } from "effect"
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { rootCertificates } from "node:tls"

/** The files could not be written, or there is no authority to be written. */
export class TrustUnavailable extends Schema.TaggedError<TrustUnavailable>()("TrustUnavailable", {
  detail: Schema.String
}) {
  override get message() {
    return `workers cannot be told whom to believe: ${this.detail}`
  }
}

export interface Options {
  /** Where it is written. Its parent is for nobody else's eyes, if it has to be made. */
  readonly directory: string
  /** PEM of our authority. */
  readonly authorityPath: string
  readonly lookEvery?: Duration.Duration
}

/** Everybody's authorities and ours. */
export const bundleName = "ca.pem"
/** Ours alone, for those who know everybody's by themselves. */
export const authorityName = "authority.pem"

const defaultLookEvery = Duration.seconds(5)

/** Where systems keep the authorities that they believe; some machines have none. */
const systemBundle = "/etc/ssl/certs/ca-certificates.crt"

const attempt = <A>(what: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new TrustUnavailable({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

const publicRoots = Effect.tryPromise(() => readFile(systemBundle, "utf8")).pipe(
  Effect.orElseSucceed(() => rootCertificates.join("\n"))
)

const write = Effect.fnUntraced(function* (directory: string, authority: string) {
  const roots = yield* publicRoots
  const files = { [bundleName]: `${roots.trimEnd()}\n${authority}`, [authorityName]: authority }
  yield* attempt("writing", async () => {
    await mkdir(join(directory, ".."), { recursive: true, mode: 0o700 })
    await mkdir(directory, { recursive: true })
    // Whatever the mask of this process is: those who read are others.
    await chmod(directory, 0o755)
    for (const [name, content] of Object.entries(files)) {
      const fresh = join(directory, `.${name}.new`)
      await writeFile(fresh, content)
      await chmod(fresh, 0o644)
      await rename(fresh, join(directory, name))
    }
  })
})

/** The files are there when this returns, and kept in step with the authority for as long as the scope lives. */
export const keep = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<void, TrustUnavailable, Scope.Scope> {
  const { authorityPath, directory, lookEvery = defaultLookEvery } = options
  const read = attempt(`the authority in ${authorityPath}`, () => readFile(authorityPath, "utf8"))
  let written = yield* read
  yield* write(directory, written)
  const look = Effect.gen(function* () {
    const found = yield* read
    if (found === written) return
    yield* write(directory, found)
    written = found
    yield* Effect.logInfo(`Workers that start from now on believe the new authority in ${authorityPath}`)
  })
  yield* Effect.sleep(lookEvery).pipe(
    // A writer may be half-way: the next look sees.
    Effect.andThen(Effect.ignore(look, { log: "Warn" })),
    Effect.forever,
    Effect.forkScoped
  )
})
