/** The command line: one file for each command, and how every command ends. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Exit } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import { exitCode, presenter, report } from "../Program.ts"
import { version } from "../Version.ts"
import { build } from "./commands/Build.ts"
import { certs } from "./commands/Certs.ts"
import { deploy } from "./commands/Deploy.ts"
import { down } from "./commands/Down.ts"
import { doctor } from "./commands/Doctor.ts"
import { events } from "./commands/Events.ts"
import { init } from "./commands/Init.ts"
import { invoke } from "./commands/Invoke.ts"
import { logs } from "./commands/Logs.ts"
import { ps } from "./commands/Ps.ts"
import { routes } from "./commands/Routes.ts"
import { up } from "./commands/Up.ts"
import { version as versionCommand } from "./commands/Version.ts"
import { HomeDirectory, Json } from "./Globals.ts"
import * as Lasting from "./Lasting.ts"
import * as Output from "./Output.ts"
import * as Warnings from "./Warnings.ts"

const esb = Command.make("esb").pipe(
  Command.withDescription("A Lambda that is yours: the AWS Lambda API on one machine you own"),
  Command.withSubcommands([
    { group: "Run", commands: [up, deploy, build, down, init] },
    { group: "Use", commands: [invoke, logs, ps, routes, events] },
    { group: "About", commands: [certs, doctor, versionCommand] }
  ]),
  Command.withGlobalFlags([Json, HomeDirectory])
)

const args = process.argv.slice(2)
const interrupted = 130

const formatter = CliOutput.defaultFormatter({ colors: process.stdout.hasColors?.() ?? false })

// The terminal is gone: stop as if asked to.
process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"))

Command.runWith(esb, { version })(args).pipe(
  Effect.provide([
    NodeServices.layer,
    presenter(formatter.formatHelpDoc),
    Warnings.layer,
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
  ]),
  Effect.tapCause(report),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const code = Exit.hasInterrupts(exit) && !Lasting.has() ? interrupted : exitCode(exit)
      // What was written last tells only now whether it could be.
      setImmediate(() => onExit(Output.exitCode() ?? code))
    }
  })
)
