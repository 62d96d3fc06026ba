/** The images of our programs, made on a real engine and looked into. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
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

const build = (registry: string) =>
  ServerImages.build({
    mode: "docker",
    registry,
    tag: "1",
    checkout: fileURLToPath(new URL("../..", import.meta.url)),
    nodeImage: nodeImage(),
    isFresh: false,
    progress: () => undefined
  }).pipe(Effect.provide(builder))

/** Made once for all that looks at them. */
class Built extends Context.Service<
  Built,
  { readonly prefix: string; readonly images: ReadonlyArray<ServerImages.ServerImage> }
>()("esb/test/Built") {}

const built = Layer.effect(
  Built,
  Effect.gen(function* () {
    const prefix = yield* names
    return { prefix, images: yield* build(prefix) }
  })
)

const node = (image: string, program: string) => inside(image, "/usr/bin/node", "--eval", program)

const imageOf = (wanted: ServerImages.Program) =>
  Effect.map(
    Built,
    ({ images }) => images.find(({ program }) => program === wanted)?.reference ?? assert.fail("it was not made")
  )

describe("the images of our programs", needs("docker"), () => {
  it.layer(built, { timeout: buildLimitMs, excludeTestServices: true })((it) => {
    it.effect("are small, run as nobody in particular, and have no shell", () =>
      Effect.gen(function* () {
        const { images } = yield* Built
        assert.deepStrictEqual(
          images.map(({ outcome, program }) => [program, outcome]),
          ServerImages.programsOf.docker.map((program) => [program, "built"])
        )
        for (const { program, reference } of images) {
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
      })
    )

    it.effect("are not made again from a build that did not change", () =>
      Effect.gen(function* () {
        const { prefix } = yield* Built
        const again = yield* build(prefix)
        assert.isTrue(again.every(({ outcome }) => outcome === "unchanged"))
      })
    )

    it.effect("have iptables and its program for the Agent", () =>
      Effect.gen(function* () {
        const agent = yield* imageOf("agent")
        assert.match(yield* inside(agent, "/usr/sbin/iptables", "--version"), /^iptables v/)
        assert.match(yield* inside(agent, "/usr/bin/node", "/app/dist/fence.js", "--version"), /\d/)
      })
    )

    it.effect("let their user write to the volume of their state, and refuse to do without one", () =>
      Effect.gen(function* () {
        const { prefix } = yield* Built
        const [volume, gateway] = [`${prefix}state`, yield* imageOf("gateway")]
        yield* Effect.acquireUseRelease(
          docker("volume", "create", volume),
          () =>
            Effect.gen(function* () {
              const write = "fs.writeFileSync('/var/lib/esb/owner', 'x'); console.log(fs.statSync('/var/lib/esb').uid)"
              const mounted = ["--volume", `${volume}:/var/lib/esb`, "--entrypoint", "/usr/bin/node", gateway]
              assert.strictEqual(yield* docker("run", "--rm", "--read-only", ...mounted, "--eval", write), "10001")
            }),
          () => docker("volume", "rm", volume)
        )
        const start =
          "const { stderr } = require('node:child_process').spawnSync('/usr/bin/node', ['/app/dist/gateway.js'], {"
        const secrets = { ESB_SECRET_ACCESS_KEY: "s", JWT_SECRET_KEY: "k".repeat(32), X_API_KEY: "x", AUTH_PASS: "p" }
        const env = JSON.stringify({
          ...secrets,
          ESB_HOME: "/var/lib/esb",
          IMAGE_RUNTIME: "docker",
          AGENT_RUNTIME: "docker"
        })
        const told = yield* node(gateway, `${start} env: ${env} }); console.log(String(stderr))`)
        assert.include(told, "ESB_HOME is /var/lib/esb, which goes with the container")
      })
    )

    it.effect("have a health check that says what is wrong", () =>
      Effect.gen(function* () {
        const told = yield* node(
          yield* imageOf("gateway"),
          "const { status, stderr } = require('node:child_process').spawnSync('/usr/bin/node', " +
            "['/app/dist/health.js', 'http://127.0.0.1:1/health']); console.log(status, String(stderr))"
        )
        assert.strictEqual(told, "1 http://127.0.0.1:1/health: connect ECONNREFUSED 127.0.0.1:1")
      })
    )
  })
})
