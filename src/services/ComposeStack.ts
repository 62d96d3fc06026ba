/** The servers of a stack that an engine keeps running: one project of Compose. What has a profile runs only when it is asked to. */
import { Context, type Effect, Schema } from "effect"
import type { StackService } from "#domain/StackService"

/** This machine has no Compose. */
export class ComposeMissing extends Schema.TaggedError<ComposeMissing>()("ComposeMissing", {}) {
  override get message() {
    return "Compose is not installed: get its plugin (https://docs.docker.com/compose/install), or your system's package docker-compose"
  }
}

/** The engine that runs the stack does not answer. */
export class ComposeEngineUnreachable extends Schema.TaggedError<ComposeEngineUnreachable>()(
  "ComposeEngineUnreachable",
  { engine: Schema.String, detail: Schema.String }
) {
  override get message() {
    return (
      `No Docker Engine answers at ${this.engine}: ${this.detail}\n` +
      "Install and start one (https://docs.docker.com/engine/install), and let this user use its socket; DOCKER_HOST names another."
    )
  }
}

/** Compose did not do it; the detail has its last lines. */
export class ComposeFailed extends Schema.TaggedError<ComposeFailed>()("ComposeFailed", {
  /** What was asked of it: `docker-compose up`. */
  command: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.command} failed: ${this.detail}`
  }
}

/** Services that do not work, each with what it wrote last. */
export class ServicesNotReady extends Schema.TaggedError<ServicesNotReady>()("ServicesNotReady", {
  services: Schema.Array(
    Schema.Struct({ name: Schema.String, problem: Schema.String, lastLines: Schema.Array(Schema.String) })
  )
}) {
  override get message() {
    return this.services
      .map(({ lastLines, name, problem }) =>
        [`${name} ${problem}${lastLines.length === 0 ? "" : ":"}`, ...lastLines.map((line) => `  ${line}`)].join("\n")
      )
      .join("\n")
  }
}

export type ComposeFailure = ComposeMissing | ComposeEngineUnreachable | ComposeFailed

/** Told what goes on, a line at a time. */
export type Progress = (line: string) => void

export class ComposeStack extends Context.Service<
  ComposeStack,
  {
    /**
     * Every service outside profiles runs when this returns, and those with a health check are healthy; what has changed is made
     * anew, what has left the files is removed. Interrupting ends Compose, and leaves what it has started.
     */
    readonly up: (progress: Progress) => Effect.Effect<void, ComposeFailure | ServicesNotReady>
    /** Runs a service once with these arguments, and answers its exit code. Its container is gone then. */
    readonly run: (
      service: string,
      args: ReadonlyArray<string>,
      progress: Progress
    ) => Effect.Effect<number, ComposeFailure>
    /** Stops services, and keeps their containers; those that others depend on last. */
    readonly stop: (services: ReadonlyArray<string>, progress: Progress) => Effect.Effect<void, ComposeFailure>
    /** Containers and networks are gone when this returns; volumes only if asked for. */
    readonly down: (options: { readonly volumes: boolean }, progress: Progress) => Effect.Effect<void, ComposeFailure>
    /** Those that have a container, by name. */
    readonly services: Effect.Effect<ReadonlyArray<StackService>, ComposeEngineUnreachable>
  }
>()("esb/services/ComposeStack") {}
