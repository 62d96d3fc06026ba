/** The images of our programs, made on a real engine and looked into. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { fileURLToPath } from "node:url"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import * as ServerImages from "#programs/esb/ServerImages"
import { docker, inside, inspected, names } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"
import { nodeImage } from "#test/support/ServerBase"

const socketPath = "/var/run/docker.sock"
const builder = DockerImageBuilder.layer({ engine: `unix://${socketPath}` }).pipe(
  Layer.provide(DockerApi.layer({ socketPath }))
)

const buildLimitMs = 180_000

/** Node is most of it. */
const largestBytes = 160_000_000

const build = (registry: string, from?: string) =>
  ServerImages.build({
    registry,
    tag: "1",
    checkout: fileURLToPath(new URL("../..", import.meta.url)),
    nodeImage: from ?? nodeImage(),
    isFresh: false,
    progress: () => undefined
  }).pipe(Effect.provide(builder))

const node = (image: string, program: string) => inside(image, "/usr/bin/node", "--eval", program)

describe("the images of our programs", needs("docker"), () => {
  it.live(
    "are small, run as nobody in particular, and have no shell; what did not change is not made again",
    () =>
      Effect.gen(function* () {
        const prefix = yield* names
        const built = yield* build(prefix)
        assert.deepStrictEqual(
          built.map(({ outcome, program }) => [program, outcome]),
          [
            ["gateway", "built"],
            ["agent", "built"],
            ["provisioner", "built"]
          ]
        )
        for (const { program, reference } of built) {
          const { Config, Size } = yield* inspected(reference)
          assert.isBelow(Size, largestBytes, program)
          assert.strictEqual(Config.User, "10001:10001")
          assert.strictEqual(Config.Labels["com.esb.kind"], "service")
          assert.strictEqual(Config.Labels["org.opencontainers.image.title"], `esb ${program}`)
          assert.match(
            yield* docker("run", "--rm", "--read-only", reference, "--version"),
            new RegExp(`^${program} \\d`)
          )
          const shells = yield* node(
            reference,
            "console.log(['/bin/sh', '/usr/bin/sh', '/bin/busybox', '/bin/bash'].filter(fs.existsSync).length)"
          )
          assert.strictEqual(shells, "0")
        }
        const again = yield* build(prefix)
        assert.deepStrictEqual(
          again.map(({ outcome }) => outcome),
          ["unchanged", "unchanged", "unchanged"]
        )
      }),
    buildLimitMs
  )

  it.live(
    "have iptables for the Agent, state that their user may write, and a health check that says what is wrong",
    () =>
      Effect.gen(function* () {
        const prefix = yield* names
        const [gateway, agent] = yield* build(prefix)
        const agentImage = agent?.reference ?? ""
        assert.match(yield* inside(agentImage, "/usr/sbin/iptables", "--version"), /^iptables v/)

        const [volume, reference] = [`${prefix}state`, gateway?.reference ?? ""]
        yield* Effect.acquireUseRelease(
          docker("volume", "create", volume),
          () =>
            Effect.gen(function* () {
              const write = "fs.writeFileSync('/var/lib/esb/owner', 'x'); console.log(fs.statSync('/var/lib/esb').uid)"
              const mounted = ["--volume", `${volume}:/var/lib/esb`, "--entrypoint", "/usr/bin/node", reference]
              assert.strictEqual(yield* docker("run", "--rm", "--read-only", ...mounted, "--eval", write), "10001")
            }),
          () => docker("volume", "rm", volume)
        )

        const told = yield* node(
          reference,
          "const { status, stderr } = require('node:child_process').spawnSync('/usr/bin/node', " +
            "['/app/dist/health.js', 'http://127.0.0.1:1/health']); console.log(status, String(stderr))"
        )
        assert.strictEqual(told, "1 http://127.0.0.1:1/health: connect ECONNREFUSED 127.0.0.1:1")
      }),
    buildLimitMs
  )
})
