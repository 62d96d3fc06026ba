/**
 * What containerd keeps of a worker's container: all that is needed to take the worker over, whoever started it. Labels tell
 * whose it is, where its door was and which network it has; its environment tells the rest.
 */
import { Redacted, Result, Schema } from "effect"
import * as ContainerVariables from "#domain/ContainerVariables"
import * as StackIdentity from "#domain/StackIdentity"
import type { LabelledWorker } from "#domain/StackIdentity"
import * as WorkerSettings from "#domain/WorkerSettings"
import type { FormerContainer } from "#services/ContainerEngine"
import type { FormerDoor } from "#services/RuntimeApi"
import type { Freeze } from "./FreezeChoice.ts"
import type { Container } from "./generated/containerd/containers_pb.ts"

/** What a container is labelled with. */
export interface Marked extends LabelledWorker {
  readonly networkName: string
  readonly imageDigest: string
  /** `undefined`: it was told of no door. */
  readonly endpoint: string | undefined
  readonly freeze: Freeze
  readonly extensionNames: ReadonlyArray<string>
}

export interface ContainerRecord extends Omit<FormerContainer, "address" | "isPaused" | "takeOver"> {
  readonly name: string
  readonly networkName: string
  readonly freeze: Freeze
}

const networkLabel = ({ brand }: StackIdentity.StackIdentity): string => `com.${brand}.network`
const imageLabel = ({ brand }: StackIdentity.StackIdentity): string => `com.${brand}.image`
/** By which way it is frozen. */
export const freezeLabel = ({ brand }: StackIdentity.StackIdentity): string => `com.${brand}.freeze`

export const labels = (identity: StackIdentity.StackIdentity, marked: Marked): Readonly<Record<string, string>> => ({
  ...StackIdentity.workerLabels(identity, marked),
  [networkLabel(identity)]: marked.networkName,
  [imageLabel(identity)]: marked.imageDigest,
  [freezeLabel(identity)]: marked.freeze,
  ...(marked.endpoint === undefined ? {} : { [StackIdentity.listenerLabel(identity)]: marked.endpoint }),
  ...(marked.extensionNames.length === 0
    ? {}
    : { [StackIdentity.extensionsLabel(identity)]: marked.extensionNames.join(",") })
})

/** The network of a container, as far as its labels tell. */
export const networkOf = (identity: StackIdentity.StackIdentity, { labels }: Container): string | undefined =>
  labels[networkLabel(identity)]

const Spec = Schema.fromJsonString(
  Schema.Struct({ process: Schema.Struct({ args: Schema.Array(Schema.String), env: Schema.Array(Schema.String) }) })
)
const decodeSpec = Schema.decodeResult(Spec)

const doorOf = (endpoint: string | undefined, token: string | undefined): FormerDoor | undefined =>
  endpoint === undefined || token === undefined ? undefined : { endpoint, token: Redacted.make(token) }

/** Fails with the reason why nobody can take it over. */
export const read = (
  container: Container,
  identity: StackIdentity.StackIdentity
): Result.Result<ContainerRecord, string> => {
  const { createdAt, id, labels, spec } = container
  const worker = StackIdentity.labelledWorker(identity, labels)
  const networkName = networkOf(identity, container)
  if (labels[StackIdentity.extensionsLabel(identity)] !== undefined) {
    return Result.fail("its extensions do not find back to a door")
  }
  if (worker === undefined || networkName === undefined) return Result.fail("its labels do not tell whose it is")
  return decodeSpec(Buffer.from(spec?.value ?? []).toString("utf8")).pipe(
    Result.mapError(() => "its specification cannot be read"),
    Result.flatMap(({ process: { args, env } }) => {
      const environment = ContainerVariables.parse(env)
      return Result.map(WorkerSettings.fromEnvironment(environment), (settings) => ({
        ...worker,
        name: id,
        settings,
        door: doorOf(labels[StackIdentity.listenerLabel(identity)], environment["ESB_WORKER_TOKEN"]),
        networkName,
        imageDigest: labels[imageLabel(identity)] ?? "",
        entrypoint: args,
        createdAtUnixSeconds: Number(createdAt?.seconds ?? 0n),
        freeze: labels[freezeLabel(identity)] === "cgroup" ? "cgroup" : "task"
      }))
    })
  )
}
