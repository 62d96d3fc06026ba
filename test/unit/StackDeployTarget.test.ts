import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { deploying } from "#programs/esb/DeploySettings"
import * as DeployTarget from "#programs/esb/DeployTarget"
import type * as RunFile from "#programs/esb/RunFile"
import * as Setting from "#programs/Setting"

const run: RunFile.ContainerRun = {
  version: 1,
  mode: "docker",
  gateway: "https://localhost",
  region: "eu-west-1",
  accessKeyId: "ESBA",
  secretAccessKey: "secret",
  token: "token",
  template: "/template.yaml",
  authority: "/certs/rootCA.crt",
  project: "acme-staging",
  brand: "acme",
  environment: "staging",
  registry: "127.0.0.1:15010",
  engine: "unix:///engine.sock",
  composeFiles: [],
  environmentFile: "/compose.env"
}

const settingsFor = Effect.fnUntraced(function* (
  environment: Readonly<Record<string, string>>,
  run: RunFile.Run | undefined
) {
  const given = yield* Setting.resolve(deploying, {}).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment })),
    Effect.provide(NodeServices.layer)
  )
  return DeployTarget.settingsFor(given, run)
})

describe("a deploy to a stack", () => {
  it.live("goes by what the stack was started with, from whichever shell", () =>
    Effect.gen(function* () {
      const settings = yield* settingsFor({ ENV: "unheard", DOCKER_HOST: "unix:///other.sock" }, run)
      assert.deepInclude(settings, {
        region: "eu-west-1",
        environment: "staging",
        brandSlug: "acme",
        registry: "127.0.0.1:15010",
        dockerHost: "unix:///engine.sock"
      })
      assert.isUndefined(settings.agentRegistry)
    })
  )

  it.live("names images as the Agent of a containerd does, where they are in the registry of the stack", () =>
    Effect.gen(function* () {
      const containerd = { ...run, mode: "containerd", agentRegistry: "registry:5010" } as const
      const own = { registry: "127.0.0.1:15010", agentRegistry: "registry:5010" }
      assert.deepInclude(yield* settingsFor({}, containerd), own)
      assert.deepInclude(yield* settingsFor({ CONTAINER_REGISTRY: "127.0.0.1:15010" }, containerd), own)
      const other = yield* settingsFor({ CONTAINER_REGISTRY: "registry.example" }, containerd)
      assert.deepInclude(other, { registry: "registry.example", agentRegistry: undefined })

      const building = { ESB_MODE: "containerd", CONTAINER_REGISTRY: "127.0.0.1:5010" }
      assert.strictEqual((yield* settingsFor(building, undefined)).agentRegistry, "registry:5010")
      const elsewhere = { ...building, CONTAINER_REGISTRY: "registry.example" }
      assert.isUndefined((yield* settingsFor(elsewhere, undefined)).agentRegistry)
    })
  )

  it.live("has another region and registry where one is given, and the default region where no stack runs", () =>
    Effect.gen(function* () {
      const given = { AWS_REGION: "us-west-2", CONTAINER_REGISTRY: "registry.example" }
      assert.deepInclude(yield* settingsFor(given, run), { region: "us-west-2", registry: "registry.example" })
      assert.strictEqual((yield* settingsFor({}, undefined)).region, "us-east-1")
    })
  )
})
