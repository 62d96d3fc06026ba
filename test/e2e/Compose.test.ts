/** `compose/services.yml` with `compose/docker.yml`, started for real: with our own images, and stand-ins for those that cannot be pulled here. */
import { assert, describe, it } from "@effect/vitest"
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { Effect } from "effect"
import { join } from "node:path"
import * as ComposeProject from "#test/support/ComposeProject"
import { docker } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import { caller, echoes, functions, pushed, told, wellness } from "#test/support/StackCalls"

/** As the machine does it that runs out of memory: Docker takes its own `kill` for a wish that the service stays down. */
const kill = Effect.fnUntraced(function* (project: ComposeProject.Project, service: "gateway" | "agent") {
  const restarts = told(project, service, ".RestartCount")
  const before = yield* restarts
  const pid = yield* told(project, service, ".State.Pid")
  const asRoot = ["run", "--rm", "--pid", "host", "--user", "0", "--network", "none", "--entrypoint", "/usr/bin/node"]
  yield* docker(...asRoot, project.serverImage("agent"), "--eval", `process.kill(${pid}, "SIGKILL")`)
  yield* eventually(`${service} was started again`, restarts, (now) => now !== before, ComposeProject.patienceMs)
  yield* eventually(
    `${service} is healthy`,
    told(project, service, ".State.Health.Status"),
    (now) => now === "healthy",
    ComposeProject.patienceMs
  )
})

const reach = (project: ComposeProject.Project) => ({
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
        const { configure, progress, stack, up, variables } = project
        yield* up
        assert.deepStrictEqual(yield* wellness(project), [
          ["agent", "healthy"],
          ["database", "healthy"],
          ["gateway", "healthy"],
          ["registry", "healthy"],
          ["s3-storage", "healthy"],
          ["victorialogs", "healthy"],
          ["victoriatraces", "healthy"],
          ["volumes", 0]
        ])

        const image = yield* pushed(project)
        configure({ functions: functions(image), resources })
        const call = caller(project)
        yield* echoes(call, 1)

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
        yield* echoes(call, 2)
        yield* kill(project, "agent")
        yield* echoes(call, 3)

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
          project.told.some((line) => line.includes("orders")),
          project.told.slice(-20).join("\n")
        )

        assert.isTrue(
          project.told.some((line) => line.includes("let key esb use the buckets yourself")),
          "MinIO takes no keys as RustFS does"
        )

        yield* stack.stop(["gateway", "agent"], progress)
        for (const service of ["gateway", "agent"]) {
          assert.strictEqual(
            yield* told(project, service, ".State.ExitCode"),
            "0",
            `${service} hears of its end, and ends well`
          )
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
        yield* echoes(call, 1)
      }).pipe(Effect.scoped),
    { timeout: limitMs, ...(ComposeProject.isRoot ? {} : nobodyElse) }
  )
})
