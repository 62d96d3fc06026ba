import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { mkdtempSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ComposeVariables from "#programs/esb/ComposeVariables"
import * as GivenVariables from "#programs/esb/GivenVariables"

/** A built `esb` finds it beside itself. */
const composeFile = fileURLToPath(new URL("../../compose/services.yml", import.meta.url))

type Environment = Readonly<Record<string, string>>

/** Starts of one stack, one after another, each from a shell of its own. */
const starts = () => {
  const home = mkdtempSync(join(tmpdir(), "esb-GivenVariables-"))
  const start = Effect.fnUntraced(function* (environment: Environment, flags: Environment = {}) {
    const given = Object.fromEntries(Object.entries(flags).map(([key, value]) => [key, Option.some(value)]))
    const stated = yield* GivenVariables.find(home, "docker", given, environment)
    yield* GivenVariables.write(home, stated.given)
    return stated
  })
  return {
    home,
    start: (environment: Environment, flags?: Environment) =>
      Effect.provide(start(environment, flags), NodeServices.layer)
  }
}

describe("what a stack in containers was told", () => {
  it.live("counts for the next start from another shell, until it is given anew", () =>
    Effect.gen(function* () {
      const { home, start } = starts()
      const first = yield* start(
        { LOG_LEVEL: "DEBUG", GATEWAY_MEM_LIMIT: "1g", PORT_GATEWAY_HTTPS: "8443", PATH: "/bin", UNHEARD: "of" },
        { registryPort: "15010", composeFiles: composeFile }
      )
      assert.deepStrictEqual(first.fromBefore, [])
      assert.deepStrictEqual(first.variables, { LOG_LEVEL: "DEBUG", GATEWAY_MEM_LIMIT: "1g" })
      assert.deepInclude(first.settings, { gatewayPort: 8443, registryPort: 15_010, s3Port: 9000 })
      assert.strictEqual(statSync(join(home, "given.json")).mode & 0o077, 0)

      const second = yield* start({ LOG_LEVEL: "WARNING", PORT_S3: "19000" })
      assert.deepStrictEqual(second.variables, { LOG_LEVEL: "WARNING", GATEWAY_MEM_LIMIT: "1g" })
      assert.deepInclude(second.settings, { gatewayPort: 8443, registryPort: 15_010, s3Port: 19_000 })
      assert.sameMembers(second.fromBefore, [
        "GATEWAY_MEM_LIMIT",
        "PORT_GATEWAY_HTTPS",
        "PORT_REGISTRY",
        "ESB_COMPOSE_FILES"
      ])
      assert.deepStrictEqual((yield* start({})).given, second.given)
    })
  )

  it.live("is taken back by an empty variable", () =>
    Effect.gen(function* () {
      const { start } = starts()
      yield* start({ LOG_LEVEL: "DEBUG", PORT_GATEWAY_HTTPS: "8443", ESB_COMPOSE_FILES: composeFile })
      const { given, settings } = yield* start({ LOG_LEVEL: "", PORT_GATEWAY_HTTPS: "" })
      assert.deepStrictEqual(given, { ESB_COMPOSE_FILES: composeFile })
      assert.strictEqual(settings.gatewayPort, 443)
      assert.deepStrictEqual((yield* start({})).given, given)
    })
  )

  it.live("gives way to another name of the same thing, and to a flag", () =>
    Effect.gen(function* () {
      const { start } = starts()
      yield* start({ AWS_REGION: "eu-west-1", JWT_SECRET_KEY: "one", ENV: "staging" })
      const key = join(mkdtempSync(join(tmpdir(), "esb-GivenVariables-")), "key")
      writeFileSync(key, "another\n")
      const environment = { AWS_DEFAULT_REGION: "eu-west-3", JWT_SECRET_KEY_FILE: key, ENV: "unheard" }
      const { settings } = yield* start(environment, { environment: "e2e" })
      assert.deepInclude(settings, { region: "eu-west-3", environment: "e2e" })
      assert.strictEqual(Redacted.value(settings.jwtSecretKey ?? Redacted.make("")), "another")
      const again = yield* start({})
      assert.deepStrictEqual(again.given, { AWS_DEFAULT_REGION: "eu-west-3", JWT_SECRET_KEY_FILE: key, ENV: "e2e" })
    })
  )

  it.live("names files from anywhere, and variables of one's own Compose files", () =>
    Effect.gen(function* () {
      const { home, start } = starts()
      const own = join(home, "own.yml")
      writeFileSync(own, 'services: { gateway: { environment: { A: "${SITE_A:-1} $SITE_B $$NOT ${HOME}" } } }')
      const environment = { ESB_COMPOSE_FILES: `${own}, other.yml`, ESB_CERT_DIR: "certs", SITE_A: "a", SITE_B: "b" }
      const { given } = yield* start({ ...environment, NOT: "c", HOME: "/root", CONFIG_DIR: "/never" })
      assert.deepStrictEqual(given, {
        ESB_COMPOSE_FILES: `${own},${join(process.cwd(), "other.yml")}`,
        ESB_CERT_DIR: join(process.cwd(), "certs"),
        SITE_A: "a",
        SITE_B: "b"
      })
      assert.deepStrictEqual(ComposeVariables.namesIn("$${A} ${B:-${C}} $D"), new Set(["B", "C", "D"]))
    })
  )

  it.live("does not tell a build or a start, but a stack", () =>
    Effect.gen(function* () {
      const { home, start } = starts()
      const { given } = yield* start({ ESB_MODE: "docker", PORT: "1", ESB_BUILD_CACHE: "0" }, { verbose: "true" })
      assert.deepStrictEqual(given, {})
      writeFileSync(join(home, "given.json"), "[]")
      const { message } = yield* Effect.flip(start({}))
      assert.include(message, "given.json is damaged: remove it")
    })
  )
})
