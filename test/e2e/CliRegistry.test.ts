import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Finding } from "#programs/esb/Finding"
import * as Cli from "#test/support/Cli"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { needs } from "#test/support/Engines"
import * as ForwardProxy from "#test/support/ForwardProxy"

/** What `esb doctor` finds of the registry that the environment names, for the mode docker; containerd's is the same. */
const registryFound = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>>) {
  const cwd = yield* Cli.project({})
  const { stderr, stdout } = yield* Cli.esb(["doctor", "--mode", "docker", "--json"], { cwd, environment })
  const { findings, ready } = JSON.parse(stdout) as { findings: ReadonlyArray<Finding>; ready: boolean }
  const [docker, containerd, ...more] = findings.filter(({ what }) => what === "the registry of images")
  assert.deepStrictEqual(more, [])
  assert.deepStrictEqual(containerd && { ...containerd, mode: "docker" }, docker)
  if (docker?.state === "missing") assert.isFalse(ready, "the mode lacks it")
  return { found: docker, stderr }
})

describe("esb doctor and the registry of images", () => {
  it.live("looks for none when none is named", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* registryFound({})).found)
    }).pipe(Effect.scoped)
  )

  it.live(
    "speaks plain HTTP to one on this machine, unless it is told otherwise",
    () =>
      Effect.gen(function* () {
        const { host } = yield* DockerRegistry.make()
        const plain = yield* registryFound({ CONTAINER_REGISTRY: host })
        assert.deepInclude(plain.found, { state: "ok", detail: `${host}, in plain HTTP`, remedy: "" })
        assert.notInclude(plain.stderr, "plain HTTP")
        const { found } = yield* registryFound({ CONTAINER_REGISTRY: host, CONTAINER_REGISTRY_INSECURE: "0" })
        assert.strictEqual(found?.state, "missing")
        assert.include(found?.remedy, "CONTAINER_REGISTRY_INSECURE=1")
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live(
    "finds one that answers in plain HTTP only where that is wanted, and warns of it",
    () =>
      Effect.gen(function* () {
        const { host } = yield* DockerRegistry.make()
        // Elsewhere, as far as the command line can tell.
        const proxy = yield* ForwardProxy.make(host)
        const environment = { CONTAINER_REGISTRY: "registry.test:5000", HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url }
        const plain = yield* registryFound({ ...environment, CONTAINER_REGISTRY_INSECURE: "1" })
        assert.deepInclude(plain.found, { state: "ok", detail: "registry.test:5000, in plain HTTP", remedy: "" })
        assert.include(plain.stderr, "plain HTTP: whoever is in between can change images")
        assert.include(proxy.asked, "registry.test:5000")
        const { found } = yield* registryFound(environment)
        assert.strictEqual(found?.state, "missing")
        assert.include(found?.remedy, "CONTAINER_REGISTRY_INSECURE=1")
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live(
    "goes by way of the proxy to others, never to this machine, and not to those that need none",
    () =>
      Effect.gen(function* () {
        const { authorityPath, host } = yield* DockerRegistry.make({ tls: true })
        const proxy = yield* ForwardProxy.make(host)
        const environment = { CONTAINER_REGISTRY_CA: authorityPath, HTTPS_PROXY: proxy.url }
        const detail = "registry:5000"
        const { found } = yield* registryFound({ ...environment, CONTAINER_REGISTRY: detail })
        assert.deepInclude(found, { state: "ok", detail })
        assert.deepStrictEqual([...new Set(proxy.asked)], [detail])

        const before = proxy.asked.length
        assert.strictEqual((yield* registryFound({ ...environment, CONTAINER_REGISTRY: host })).found?.state, "ok")
        const own = { ...environment, CONTAINER_REGISTRY: "registry.test:5000", NO_PROXY: "other.test,registry.test" }
        assert.strictEqual((yield* registryFound(own)).found?.state, "missing")
        assert.strictEqual(proxy.asked.length, before)
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live(
    "believes the authority it is given, and says what is wrong with user and password without telling them",
    () =>
      Effect.gen(function* () {
        const { authorityPath, host } = yield* DockerRegistry.make({ password: true, tls: true })
        const { password, username } = DockerRegistry.reader
        const secret = Redacted.value(password)
        const environment = {
          CONTAINER_REGISTRY: host,
          CONTAINER_REGISTRY_CA: authorityPath,
          CONTAINER_REGISTRY_USER: username
        }
        const { found, stderr } = yield* registryFound({ ...environment, CONTAINER_REGISTRY_PASSWORD: secret })
        assert.deepInclude(found, { state: "ok", detail: host })
        assert.notInclude(stderr, "plain HTTP")
        assert.notInclude(stderr, secret)
        const wrong = yield* registryFound({ ...environment, CONTAINER_REGISTRY_PASSWORD: "not-it-at-all" })
        assert.strictEqual(wrong.found?.state, "missing")
        assert.include(wrong.found?.remedy, "CONTAINER_REGISTRY_PASSWORD")
        assert.notInclude(JSON.stringify(wrong), "not-it-at-all")
        const stranger = yield* registryFound({ CONTAINER_REGISTRY: host })
        assert.include(stranger.found?.remedy, "CONTAINER_REGISTRY_CA")
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live("says how to name a registry, and where nobody is", () =>
    Effect.gen(function* () {
      for (const [named, remedy] of [
        ["https://registry.example", "write it as host or host:port"],
        ["127.0.0.1:5010/path", "write it as host or host:port"],
        ["127.0.0.1:1", "start it"]
      ] as const) {
        const { found } = yield* registryFound({ CONTAINER_REGISTRY: named })
        assert.strictEqual(found?.state, "missing", named)
        assert.include(found?.remedy, remedy)
      }
    }).pipe(Effect.scoped)
  )
})
