import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ByteSize, ConfigProvider, Duration, Effect, Option, Redacted, Result } from "effect"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Setting from "#programs/Setting"

const settings = {
  ...Setting.group("Listening", {
    port: Setting.Port("PORT", "TCP port", 8080),
    workers: Setting.Int({ min: 1, max: 9 })("WORKERS", "How many", 2)
  }),
  pause: Setting.Seconds("PAUSE_IDLE_SECONDS", "Idle time before a worker is frozen", Duration.seconds(30)),
  isOpen: Setting.Flag("OPEN", "Whether it is open", false),
  mode: Setting.OneOf(["docker", "containerd"])("AGENT_RUNTIME", "Engine", "docker"),
  level: Setting.Text(["AGENT_LOG_LEVEL", "LOG_LEVEL"], "Log level", "info"),
  hosts: Setting.List("ALLOWED_HOSTS", "Names", []),
  server: Setting.optional(Setting.Ipv4Address)("CNI_DNS_SERVER", "Name server"),
  net: Setting.wordOr("auto", Setting.Ipv4Network)("CNI_SUBNET", "Network", "auto"),
  ports: Setting.ListOf({
    expected: "a number",
    read: (word) => (/^\d+$/.test(word) ? Result.succeed(Number(word)) : Result.fail(word)),
    write: String
  })("PORTS", "Ports", [1, 2]),
  limit: Setting.ByteSize("LIMIT", "Largest body", ByteSize.mebibytes(10)),
  key: Setting.optional(Setting.Secret)("JWT_SECRET_KEY", "Signs tokens")
}

const given = (flags: Record<string, string>) =>
  Object.fromEntries(Object.entries(flags).map(([key, text]) => [key, Option.some(text)]))

const resolve = (env: Record<string, string>, flags: Record<string, string> = {}) =>
  Setting.resolve(settings, given(flags)).pipe(
    Effect.provide([NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env }))] as const)
  )

const complaints = (env: Record<string, string>, flags: Record<string, string> = {}) =>
  resolve(env, flags).pipe(
    Effect.flip,
    Effect.map((found) => found.map(({ message }) => message))
  )

