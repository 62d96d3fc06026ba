/** `esb deploy` to a stack whose workers are containers: a Gateway and an Agent, a registry, and a table store. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Options } from "#layers/aws/AwsClient"
import * as DynamoTableStore from "#layers/aws/DynamoTableStore"
import { TableStore } from "#services/TableStore"
import * as AgentStack from "#test/support/AgentStack"
import * as BareGateway from "#test/support/BareGateway"
import * as Cli from "#test/support/Cli"
import { docker, forgetRegistry } from "#test/support/DockerImages"
import * as DockerRegistry from "#test/support/DockerRegistry"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import * as StoreServers from "#test/support/StoreServers"

const handler = (answer: string) => `export const handler = async () => (${JSON.stringify(answer)})\n`

const template = (given: string, key = "id") => `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: hello, CodeUri: src/, Handler: app.handler, Runtime: nodejs24.x, Timeout: 20 }
  Given:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: given, PackageType: Image, ImageUri: "${given}", Timeout: 20 }
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: ${key}, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: ${key}, AttributeType: S }]
      BillingMode: PAY_PER_REQUEST
  Files:
    Type: AWS::S3::Bucket
    Properties: { BucketName: files }
`

/** The Provisioner as a service of Compose, with its program in an image of the tests. */
const composeFile = (image: string, config: string, tables: Options, buckets: Options) => `services:
  provisioner:
    profiles: [deploy]
    image: ${image}
    user: "0:0"
    entrypoint: [/var/lang/bin/node, /app/dist/provisioner.js]
    network_mode: host
    volumes: ["${dirname(Cli.programAt("provisioner"))}:/app/dist:ro", "${config}:/app/runtime-config:ro"]
    environment:
      RESOURCES_CONFIG_PATH: /app/runtime-config/resources.yml
      DYNAMODB_ENDPOINT: ${tables.endpoint}
      S3_ENDPOINT: ${buckets.endpoint}
      AWS_ACCESS_KEY_ID: ${buckets.accessKeyId}
      AWS_SECRET_ACCESS_KEY: ${Redacted.value(buckets.secretAccessKey)}
      STORE_START_TIMEOUT: 5
`

/** An image of the tests under a name of a registry, which answers its calls with this text. */
const pushed = Effect.fnUntraced(function* (root: string, base: string, name: string, answer: string) {
  Cli.write(root, {
    "given/Dockerfile": `FROM ${base}\nCOPY app.mjs /var/task/app.mjs\nCMD ["app.handler"]\n`,
    "given/app.mjs": handler(answer)
  })
  yield* docker("build", "--quiet", "--tag", name, join(root, "given"))
  yield* docker("push", "--quiet", name)
  yield* docker("rmi", name)
})

/** Everything runs, and nothing is deployed. */
const running = Effect.gen(function* () {
  const stack = yield* AgentStack.Shared
  const base = yield* Effect.promise(() => FunctionImage.reference())
  const there = yield* DockerRegistry.make()
  const own = yield* DockerRegistry.make()
  yield* forgetRegistry(there.host)
  yield* forgetRegistry(own.host)
  const brand = `esb-${randomUUID().slice(0, 8)}`
  const environment = yield* DockerWorkers.lastingStack(brand)
  const tables = yield* StoreServers.tables()
  const buckets = yield* StoreServers.bucketsWithoutLifecycle

  const given = `${there.host}/team/given:1`
  const files = { "template.yaml": template(given), "src/app.mjs": handler("first") }
  const nothing = { ".esb/config/functions.yml": "functions: {}\n", ".esb/config/routing.yml": "routes: []\n" }
  const root = yield* Cli.project({ ...files, ...nothing })
  const home = join(root, ".esb")
  const config = join(home, "config")
  yield* pushed(root, base, given, "given first")

  const agent = yield* stack.agent({
    ENV: environment,
    PROJECT_NAME: brand,
    AGENT_RUNTIME: "docker",
    CONTAINERS_NETWORK: `esb-${environment}`
  })
  const gateway = yield* stack.gateway([agent.address], {
    settings: {
      FUNCTIONS_CONFIG_PATH: join(config, "functions.yml"),
      ROUTING_CONFIG_PATH: join(config, "routing.yml")
    }
  })
  const compose = join(root, "compose.yml")
  const variables = join(root, "compose.env")
  writeFileSync(compose, composeFile(base, config, tables, buckets))
  writeFileSync(variables, "")

  const run = {
    version: 1,
    mode: "docker",
    gateway: gateway.url,
    region: "us-east-1",
    accessKeyId: "ESBA",
    secretAccessKey: BareGateway.secrets["ESB_SECRET_ACCESS_KEY"],
    token: yield* gateway.token,
    template: join(root, "template.yaml"),
    authority: join(stack.certificates, "rootCA.crt"),
    project: brand,
    brand,
    environment,
    registry: own.host,
    engine: "unix:///var/run/docker.sock",
    composeFiles: [compose],
    environmentFile: variables
  }
  writeFileSync(join(home, "run.json"), JSON.stringify(run))

  const esb = (...args: ReadonlyArray<string>) =>
    Cli.esb(["deploy", ...args], { cwd: root, environment: { ESB_BASE_IMAGE_NODEJS24_X: base } })
  const deployed = (...args: ReadonlyArray<string>) =>
    Effect.map(esb("--json", ...args), ({ code, stderr, stdout }) => {
      assert.strictEqual(code, 0, stderr)
      return JSON.parse(stdout)
    })
  const says = (name: string) =>
    Effect.map(gateway.call(name), ({ status, text }) => {
      assert.strictEqual(status, 200, `${text} ${gateway.stderr()} ${agent.stderr()}`)
      return JSON.parse(text) as unknown
    })
  const imagesIn = (directory: string) =>
    [...readFileSync(join(directory, "functions.yml"), "utf8").matchAll(/image: (\S+)/g)].map(([, image = ""]) => image)
  /** The sources as they were at first, but for these. */
  const change = (changes: Readonly<Record<string, string>>) => Cli.write(root, { ...files, ...changes })
  return { base, brand, change, config, deployed, esb, given, home, imagesIn, own, root, says, tables }
})

