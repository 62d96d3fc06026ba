import { assert, describe, it } from "@effect/vitest"
import { FunctionName } from "#domain/FunctionName"
import * as LogStreamName from "#domain/LogStreamName"
import { OwnerId } from "#domain/Worker"
import * as ContainerOptions from "#layers/docker/ContainerOptions"

const plan = ({
  memoryMiB = 1_769,
  user = "",
  environment = {},
  trustDirectory
}: {
  readonly memoryMiB?: number
  readonly user?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly trustDirectory?: string
} = {}): ContainerOptions.ContainerPlan => ({
  identity: { brand: "acme", environment: "dev" },
  name: "acme-dev-hello-0a1b2c3d",
  spec: { functionName: FunctionName.make("hello"), image: "registry:5010/acme-hello:1", environment, specHash: "5ec" },
  owner: OwnerId.make("gateway-1"),
  image: { reference: "registry:5010/acme-hello:1", digest: "sha256:d16e57", entrypoint: [], user },
  memoryMiB,
  logStream: LogStreamName.make(new Date(0), new Uint8Array(LogStreamName.randomBytes)),
  network: "acme-dev",
  trustDirectory,
  door: { endpoint: "172.18.0.1:20001", token: "t0ken" }
})

describe("the options of a container", () => {
  it("run the image that was looked at, under the labels by which it is found again", () => {
    const options = ContainerOptions.make(plan())
    assert.strictEqual(options.Image, "sha256:d16e57")
    assert.deepStrictEqual(options.Labels, {
      created_by: "acme-agent",
      acme_env: "dev",
      "com.acme.kind": "function",
      acme_function: "hello",
      "com.acme.owner": "gateway-1",
      "com.acme.spec": "5ec",
      "com.acme.listener": "172.18.0.1:20001"
    })
  })

  it("name the extensions of the image, and no door where none is told", () => {
    const { Env, Labels } = ContainerOptions.make({ ...plan(), door: undefined, extensionNames: ["agent", "relay"] })
    assert.strictEqual(Labels["com.acme.extensions"], "agent,relay")
    assert.notProperty(Labels, "com.acme.listener")
    assert.deepStrictEqual(
      Env.filter((variable) => /^(AWS_LAMBDA_RUNTIME_API|ESB_WORKER_TOKEN)=/.test(variable)),
      []
    )
  })

  it("tell the worker its door and its log over whatever the function says", () => {
    const { Env } = ContainerOptions.make(
      plan({ environment: { A: "a=b", TZ: "Asia/Tokyo", AWS_LAMBDA_RUNTIME_API: "elsewhere" } })
    )
    assert.deepStrictEqual(Env.toSorted(), [
      "A=a=b",
      "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/hello",
      `AWS_LAMBDA_LOG_STREAM_NAME=1970/01/01/[$LATEST]${"0".repeat(32)}`,
      "AWS_LAMBDA_RUNTIME_API=172.18.0.1:20001",
      "ESB_WORKER_TOKEN=t0ken",
      "TZ=Asia/Tokyo"
    ])
  })

  it("tell the worker whom to believe, unless the function says it, in files that it can only read", () => {
    const { Env, HostConfig } = ContainerOptions.make(
      plan({ trustDirectory: "/state/worker-ca", environment: { SSL_CERT_FILE: "/var/task/own.pem" } })
    )
    assert.deepStrictEqual(HostConfig.Mounts, [
      { Type: "bind", Source: "/state/worker-ca", Target: "/etc/esb", ReadOnly: true }
    ])
    const named = Env.filter((entry) => entry.includes(".pem"))
    assert.deepStrictEqual(named.toSorted(), [
      "AWS_CA_BUNDLE=/etc/esb/ca.pem",
      "NODE_EXTRA_CA_CERTS=/etc/esb/authority.pem",
      "REQUESTS_CA_BUNDLE=/etc/esb/ca.pem",
      "SSL_CERT_FILE=/var/task/own.pem"
    ])
    assert.deepStrictEqual(ContainerOptions.make(plan()).HostConfig.Mounts, [])
  })

  it("weigh a processor by the memory that buys one on AWS, and allow no swap", () => {
    const of = (memoryMiB: number) => ContainerOptions.make(plan({ memoryMiB })).HostConfig
    assert.deepInclude(of(1_769), { CpuShares: 1_024, Memory: 1_769 * 1_048_576, MemorySwap: 1_769 * 1_048_576 })
    assert.strictEqual(of(128).CpuShares, 74)
    assert.strictEqual(of(1).CpuShares, 2)
    assert.notProperty(of(128), "NanoCpus")
  })

  it("name AWS's user unless the image names one, or the function wants to be root", () => {
    const userOf = (...given: Parameters<typeof plan>) => ContainerOptions.make(plan(...given)).User
    assert.strictEqual(userOf(), "993:990")
    assert.isUndefined(userOf({ user: "app" }))
    assert.isUndefined(userOf({ environment: { RUN_AS_ROOT: "1" } }))
    assert.strictEqual(userOf({ environment: { RUN_AS_ROOT: "0" } }), "993:990")
  })
})
