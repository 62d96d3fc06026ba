/** CoreDNS itself, with the file that Compose gives it. */
import { Effect, Option } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pathOf } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as FreePort from "./FreePort.ts"
import * as NameClient from "./NameClient.ts"

const corefile = fileURLToPath(new URL("../../compose/config/coredns/Corefile", import.meta.url))

/** Where it listens, and whom it asks: nobody but this machine is to be asked by tests. */
const elsewhere = (text: string, port: number, upstream: NameClient.Server): string => {
  const moved = text
    .replace("\n.:53 {", `\n.:${port} {\n    bind 127.0.0.1`)
    .replace("forward . 127.0.0.11 {", `forward . ${upstream.address}:${upstream.port} {`)
  if (!moved.includes(`.:${port} {`) || moved.includes("127.0.0.11")) throw new Error("the Corefile is not as expected")
  return moved
}

/** Answers when this returns, until the scope ends. */
export const make = Effect.fnUntraced(function* (
  upstream: NameClient.Server,
  environment: Readonly<Record<string, string>>
) {
  const port = yield* FreePort.find
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "coredns-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const path = join(directory, "Corefile")
  writeFileSync(path, elsewhere(readFileSync(corefile, "utf8"), port, upstream))
  let said = ""
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(pathOf("coredns"), ["-conf", path], { env: environment, stdio: ["ignore", "pipe", "pipe"] })
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-65_536)))
      }
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const server: NameClient.Server = { address: "127.0.0.1", port }
  const look = NameClient.byDatagram(server, NameClient.query("gateway", "A"), 200)
  yield* eventually(`CoreDNS answers (${said})`, look, Option.isSome, 10_000)
  return server
})