/** Made once, because images of a Node take their time. */
class Deployed extends Context.Service<Deployed, Effect.Success<typeof running>>()("esb/test/Deployed") {}

const layer = Layer.effect(Deployed, running).pipe(Layer.provide(AgentStack.layer))
const patience = 300_000

describe("esb deploy to a stack in containers", needs("docker", "registry", "compose"), () => {
  it.layer(layer, { ...AgentStack.live, timeout: patience })((it) => {
    it.effect(
      "makes images and tables, then gives the functions to the Gateway, and says what is different",
      () =>
        Effect.gen(function* () {
          const { base, brand, change, config, deployed, given, home, imagesIn, own, root, says, tables } =
            yield* Deployed
          const first = yield* deployed()
          assert.deepStrictEqual(first.functions, { added: ["given", "hello"], changed: [], removed: [] })
          assert.deepInclude(first.resources, {
            kind: "table",
            name: "orders",
            result: "created",
            detail: "id (S) HASH"
          })
          assert.deepStrictEqual([yield* says("hello"), yield* says("given")], ["first", "given first"])
          const { status } = yield* Effect.flatMap(TableStore, ({ find }) => find("orders")).pipe(
            Effect.provide(DynamoTableStore.layer(tables))
          )
          assert.strictEqual(status, "ACTIVE")

          const names = imagesIn(config)
          assert.match(names[0] ?? "", new RegExp(`^${own.host}/${brand}-hello@sha256:[0-9a-f]{64}$`))
          assert.match(names[1] ?? "", new RegExp(`^${own.host}/127\\.0\\.0\\.1-\\d+/team/given@sha256:[0-9a-f]{64}$`))
          assert.deepStrictEqual(imagesIn(join(home, "staging")), names)

          const again = yield* deployed()
          assert.deepStrictEqual(again.functions, { added: [], changed: [], removed: [] })
          assert.deepInclude(again.resources, {
            kind: "table",
            name: "orders",
            result: "unchanged",
            detail: "id (S) HASH"
          })

          // The same tag, and another image behind it.
          yield* pushed(root, base, given, "given second")
          change({ "src/app.mjs": handler("second") })
          assert.deepStrictEqual((yield* deployed()).functions, { added: [], changed: ["given", "hello"], removed: [] })
          assert.deepStrictEqual([yield* says("hello"), yield* says("given")], ["second", "given second"])

          change({
            "src/app.mjs": handler("second"),
            "template.yaml": template(given).replace(/ {2}Given:[^]*?(?= {2}Orders:)/, "")
          })
          assert.deepStrictEqual((yield* deployed()).functions, { added: [], changed: [], removed: ["given"] })
        }),
      patience
    )

    it.effect(
      "changes no function when a table cannot be had as the template asks for it",
      () =>
        Effect.gen(function* () {
          const { change, config, deployed, esb, given, imagesIn, says } = yield* Deployed
          change({})
          yield* deployed()
          const before = imagesIn(config)
          change({ "src/app.mjs": handler("second"), "template.yaml": template(given, "number") })
          const { code, stderr } = yield* esb()
          assert.strictEqual(code, 1)
          assert.include(stderr, "orders is there and is another table")
          assert.include(stderr, "The Provisioner ended with 1; functions and routes are as they were before.")
          assert.deepStrictEqual(imagesIn(config), before)
          assert.strictEqual(yield* says("hello"), "first")
        }),
      patience
    )

    it.effect(
      "builds and stages only, when it is asked to, and refuses another mode than that of the stack",
      () =>
        Effect.gen(function* () {
          const { change, config, deployed, esb, home, imagesIn } = yield* Deployed
          const before = imagesIn(config)
          change({ "src/app.mjs": handler("third") })
          const { built, staged } = yield* deployed("--build-only")
          assert.strictEqual(staged, join(home, "staging"))
          assert.deepStrictEqual(
            built.map(({ image }: { readonly image: string }) => image),
            imagesIn(staged)
          )
          assert.include(readFileSync(join(staged, "resources.yml"), "utf8"), "orders")
          assert.deepStrictEqual(imagesIn(config), before)
          const other = yield* esb("--mode", "embedded")
          assert.strictEqual(other.code, 2)
          assert.include(other.stderr, "runs in the mode docker")
        }),
      patience
    )

    it.effect(
      "tells of every image that cannot be had, and leaves the stack as it is",
      () =>
        Effect.gen(function* () {
          const { change, config, esb, given, imagesIn } = yield* Deployed
          const before = imagesIn(config)
          change({ "template.yaml": template(`${given.replace(/:1$/, "")}:gone`) })
          const { code, stderr } = yield* esb()
          assert.strictEqual(code, 1)
          assert.match(stderr, /:gone cannot be had \(IMAGE_PULL_FAILED\): Image not found: .*; look for a slip/)
          assert.deepStrictEqual(imagesIn(config), before)
        }),
      patience
    )
  })
})
