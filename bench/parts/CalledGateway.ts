/** A Gateway with functions in images, whose workers an Agent starts, and a caller that costs as little as possible. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { Pool } from "undici"
import type { AgentProcess } from "./AgentProcess.ts"
import * as ProgramProcess from "./ProgramProcess.ts"

/** An entry of `functions.yml`, but for the image, which is the same for all. */
export interface FunctionEntry {
  readonly handler: string
  readonly timeout?: number
  readonly idle_timeout?: number
  readonly memory_size?: number
  readonly scaling?: { readonly min_capacity?: number; readonly max_capacity?: number }
}

export interface CalledGateway {
  readonly gateway: ProgramProcess.ProgramProcess
  /** The answer's text; rejects for every status but 200. */
  readonly invoke: (functionName: string, payload: string) => Promise<string>
}

const write = (directory: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
}

/** Its functions, and what the Gateway needs to speak to the Agent. */
const settingsIn = (
  home: string,
  { address, bundle }: AgentProcess,
  functions: Readonly<Record<string, FunctionEntry & { readonly image: string }>>
): Readonly<Record<string, string>> => {
  mkdirSync(join(home, "config"), { recursive: true })
  // JSON is YAML.
  write(join(home, "config"), { "functions.yml": JSON.stringify({ functions }), "routing.yml": "routes: []\n" })
  write(home, {
    "client.crt": bundle.certificate,
    "client.key": Redacted.value(bundle.key),
    "ca.crt": bundle.authority
  })
  return {
    ESB_HOME: home,
    PORT: "0",
    INVOKE_AUTH: "none",
    ACCESS_LOG: "false",
    LOG_LEVEL: "WARNING",
    ESB_SECRET_ACCESS_KEY: "secret-of-the-bench",
    JWT_SECRET_KEY: "key-of-the-bench-key-of-the-bench",
    X_API_KEY: "key-of-the-bench",
    AUTH_PASS: "password-of-the-bench",
    AGENT_GRPC_ADDRESS: address,
    AGENT_GRPC_TLS_CERT_PATH: join(home, "client.crt"),
    AGENT_GRPC_TLS_KEY_PATH: join(home, "client.key"),
    AGENT_GRPC_TLS_CA_CERT_PATH: join(home, "ca.crt")
  }
}

export interface Wish {
  readonly home: string
  readonly agent: AgentProcess
  readonly image: string
  readonly functions: Readonly<Record<string, FunctionEntry>>
  readonly settings: Readonly<Record<string, string>>
}

export const start = Effect.fnUntraced(function* ({ agent, functions, home, image, settings }: Wish) {
  const withImage = Object.fromEntries(Object.entries(functions).map(([name, entry]) => [name, { ...entry, image }]))
  const gateway = yield* ProgramProcess.start("gateway", { ...settingsIn(home, agent, withImage), ...settings })
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool(gateway.url, { connections: 64 })),
    (made) => Effect.promise(() => made.close())
  )
  return {
    gateway,
    invoke: async (functionName, payload) => {
      const path = `/2015-03-31/functions/${functionName}/invocations`
      const { body, headers, statusCode } = await pool.request({ method: "POST", path, body: payload })
      const answer = await body.text()
      if (statusCode !== 200 || headers["x-amz-function-error"] !== undefined) {
        throw new Error(`${functionName}: ${statusCode} ${answer}`)
      }
      return answer
    }
  } satisfies CalledGateway
})
