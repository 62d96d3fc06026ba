/** A stack started for a benchmark as a user starts it, and a caller that costs as little as possible. */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Pool } from "undici"

const esb = fileURLToPath(new URL("../../dist/esb.js", import.meta.url))

export interface DrivenStack {
  readonly url: string
  readonly gatewayPid: number
  readonly invoke: (functionName: string, payload: string) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Functions `f0`, `f1`, … that answer what they get, each with at most so many workers. */
export const template = (capacities: ReadonlyArray<number>): string =>
  [
    "Transform: AWS::Serverless-2016-10-31",
    "Globals: { Function: { Runtime: nodejs24.x, Handler: index.handler, CodeUri: code/, MemorySize: 256 } }",
    "Resources:",
    ...capacities.map(
      (capacity, n) =>
        `  F${n}: { Type: AWS::Serverless::Function, Properties: { FunctionName: f${n}, ReservedConcurrentExecutions: ${capacity} } }`
    )
  ].join("\n")

export const start = async (
  source: string,
  environment: Readonly<Record<string, string>> = {}
): Promise<DrivenStack> => {
  const directory = mkdtempSync(join(tmpdir(), "esb-bench-"))
  mkdirSync(join(directory, "code"))
  writeFileSync(join(directory, "code/index.mjs"), "export const handler = async (event) => event\n")
  writeFileSync(join(directory, "template.yaml"), source)
  const up = spawn(process.execPath, [esb, "up", "--json", "--port", "0"], {
    cwd: directory,
    env: { ...process.env, INVOKE_AUTH: "none", ...environment },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: up.stdout }).once("line", resolve)
    up.once("exit", (code) => reject(new Error(`esb up ended with ${code}`)))
  })
  const { gateway } = JSON.parse(line) as { readonly gateway: string }
  const { pid } = JSON.parse(readFileSync(join(directory, ".esb/run.json"), "utf8")) as { readonly pid: number }
  const pool = new Pool(gateway, { connections: 64 })
  return {
    url: gateway,
    gatewayPid: pid,
    invoke: async (functionName, payload) => {
      const { body, statusCode } = await pool.request({
        method: "POST",
        path: `/2015-03-31/functions/${functionName}/invocations`,
        body: payload
      })
      const answer = await body.text()
      if (statusCode !== 200) throw new Error(`${statusCode} ${answer}`)
    },
    stop: async () => {
      await pool.close()
      await new Promise((resolve) => {
        up.once("exit", resolve)
        up.kill("SIGTERM")
      })
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
