/** Images for tests that a real engine holds, made from files of this machine; each goes when its scope ends. */
import { execFile, execFileSync, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"

const run = promisify(execFile)

/** What the docker client wrote on stdout. */
export const docker = (...args: ReadonlyArray<string>) =>
  Effect.promise(async () => (await run("docker", args, { encoding: "utf8", timeout: 60_000 })).stdout.trim())

/** Images made of others have the labels of these, those of steps that failed included. */
const label = (prefix: string) => `esb-test=${prefix}`

const idsOf = (prefix: string): ReadonlyArray<string> =>
  [`label=${label(prefix)}`, `reference=${prefix}*`].flatMap((which) =>
    execFileSync("docker", ["images", "--all", "--no-trunc", "--quiet", "--filter", which], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line !== "")
  )

/** An image goes after those made of it, and times of making are told in whole seconds: so try, and try again. */
const removeAll = (prefix: string) =>
  Effect.sync(() => {
    for (let left = idsOf(prefix), tries = 0; left.length > 0 && tries < 5; left = idsOf(prefix), tries++) {
      spawnSync("docker", ["rmi", "--force", ...new Set(left)])
    }
  })

/** How the names of one test's images begin. They are gone when its scope ends, and all that was made of their base. */
export const names = Effect.acquireRelease(
  Effect.sync(() => `esb-test-${randomUUID().slice(0, 8)}-`),
  removeAll
)

/** Sees to it that the engine has no image of a registry any more, which only one test knows, when the scope ends. */
export const forgetRegistry = (host: string) =>
  Effect.addFinalizer(() =>
    Effect.sync(() => {
      const format = ["--no-trunc", "--format", "{{.ID}} {{.Repository}}"]
      const listed = execFileSync("docker", ["images", ...format], { encoding: "utf8" }).split("\n")
      const ids = listed.flatMap((line) => {
        const [id = "", repository = ""] = line.split(" ")
        return repository.startsWith(`${host}/`) ? [id] : []
      })
      if (ids.length > 0) spawnSync("docker", ["rmi", "--force", ...new Set(ids)])
    })
  )

const busybox = "/bin/busybox"
const tools = ["sh", "cat", "ls", "sleep", "stat", "env", "readlink"]

/** An image with nothing but a shell and a few tools: `<prefix>base:1`. */
export const smallBase = Effect.fnUntraced(function* (prefix: string) {
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: apt-get install busybox-static`)
  const root = mkdtempSync(join(tmpdir(), "esb-base-"))
  mkdirSync(join(root, "bin"))
  cpSync(busybox, join(root, "bin/busybox"))
  for (const tool of tools) symlinkSync("busybox", join(root, "bin", tool))
  execFileSync("tar", ["--create", "--file", join(root, "base.tar"), "--directory", root, "bin"])
  const name = `${prefix}base:1`
  yield* docker("import", "--change", `LABEL ${label(prefix)}`, join(root, "base.tar"), name)
  rmSync(root, { recursive: true })
  return name
})

/** What a program inside an image writes. */
export const inside = (image: string, ...command: ReadonlyArray<string>) =>
  docker("run", "--rm", "--network", "none", "--entrypoint", command[0] ?? "", image, ...command.slice(1))

export const inspected = (image: string) => Effect.map(docker("image", "inspect", image), (text) => JSON.parse(text)[0])
