/** Networks of workers by the real plugins, on a machine of the test's own: a network namespace, with a bridge and files for it alone. */
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as CniPlugins from "#layers/cni/CniPlugins"
import { type CniSettings, defaults } from "#layers/cni/CniSettings"
import { Cni } from "#services/Cni"
import { pathOf } from "./Engines.ts"
import { eventually } from "./Eventually.ts"

const execute = promisify(execFile)
const limitMs = 30_000

export const run = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => (await execute(command, args, { encoding: "utf8", timeout: limitMs })).stdout)

/** Everything lies in one directory; the plugins are links to the real ones, so that a test can put another in a place. */
const prepare = Effect.gen(function* () {
  const id = randomBytes(4).toString("hex")
  const directory = mkdtempSync(join(tmpdir(), "cni-"))
  const plugins = join(directory, "bin")
  yield* run("mkdir", plugins)
  for (const name of readdirSync(pathOf("cni"))) symlinkSync(join(pathOf("cni"), name), join(plugins, name))
  const machine = `esb-test-${id}`
  yield* run("ip", "netns", "add", machine)
  yield* run("ip", "-n", machine, "link", "set", "lo", "up")
  return { id, directory, plugins, machine }
})

export const make = Effect.acquireRelease(prepare, ({ directory, id, machine }) =>
  Effect.gen(function* () {
    const all = (yield* run("ip", "netns", "list")).split("\n").flatMap((line) => line.split(" ", 1))
    for (const name of all.filter((each) => each.startsWith(`t${id}`))) yield* run("ip", "netns", "del", name)
    yield* run("ip", "netns", "del", machine)
    rmSync(directory, { recursive: true, force: true })
  })
).pipe(
  Effect.map(({ directory, id, machine, plugins }) => {
    const machineNamespace = `/run/netns/${machine}`
    const brand = `t${id}`
    const settings = (options: Partial<CniSettings> = {}): CniSettings => ({
      ...defaults,
      identity: { brand, environment: "test" },
      stateDirectory: join(directory, "state"),
      pluginDirectory: plugins,
      configurationDirectory: join(directory, "net.d"),
      addressDirectory: join(directory, "addresses"),
      identityFile: join(directory, "cni.env"),
      machineNamespace,
      prepared: 0,
      ...options
    })
    const onMachine = (command: string, ...args: ReadonlyArray<string>) =>
      run("nsenter", `--net=${machineNamespace}`, "--", command, ...args)

    const links = Effect.map(onMachine("ip", "-brief", "link"), (told) =>
      told.split("\n").filter((line) => line.startsWith("veth"))
    )
    /** All that networks of this stack are made of: nothing of it outlives them. */
    const traces = Effect.gen(function* () {
      const files = (path: string) =>
        Effect.map(run("find", directory, "-path", path), (found) => found.split("\n").filter(Boolean))
      const namespaces = (yield* run("ip", "netns", "list")).split("\n").filter((line) => line.startsWith(`${brand}-`))
      const saved = (yield* onMachine("iptables-save")).split("\n")
      const rules = saved.filter((line) => line.includes(`${brand}-`))
      // Beside those of all networks together, which have names: a network's own is a number.
      const chains = saved.filter((line) => /^:CNI-[0-9a-f]{20}/.test(line))
      const addresses = yield* files("*/addresses/*/[0-9]*")
      const records = yield* files("*/state/*")
      return { namespaces, links: yield* links, rules, chains, addresses, records }
    })
    return {
      brand,
      directory,
      settings,
      /** Where the bridge is. */
      namespace: machineNamespace,
      /** A command where the bridge is. */
      onMachine,
      /** A command where a worker would be. */
      inside: (name: string, command: string, ...args: ReadonlyArray<string>) =>
        run("nsenter", `--net=/run/netns/${name}`, "--", command, ...args),
      /** A run of the Agent: `stop` ends its scope. */
      start: Effect.fnUntraced(function* (options: Partial<CniSettings> = {}) {
        const scope = yield* Scope.make()
        const built = Layer.buildWithScope(CniPlugins.layer(settings(options)), scope)
        const stop = Scope.close(scope, Exit.void)
        const context = yield* Effect.onError(built, () => stop)
        yield* Effect.addFinalizer(() => stop)
        return { cni: Context.get(context, Cni), stop }
      }),
      /** A shell script takes the place of a plugin. `$REAL` is the one that was there. */
      replacePlugin: (name: string, script: string) => {
        const path = join(plugins, name)
        rmSync(path)
        writeFileSync(path, `#!/bin/sh\nREAL=${join(pathOf("cni"), name)}\n${script}\n`)
        chmodSync(path, 0o755)
      },
      restorePlugin: (name: string) => {
        const path = join(plugins, name)
        rmSync(path)
        symlinkSync(join(pathOf("cni"), name), path)
      },
      traces,
      /** Nothing of networks is there. The kernel takes the ends of links along with their namespaces, in its own time. */
      isBare: Effect.gen(function* () {
        assert.deepStrictEqual({ ...(yield* traces), links: [] }, noTrace)
        yield* eventually("no link is left", links, (all) => all.length === 0, limitMs)
      })
    }
  })
)

const noTrace = { namespaces: [], links: [], rules: [], chains: [], addresses: [], records: [] }
