/** The Agent: which layers it is made of, and which of them its settings choose. */
import { resolve } from "node:path"
import { ByteSize, Duration, Effect, Layer } from "effect"
import * as FunctionImage from "#domain/FunctionImage"
import * as StackIdentity from "#domain/StackIdentity"
import * as AgentServer from "#layers/grpc/server/AgentServer"
import * as DataDoor from "#layers/grpc/door/DataDoor"
import * as ForwardedLog from "#layers/grpc/log/ForwardedLog"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"
import * as Logs from "#layers/telemetry/Logs"
import * as Metrics from "#layers/telemetry/Metrics"
import * as TracedWorkerClient from "#layers/telemetry/TracedWorkerClient"
import * as WorkerFigures from "#layers/telemetry/WorkerFigures"
import * as IdleMemory from "../IdleMemory.ts"
import * as OwnImage from "../OwnImage.ts"
import * as PeerCertificates from "../PeerCertificates.ts"
import { launch } from "../Program.ts"
import * as Ready from "../Ready.ts"
import * as Sight from "../Sight.ts"
import * as Handlers from "./Handlers.ts"
import * as Janitor from "./Janitor.ts"
import { type AgentSettings, settings } from "./Settings.ts"
import * as Workers from "./Workers.ts"

const bytes = (size: ByteSize.ByteSize): number => Number(ByteSize.toBigInt(size))

const tlsOf = ({ tls, tlsDisabled }: AgentSettings) => ({ enabled: tls, disabled: tlsDisabled })

const certificates = (values: AgentSettings) =>
  PeerCertificates.layer(tlsOf(values), {
    certificatePath: values.certPath,
    keyPath: values.keyPath,
    authorityPath: values.caCertPath
  })

/** Where workers run images, a function that names none has that of its name. */
const imagesOf = ({ registry, runtime, tag }: AgentSettings, identity: StackIdentity.StackIdentity) =>
  runtime === "process"
    ? undefined
    : (name: string): string => FunctionImage.reference({ identity, registry, tag }, name)

const server = (values: AgentSettings, identity: StackIdentity.StackIdentity) =>
  Layer.unwrap(
    Effect.map(DataDoor.DataDoor, ({ port: dataPort }) => {
      const maxAnswerBytes = bytes(values.maxResponseSize)
      return AgentServer.layer(
        {
          host: values.host,
          port: values.port,
          reflection: values.reflection,
          maxAnswerBytes,
          drainMs: Duration.toMillis(values.drainTimeout)
        },
        Handlers.make({
          dataDoor: { host: values.dataHost, port: dataPort },
          maxAnswerBytes,
          imageOf: imagesOf(values, identity)
        })
      )
    })
  )

const ready = (values: AgentSettings) =>
  Layer.unwrap(
    Effect.map(AgentServer.AgentServer, ({ port }) =>
      Ready.layer({
        url: Ready.urlOf(PeerCertificates.isSecure(tlsOf(values)) ? "https" : "http", values.host, port),
        fileDescriptor: values.readyFd
      })
    )
  )

const metrics = (values: AgentSettings) =>
  Metrics.layer({
    host: values.host,
    port: values.metricsPort,
    figures: Effect.flatMap(WorkerFigures.WorkerFigures, ({ collect }) => collect)
  })

/** Until the server says otherwise, nobody is served. */
const health = Layer.effectDiscard(
  Effect.gen(function* () {
    const { isServing } = yield* AgentServer.AgentServer
    const { tellHealth } = yield* Metrics.Metrics
    tellHealth(isServing)
  })
)

const agent = (values: AgentSettings, home: string, identity: StackIdentity.StackIdentity) =>
  Layer.merge(health, ready(values)).pipe(
    Layer.provide(server(values, identity)),
    Layer.provide([
      DataDoor.layer({ host: values.host, port: values.dataPort, drainTimeout: values.drainTimeout }),
      Janitor.layer({ ownerLease: values.ownerLease })
    ]),
    // Below both doors, so that it can be asked how they are until the last of them has drained.
    Layer.provide(metrics(values)),
    Layer.provide([KnownWorkers.layer, OwnerLeases.layer({ leaseMs: Duration.toMillis(values.ownerLease) })]),
    Layer.provide([
      WorkerFigures.layer.pipe(
        Layer.provide(TracedWorkerClient.layer({ verb: "run", kind: "server" })),
        Layer.provide(Workers.layer(values, home, identity))
      ),
      certificates(values)
    ]),
    Layer.provide(Logs.layer({ name: "agent", least: Logs.levelNamed(values.logLevel), format: values.logFormat })),
    Layer.provide(Sight.layer(values, { containerName: "esb-agent", logger: "agent", records: "own" })),
    Layer.provide(ForwardedLog.layer())
  )

const main = Effect.fnUntraced(function* (values: AgentSettings) {
  const identity = yield* Effect.fromResult(
    StackIdentity.resolve(
      { brandSlug: values.brandSlug, projectName: values.projectName, network: values.containersNetwork },
      values.environment
    )
  )
  const home = resolve(values.home)
  yield* OwnImage.check("agent", { ...values, home })
  return yield* Effect.raceFirst(
    Layer.launch(Layer.merge(agent(values, home, identity), IdleMemory.layer())),
    Ready.listenerGone(values.readyFd)
  )
})

launch({
  name: "agent",
  about: "Starts, pauses, lists, measures and destroys workers on one host, for the Gateways that own them.",
  notes: {
    "What it offers":
      "gRPC on PORT: the service of proto/agent.proto, grpc.health.v1, and reflection where it is asked for.\n" +
      "HTTP on AGENT_DATA_PORT: the data door, by which Gateways call workers and read their log.\n" +
      "HTTP on AGENT_METRICS_PORT: figures for Prometheus, and on /health whether calls are taken (200 or 503), to everybody who " +
      "can reach the port.\n" +
      "Workers reach the Runtime API on AGENT_RUNTIME_API_BIND, each at a port of its own.",
    "Who may use it":
      "Gateways that show a certificate of the same authority (esb certs makes all of them), each its own workers only. New " +
      "certificates are taken from the files while it runs; esb doctor tells when they expire.",
    "How it stops":
      "SIGTERM and SIGINT: health turns to NOT_SERVING, new calls are refused, calls in flight may end within DRAIN_TIMEOUT. Then " +
      "child processes end, and a Gateway starts others as they are needed. Containers stay, and the next start takes them over."
  },
  settings,
  main
})