describe("Setting", () => {
  it.effect("takes a flag before the environment, and the environment before the default", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolve({})).port, 8080)
      assert.strictEqual((yield* resolve({ PORT: "1" })).port, 1)
      assert.strictEqual((yield* resolve({ PORT: "1" }, { port: "2" })).port, 2)
    })
  )

  it.effect("reads every kind", () =>
    Effect.gen(function* () {
      const values = yield* resolve({
        WORKERS: "9",
        PAUSE_IDLE_SECONDS: "0.5",
        OPEN: "Yes",
        AGENT_RUNTIME: "CONTAINERD",
        ALLOWED_HOSTS: "a, b,,c",
        CNI_DNS_SERVER: "10.0.0.2",
        CNI_SUBNET: "10.88.7.7/16",
        PORTS: "3, 4,",
        LIMIT: "1KiB"
      })
      assert.strictEqual(values.workers, 9)
      assert.strictEqual(Duration.toMillis(values.pause), 500)
      assert.isTrue(values.isOpen)
      assert.strictEqual(values.mode, "containerd")
      assert.deepStrictEqual(values.hosts, ["a", "b", "c"])
      assert.strictEqual(values.server, "10.0.0.2")
      assert.strictEqual(Setting.rows(settings).find(({ env }) => env === "CNI_SUBNET")?.flag, "--net <auto|network>")
      assert.deepStrictEqual(values.net, { base: 10 * 2 ** 24 + 88 * 2 ** 16, prefix: 16 })
      assert.strictEqual((yield* resolve({ CNI_SUBNET: "AUTO" })).net, "auto")
      assert.deepStrictEqual(values.ports, [3, 4])
      assert.strictEqual(ByteSize.toNumberUnsafe(values.limit), 1024)
      assert.isUndefined(values.key)
    })
  )

  it.effect("takes an empty variable for an absent one and falls back to the next name", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* resolve({ AGENT_LOG_LEVEL: "", LOG_LEVEL: "debug" })).level, "debug")
      assert.strictEqual((yield* resolve({ AGENT_LOG_LEVEL: "warn", LOG_LEVEL: "debug" })).level, "warn")
    })
  )

  it.effect("tells every bad value at once, each with its variable, its flag and what was expected", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* complaints({ PORT: "70000", WORKERS: "0" }, { mode: "lxc" }), [
        'PORT (--port) is "70000": expected a port, 0 to 65535',
        'WORKERS (--workers) is "0": expected a whole number, 1 to 9',
        'AGENT_RUNTIME (--mode) is "lxc": expected one of docker, containerd'
      ])
      assert.deepStrictEqual(yield* complaints({ CNI_SUBNET: "10.0.0.0/31" }), [
        'CNI_SUBNET (--net) is "10.0.0.0/31": expected auto, or an IPv4 network of 4 addresses or more, such as 10.88.0.0/16'
      ])
    })
  )

  it.effect("tells every bad word of a list", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* complaints({ PORTS: "1, a,2,b", CNI_DNS_SERVER: "10.0.0" }), [
        'CNI_DNS_SERVER (--server) is "10.0.0": expected an address, such as 10.88.0.1',
        'PORTS (--ports) has "a": expected a number',
        'PORTS (--ports) has "b": expected a number'
      ])
    })
  )

  it.effect("names a required setting that is missing", () =>
    Effect.gen(function* () {
      const missing = { key: Setting.required(Setting.Secret)("JWT_SECRET_KEY", "Signs tokens") }
      const failure = yield* Effect.flip(Setting.resolve(missing, {})).pipe(
        Effect.provide([NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))] as const)
      )
      assert.deepStrictEqual(failure, [
        { env: "JWT_SECRET_KEY", message: "JWT_SECRET_KEY is required: expected text that is not empty" }
      ])
    })
  )

  it.effect("reads a secret from the file that <NAME>_FILE names, without its last newline", () =>
    Effect.gen(function* () {
      const path = join(mkdtempSync(join(tmpdir(), "esb-Setting-")), "secret")
      writeFileSync(path, "open sesame\n")
      const { key } = yield* resolve({ JWT_SECRET_KEY_FILE: path })
      assert.strictEqual(key === undefined ? undefined : Redacted.value(key), "open sesame")
      assert.notInclude(JSON.stringify({ key }), "sesame")
      const [complaint] = yield* complaints({ JWT_SECRET_KEY_FILE: `${path}.gone` })
      assert.include(complaint, "JWT_SECRET_KEY cannot be read from JWT_SECRET_KEY_FILE=")

      const both = yield* complaints({ JWT_SECRET_KEY_FILE: path, JWT_SECRET_KEY: "hidden" })
      assert.deepStrictEqual(both, ["JWT_SECRET_KEY is given twice, by itself and by JWT_SECRET_KEY_FILE"])
      writeFileSync(path, "\n")
      const [empty] = yield* complaints({ JWT_SECRET_KEY_FILE: path })
      assert.include(empty, "the file is empty")
    })
  )

  it("has no flag for a secret, and shows neither value nor default of one", () => {
    const row = Setting.rows({ key: Setting.Secret("S", "A secret", Redacted.make("hidden")) })[0]
    assert.deepStrictEqual(row, {
      group: "Settings",
      flag: undefined,
      env: "S or S_FILE",
      about: "A secret",
      expected: "text that is not empty",
      isRequired: false,
      fallback: "none"
    })
  })

  it("tells each setting with its heading, flag, variable and default", () => {
    const rows = Setting.rows(settings)
    assert.deepStrictEqual(
      rows.slice(0, 2).map(({ group, flag, env, fallback }) => [group, flag, env, fallback]),
      [
        ["Listening", "--port <port>", "PORT", "8080"],
        ["Listening", "--workers <number>", "WORKERS", "2"]
      ]
    )
    assert.deepStrictEqual(
      rows.filter(({ env }) => env === "PAUSE_IDLE_SECONDS").map(({ flag, fallback }) => [flag, fallback]),
      [["--pause <seconds>", "30"]]
    )
  })
})
