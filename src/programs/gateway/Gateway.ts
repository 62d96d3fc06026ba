/** The Gateway: which layers it is made of, and which of them its settings choose. */
import { totalmem } from "node:os"
import { join, resolve } from "node:path"
import { ByteSize, Duration, Effect, FileSystem, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { NetAddress } from "effect/net"
import type { OwnerId } from "#domain/Worker"
import * as IssuedAuthenticator from "#layers/auth/IssuedAuthenticator"
import * as FileFunctionCatalog from "#layers/files/FileFunctionCatalog"
import * as LocalWorkerPool from "#layers/pool/LocalWorkerPool"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import * as SqliteLogSink from "#layers/sqlite/SqliteLogSink"
import * as Logs from "#layers/telemetry/Logs"
import * as TracedWorkerClient from "#layers/telemetry/TracedWorkerClient"
import * as IdleMemory from "../IdleMemory.ts"
import * as OwnImage from "../OwnImage.ts"
import { launch } from "../Program.ts"
import { version } from "../Version.ts"
import * as Answer from "./Answer.ts"
import * as Events from "./Events.ts"
import * as Hosts from "./Hosts.ts"
import * as Invoke from "./Invoke.ts"
import * as Janitor from "./Janitor.ts"
import * as Listener from "./Listener.ts"
import * as Ready from "../Ready.ts"
import * as Routes from "./Routes.ts"
import * as Schedules from "./Schedules.ts"
import { type GatewaySettings, settings } from "./Settings.ts"
import * as Sight from "../Sight.ts"
import { ownerOf } from "./Owner.ts"
import * as Stores from "./Stores.ts"
import * as Workers from "./Workers.ts"

const urlOf = (values: GatewaySettings, address: NetAddress.SocketAddress): string => {
  const isSecure = values.sslCertPath !== undefined
  return Ready.urlOf(isSecure ? "https" : "http", values.host, "port" in address ? address.port : 0)
}

const bytes = (size: ByteSize.ByteSize): number => Number(ByteSize.toBigInt(size))

const stateDirectoryOf = (home: string): string => join(home, "state")

/** Everything a Gateway writes down, in one thread. */
const state = (values: GatewaySettings, stateDirectory: string) =>
  Layer.mergeAll(
    SqliteEventQueue.layer({
      stateDirectory,
      limits: { maxEvents: values.eventQueueLimit, maxBytes: bytes(values.eventQueueBytes) }
    }),
    SqliteLogSink.layer({
      stateDirectory,
      retention: { maxBytes: bytes(values.logMaxBytes), maxAgeMs: Duration.toMillis(Duration.days(values.logMaxAge)) }
    })
  ).pipe(Layer.provide(Sqlite.layer))

const configuration = (values: GatewaySettings, home: string) =>
  FileFunctionCatalog.layer({
    functionsPath: values.functionsConfigPath ?? join(home, "config/functions.yml"),
    routingPath: values.routingConfigPath ?? join(home, "config/routing.yml"),
    region: values.region,
    // `${NAME}` in functions.yml means the Gateway's environment: the one place where it is read as a whole.
    variables: { LOG_LEVEL: values.logLevel, ...process.env },
    watch: values.configReloadEnabled,
    pollInterval: values.configReloadInterval,
    defaults: {
      minCapacity: values.defaultMinCapacity,
      maxCapacity: values.defaultMaxCapacity,
      idleTimeoutMs: Duration.toMillis(values.gatewayIdleTimeoutSeconds),
      acquireTimeoutMs: Duration.toMillis(values.poolAcquireTimeout)
    }
  })

const authenticator = (values: GatewaySettings) =>
  IssuedAuthenticator.layer({
    credentials: [{ accessKeyId: values.accessKeyId, secret: values.secretAccessKey }],
    user: values.authUser,
    password: values.authPass,
    tokens: { secret: values.jwtSecretKey, lifetimeSeconds: Duration.toSeconds(values.jwtExpiresDelta) }
  })

const pools = (values: GatewaySettings, owner: OwnerId, url: string) =>
  LocalWorkerPool.layer({
    owner,
    surroundings: {
      region: values.region,
      accessKeyId: values.accessKeyId,
      secretAccessKey: values.secretAccessKey,
      gatewayUrl: values.internalUrl ?? url,
      defaults: { LOG_LEVEL: values.logLevel, ...Stores.told(values) }
    },
    maxWaiting: values.poolMaxWaiting,
    freezeAfterMs: values.enableContainerPause ? Duration.toMillis(values.pauseIdleSeconds) : undefined,
    breaker: {
      threshold: values.circuitBreakerThreshold,
      recoveryMs: Duration.toMillis(values.circuitBreakerRecoveryTimeout)
    },
    // Workers behind an Agent wait for the next Gateway; children of this one end with it.
    whenClosed: Workers.agentsOf(values).length === 0 ? "destroy" : "leave",
    orphanGraceMs: Duration.toMillis(values.orphanGracePeriodSeconds),
    memoryMiB: (values.workerMemory === undefined ? totalmem() * 0.75 : bytes(values.workerMemory)) / 2 ** 20
  })

/** How often idle workers are looked at: a tenth of the shortest limit, within reason. */
const tidyEvery = (values: GatewaySettings) =>
  Duration.clamp(Duration.times(Duration.min(values.pauseIdleSeconds, values.gatewayIdleTimeoutSeconds), 0.1), {
    minimum: Duration.millis(50),
    maximum: Duration.seconds(1)
  })

/** All that answers, once it is known under which address. */
const doors = (values: GatewaySettings, home: string, owner: OwnerId, url: string) => {
  const hosts = Hosts.make({
    listensOn: values.host,
    allowedHosts: values.allowedHosts,
    trustedProxies: values.trustedProxies
  })
  const routes = Routes.layer({
    owner,
    hosts,
    region: values.region,
    invokeAuth: values.invokeAuth,
    routeAuth: values.routeAuth,
    authEndpointPath: `/${values.authEndpointPath.replace(/^\//, "")}`,
    apiKey: values.apiKey,
    version
  }).pipe(Layer.provide(Answer.layer({ hosts, accessLog: values.accessLog })))
  return Ready.layer({ url, fileDescriptor: values.readyFd }).pipe(
    Layer.provide(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true, routerConfig: { maxParamLength: 2048 } })
    ),
    Layer.provide([
      Schedules.layer({ region: values.region }),
      Janitor.layer({ tidyEvery: tidyEvery(values), sweepEvery: values.heartbeatInterval })
    ]),
    Layer.provide(
      Events.layer({
        region: values.region,
        retryBaseMs: Duration.toMillis(values.eventRetryBase),
        drainTimeout: values.drainTimeout
      })
    ),
    Layer.provide(Invoke.layer({ drainTimeout: values.drainTimeout })),
    Layer.provide(pools(values, owner, url)),
    Layer.provide([authenticator(values), configuration(values, home)]),
    Layer.provide(TracedWorkerClient.layer({ verb: "invoke", kind: "client" })),
    Layer.provide(Workers.layer(values, home, owner)),
    Layer.provide(Logs.layer({ name: "gateway", least: values.logLevel })),
    Layer.provide(Sight.layer(values, { containerName: "esb-gateway", logger: "gateway", records: "all" })),
    Layer.provide(state(values, stateDirectoryOf(home)))
  )
}

const main = Effect.fnUntraced(function* (values: GatewaySettings) {
  const home = resolve(values.home)
  yield* OwnImage.check("gateway", { ...values, runtime: values.agentRuntime, home })
  const files = yield* FileSystem.FileSystem
  yield* files.makeDirectory(stateDirectoryOf(home), { recursive: true, mode: 0o700 })
  const owner = yield* ownerOf(home, values.ownerId)
  const gateway = Layer.unwrap(
    Effect.map(HttpServer.HttpServer, ({ address }) => doors(values, home, owner, urlOf(values, address)))
  ).pipe(Layer.provide(Listener.layer(values)))
  return yield* Effect.raceFirst(
    Layer.launch(Layer.merge(gateway, IdleMemory.layer())),
    Ready.listenerGone(values.readyFd)
  )
})

launch({
  name: "gateway",
  about: "Answers the AWS Lambda API and the routes of your functions over HTTP, and keeps their workers.",
  settings,
  main
})
