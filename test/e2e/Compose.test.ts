/** `compose/services.yml` with `compose/docker.yml`, started for real: with our own images, and stand-ins for those that cannot be pulled here. */
import { assert, describe, it } from "@effect/vitest"
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { Effect } from "effect"
import { join } from "node:path"
import * as ComposeProject from "#test/support/ComposeProject"
import { docker } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import { caller, pushed } from "#test/support/StackCalls"

type Project = Effect.Success<ReturnType<typeof ComposeProject.make>>

/** A busy machine starts containers slowly, and asks them after their health more slowly still. */
const patienceMs = 120_000

/** As the machine does it that runs out of memory: Docker takes its own `kill` for a wish that the service stays down. */
const kill = Effect.fnUntraced(function* (project: Project, service: "gateway" | "agent") {
  const container = project.container(service)
  const restarts = docker("inspect", "--format", "{{.RestartCount}}", container)
  const before = yield* restarts
  const pid = yield* docker("inspect", "--format", "{{.State.Pid}}", container)
  const asRoot = ["run", "--rm", "--pid", "host", "--user", "0", "--network", "none", "--entrypoint", "/usr/bin/node"]
  yield* docker(...asRoot, project.serverImage("agent"), "--eval", `process.kill(${pid}, "SIGKILL")`)
  yield* eventually(`${service} was started again`, restarts, (now) => now !== before, patienceMs)
  const health = docker("inspect", "--format", "{{.State.Health.Status}}", container)
  yield* eventually(`${service} is healthy`, health, (now) => now === "healthy", patienceMs)
})

const reach = (project: Project) => ({
  store: { host: `${project.variables.WORKERS_NET}.0.4`, port: 9000, path: "/minio/health/live" },
  tables: { host: `${project.variables.WORKERS_NET}.0.5`, port: 8000, path: "/" },
  metrics: { host: `${project.variables.WORKERS_NET}.0.2`, port: 9091, path: "/metrics" }
})

const resources = {
  dynamodb: [
    {
      TableName: "orders",
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST"
    }
  ],
  s3: [{ BucketName: "receipts" }]
}

const limitMs = 600_000

const nobodyElse = { skip: true, meta: { skipReason: "only root may give files to another user" } }

describe("the stack of compose/docker.yml", needs("compose", "registry", "minio"), () => {
  it.live(
    "comes up healthy, runs functions from its registry, survives kills, provides stores, and leaves nothing",
    () =>
      Effect.gen(function* () {
        const project = yield* ComposeProject.make()
        const { configure, progress, stack, told, up, variables } = project
        yield* up
        const wellness = yield* stack.services
        assert.deepStrictEqual(
          wellness.map(({ exitCode, health, name }) => [name, exitCode ?? health]),
          [
            ["agent", "healthy"],
            ["database", "healthy"],
            ["gateway", "healthy"],
            ["registry", "healthy"],
            ["s3-storage", "healthy"],
            ["victorialogs", "healthy"],
            ["victoriatraces", "healthy"],
            ["volumes", 0]
          ]
        )

        const image = yield* pushed(project)
        const handled = (handler: string) => ({ image, handler: `index.${handler}`, timeout: 10 })
        const functions = { echo: handled("echo"), environment: handled("environment"), visit: handled("visit") }
        configure({ functions, resources })
        const call = caller(project)
        const answers = (n: number) =>
          eventually(
            "the function answers",
            call("echo", { n }),
            (seen) => JSON.stringify(seen) === JSON.stringify({ n }),
            patienceMs
          )
        yield* answers(1)

        const environment = (yield* call("environment")) as Record<string, string>
        assert.strictEqual(environment["AWS_ENDPOINT_URL_LAMBDA"], "https://gateway:8443")
        assert.strictEqual(environment["AWS_ENDPOINT_URL_S3"], `http://${variables.WORKERS_NET}.0.4:9000`)
        assert.strictEqual(environment["AWS_ENDPOINT_URL_DYNAMODB"], `http://${variables.WORKERS_NET}.0.5:8000`)
        assert.notInclude(JSON.stringify(environment), project.secrets.rustfs_secret_key)

        const { metrics, store, tables } = reach(project)
        assert.deepStrictEqual(yield* call("visit", store), { bytes: 1 })
        assert.deepStrictEqual(yield* call("visit", tables), { bytes: 1 })
        assert.deepStrictEqual(yield* call("visit", metrics), { bytes: 0 })

        yield* kill(project, "gateway")
        yield* answers(2)
        yield* kill(project, "agent")
        yield* answers(3)

        assert.strictEqual(yield* stack.run("provisioner", [], progress), 0)
        const s3 = new S3Client({
          endpoint: `http://127.0.0.1:${variables.PORT_S3}`,
          region: "us-east-1",
          forcePathStyle: true,
          credentials: { accessKeyId: "esb-root", secretAccessKey: project.secrets.rustfs_secret_key }
        })
        yield* Effect.promise(() => s3.send(new HeadBucketCommand({ Bucket: "receipts" })))
        assert.strictEqual(yield* stack.run("provisioner", [], progress), 0)
        assert.isTrue(
          told.some((line) => line.includes("orders")),
          told.slice(-20).join("\n")
        )

        assert.isTrue(
          told.some((line) => line.includes("let key esb use the buckets yourself")),
          "MinIO takes no keys as RustFS does"
        )

        yield* stack.stop(["gateway", "agent"], progress)
        for (const service of ["gateway", "agent"]) {
          const code = yield* docker("inspect", "--format", "{{.State.ExitCode}}", project.container(service))
          assert.strictEqual(code, "0", `${service} hears of its end, and ends well`)
        }
        yield* project.down
        assert.deepStrictEqual(yield* project.remains, [])
      }).pipe(Effect.scoped),
    limitMs
  )

  it.live(
    "gives its volumes to the user it runs as, and begins with a configuration of nothing where it is given none",
    () =>
      Effect.gen(function* () {
        const project = yield* ComposeProject.make({ runUid: 12_345, configuration: "volume" })
        yield* project.up
        const gateway = project.container("gateway")
        const owners = "console.log(['/var/lib/esb', '/var/lib/esb/owner'].map((path) => fs.statSync(path).uid).join())"
        assert.strictEqual(yield* docker("exec", gateway, "/usr/bin/node", "--eval", owners), "12345,12345")
        const call = caller(project)
        assert.include(JSON.stringify(yield* call("echo")), "ResourceNotFoundException")

        const image = yield* pushed(project)
        project.configure({ functions: { echo: { image, handler: "index.echo" } } })
        const mounts = [`${join(project.home, "config")}:/from:ro`, `${project.project}_esb-runtime-config:/to`]
        yield* docker(
          "run",
          "--rm",
          ...mounts.flatMap((mount) => ["--volume", mount]),
          "--user",
          "0",
          "--entrypoint",
          "/usr/bin/node",
          project.serverImage("gateway"),
          "--eval",
          "fs.cpSync('/from', '/to', { recursive: true })"
        )
        const isEcho = (seen: unknown) => JSON.stringify(seen) === JSON.stringify({ n: 1 })
        yield* eventually("the function answers", call("echo", { n: 1 }), isEcho, patienceMs)
      }).pipe(Effect.scoped),
    { timeout: limitMs, ...(ComposeProject.isRoot ? {} : nobodyElse) }
  )
})
