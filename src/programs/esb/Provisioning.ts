/** The Provisioner, run once: in a container of the stack, or as a child process against stores that somebody else runs. */
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { ComposeStack, type Progress } from "#services/ComposeStack"
import * as ConfigFiles from "./ConfigFiles.ts"
import { inherited } from "./Environment.ts"
import { CommandFailed } from "./Refusal.ts"
import type { Voice } from "./Voice.ts"

/** Beside the bundle that this file becomes a part of. */
const program = fileURLToPath(new URL("./provisioner.js", import.meta.url))

/** Where tables and buckets are made; an absent store gets none. */
export interface Stores {
  readonly dynamodbEndpoint: string | undefined
  readonly s3Endpoint: string | undefined
}

/** Runs it with these arguments, and answers its exit code. */
export type Run<E, R> = (args: ReadonlyArray<string>, progress: Progress) => Effect.Effect<number, E, R>

/** In the stack, with the stores of the stack. */
export const inStack: Run<Effect.Error<ReturnType<ComposeStack["Service"]["run"]>>, ComposeStack> = (args, progress) =>
  Effect.flatMap(ComposeStack, (compose) => compose.run("provisioner", args, progress))

/** Beside this command, with stores that answer from here, and the keys of this environment. */
export const beside =
  (home: string, { dynamodbEndpoint = "", s3Endpoint = "" }: Stores): Run<CommandFailed, never> =>
  (args, progress) =>
    Effect.callback((resume) => {
      const child = spawn(process.execPath, [program, ...args], {
        env: {
          ...inherited(),
          RESOURCES_CONFIG_PATH: ConfigFiles.pathIn(home, "resources"),
          DYNAMODB_ENDPOINT: dynamodbEndpoint,
          S3_ENDPOINT: s3Endpoint
        },
        stdio: ["ignore", "pipe", "pipe"]
      })
      for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", progress)
      child.once("error", ({ message }) =>
        resume(new CommandFailed({ message: `The Provisioner cannot be started: ${message}` }))
      )
      child.once("close", (code) =>
        resume(code === null ? new CommandFailed({ message: "A signal ended the Provisioner" }) : Effect.succeed(code))
      )
      return Effect.sync(() => child.kill())
    })

const Resource = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  result: Schema.String,
  detail: Schema.String
})
export type Resource = typeof Resource.Type

const Summary = Schema.fromJsonString(Schema.Struct({ resources: Schema.Array(Resource) }))
const readSummary = Schema.decodeOption(Summary)

/** How much of what it said is told again when it fails. */
const lastLines = 10

/** Shows what it says, and answers what it did when the voice is JSON. Fails when it does, with its last words. */
export const provide = Effect.fnUntraced(function* <E, R>(run: Run<E, R>, voice: Voice) {
  const said: Array<string> = []
  let resources: ReadonlyArray<Resource> = []
  const hear = (line: string) => {
    const summary = voice.json ? readSummary(line) : undefined
    if (summary?._tag === "Some") {
      resources = summary.value.resources
      return
    }
    said.push(line)
    if (said.length > lastLines) said.shift()
    voice.note(line)
  }
  const code = yield* run(voice.json ? ["--json"] : [], hear)
  if (code === 0) return resources
  const words = said.map((line) => `  ${line}`)
  const message = [
    `The Provisioner ended with ${code}; functions and routes are as they were before.`,
    // For people they stand above already.
    ...(voice.json ? words : [])
  ].join("\n")
  return yield* new CommandFailed({ message })
})
