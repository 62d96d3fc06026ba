import { Effect } from "effect"
import { Command } from "effect/cli"
import { version as release } from "../../Version.ts"
import { voice } from "../Voice.ts"

export const version = Command.make("version", {}, () =>
  Effect.flatMap(voice, ({ result }) => result({ version: release, node: process.versions.node }, () => release))
).pipe(Command.withDescription("Show the version"))
