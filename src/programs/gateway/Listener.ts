/** What callers connect to: HTTP, or HTTPS with a certificate that is read again when its files are replaced. */
import { readFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { createServer as createSecureServer, type Server as SecureServer } from "node:https"
import { Duration, Effect, Layer } from "effect"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { BadSettings } from "../Program.ts"
import * as Connections from "./Connections.ts"
import type { GatewaySettings } from "./Settings.ts"

/** Longer than the 60 s after which load balancers part with an idle connection: they are to be the ones who part. */
const keepAliveTimeout = 65_000

/** Who offers another protocol, as Java's client does, is answered in this one. */
const shouldUpgradeCallback = () => false

/** How often the files of a certificate are looked at. */
const lookEvery = Duration.seconds(5)

type Values = Pick<GatewaySettings, "drainTimeout" | "host" | "port" | "sslCertPath" | "sslKeyPath">

interface Files {
  readonly certPath: string
  readonly keyPath: string
}

const wrong = (complaint: string) => new BadSettings({ program: "gateway", complaints: [complaint] })

/** `undefined`: plain HTTP is wanted. */
const filesOf = ({ sslCertPath, sslKeyPath }: Values): Effect.Effect<Files | undefined, BadSettings> => {
  if (sslCertPath !== undefined && sslKeyPath !== undefined) {
    return Effect.succeed({ certPath: sslCertPath, keyPath: sslKeyPath })
  }
  if (sslCertPath === undefined && sslKeyPath === undefined) return Effect.undefined
  const [given, missing] =
    sslKeyPath === undefined ? ["SSL_CERT_PATH", "SSL_KEY_PATH"] : ["SSL_KEY_PATH", "SSL_CERT_PATH"]
  return Effect.fail(wrong(`${missing} is required: ${given} is given, and HTTPS wants both`))
}

const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const read = ({ certPath, keyPath }: Files) =>
  Effect.tryPromise({
    try: async () => ({ cert: await readFile(certPath, "utf8"), key: await readFile(keyPath, "utf8") }),
    catch: wordsOf
  })

/** A pair that does not fit is told once, and the one before stays: a writer may be between its two files. */
const follow = (server: SecureServer, files: Files, first: { readonly cert: string; readonly key: string }) => {
  let [seen, told] = [first, ""]
  const look = Effect.gen(function* () {
    const found = yield* read(files)
    if (found.cert === seen.cert && found.key === seen.key) return
    yield* Effect.try({ try: () => server.setSecureContext(found), catch: wordsOf })
    ;[seen, told] = [found, ""]
    yield* Effect.logInfo(`New certificate from ${files.certPath}`)
  }).pipe(
    Effect.catch((why) => {
      const isOld = why === told
      told = why
      return isOld ? Effect.void : Effect.logWarning(`The certificate in ${files.certPath} stays: ${why}`)
    })
  )
  return Layer.effectDiscard(Effect.forkScoped(Effect.forever(Effect.delay(look, lookEvery))))
}

const options = { keepAliveTimeout, shouldUpgradeCallback }

/** Listens as long as the layer lives. */
export const layer = (values: Values) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const serve = (server: Server) =>
        NodeHttpServer.layer(() => Connections.tend(server), {
          host: values.host,
          port: values.port,
          gracefulShutdownTimeout: values.drainTimeout
        })
      const files = yield* filesOf(values)
      if (files === undefined) return serve(createServer(options))
      const pair = yield* Effect.mapError(read(files), (why) => wrong(`SSL_CERT_PATH or SSL_KEY_PATH: ${why}`))
      const server = yield* Effect.try({
        try: () => createSecureServer({ ...options, ...pair }),
        catch: (cause) => wrong(`SSL_CERT_PATH and SSL_KEY_PATH: ${wordsOf(cause)}`)
      })
      return Layer.merge(serve(server), follow(server, files, pair))
    })
  )
