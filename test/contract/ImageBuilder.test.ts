import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import { ImageBuilder, type ImageRequest } from "#services/ImageBuilder"
import { eventually } from "#test/support/Cli"
import { docker, inside, inspected, names, smallBase } from "#test/support/DockerImages"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { needs } from "#test/support/Engines"

const builderAt = (socketPath: string, login?: DockerImageBuilder.RegistryLogin) =>
  DockerImageBuilder.layer({ engine: `unix://${socketPath}`, logins: login === undefined ? [] : [login] }).pipe(
    Layer.provide(DockerApi.layer({ socketPath }))
  )

const socket = "/var/run/docker.sock"
const engine = builderAt(socket)

const directory = (files: Readonly<Record<string, string>>) => {
  const root = mkdtempSync(join(tmpdir(), "esb-ImageBuilder-"))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

/** A base, and a request to build on it that a test changes as it likes. */
const given = Effect.gen(function* () {
  const prefix = yield* names
  const base = yield* smallBase(prefix)
  const told: Array<string> = []
  const request: ImageRequest = {
    reference: `${prefix}hello:latest`,
    base,
    baseAdvice: "name another",
    dockerfile: `FROM ${base}\nENV PATH=/bin\nCOPY opt/ /opt/\nCOPY task/ /var/task/\nCMD ["app.handler"]\n`,
    context: { task: directory({ "app.mjs": "code" }), opt: directory({ "lib/shared.txt": "layer" }) },
    contextDigest: "sha256:one",
    labels: { "com.esb.kind": "function" },
    fingerprintLabel: "com.esb.image_fingerprint",
    isFresh: false,
    progress: (line) => told.push(line)
  }
  return { prefix, request, told, builder: yield* ImageBuilder }
})

describe("ImageBuilder (docker)", needs("docker"), () => {
  it.live("makes what a Dockerfile of somebody's own says, without what its .dockerignore names", () =>
    Effect.gen(function* () {
      const { builder, prefix, request } = yield* given
      const root = directory({
        Dockerfile: `FROM ${request.base} AS first
ENV PATH=/bin
ARG WORD=none
RUN echo "$WORD" > /word
COPY . /all/
FROM first
RUN echo more > /more
`,
        ".dockerignore": "# not for images\n*.log\ndeep\n!deep/kept\nDockerfile\n",
        "app.mjs": "code",
        "build.log": "noise",
        "deep/gone": "x",
        "deep/kept": "y"
      })
      const own = {
        reference: `${prefix}own:latest`,
        directory: root,
        dockerfile: "Dockerfile",
        target: "first",
        arguments: { WORD: "told" },
        labels: { "com.esb.kind": "function" },
        isFresh: false,
        progress: () => undefined
      }
      const { imageId, outcome } = yield* builder.buildDirectory(own)
      assert.strictEqual(outcome, "built")
      const { Config, Id } = yield* inspected(own.reference)
      assert.strictEqual(imageId, Id)
      assert.strictEqual(Config.Labels["com.esb.kind"], "function")
      assert.strictEqual(yield* inside(own.reference, "/bin/cat", "/word"), "told")
      assert.strictEqual(
        yield* inside(own.reference, "/bin/ls", "-A", "/all", "/all/deep"),
        "/all:\n.dockerignore\napp.mjs\ndeep\n\n/all/deep:\nkept"
      )
      assert.strictEqual((yield* builder.buildDirectory(own)).outcome, "unchanged")

      writeFileSync(join(root, "app.mjs"), "other")
      assert.strictEqual((yield* builder.buildDirectory(own)).outcome, "built")
      const whole = yield* builder.buildDirectory({ ...own, target: undefined })
      assert.strictEqual(whole.outcome, "built")
      assert.strictEqual(yield* inside(own.reference, "/bin/cat", "/more"), "more")

      const gone = yield* Effect.flip(builder.buildDirectory({ ...own, dockerfile: "Nowhere" }))
      assert.include(gone.message, "Nowhere")
      const nowhere = yield* Effect.flip(builder.buildDirectory({ ...own, directory: join(root, "nowhere") }))
      assert.include(nowhere.message, join(root, "nowhere"))
    }).pipe(Effect.scoped, Effect.provide(engine))
  )

  it.live("makes an image of exactly the directories it is given, and tells each step", () =>
    Effect.gen(function* () {
      const { builder, request, told } = yield* given
      const task = request.context["task"] ?? ""
      const long = `${"deep/".repeat(30)}file.txt`
      mkdirSync(dirname(join(task, long)), { recursive: true })
      writeFileSync(join(task, long), "x".repeat(700_000))
      writeFileSync(join(task, "run.sh"), "#!/bin/sh\n")
      chmodSync(join(task, "run.sh"), 0o500)
      mkdirSync(join(task, "empty"))
      symlinkSync("app.mjs", join(task, "index.mjs"))

      const { imageId, outcome } = yield* builder.build(request)
      assert.strictEqual(outcome, "built")
      const { Config, Id } = yield* inspected(request.reference)
      assert.strictEqual(imageId, Id)
      assert.deepStrictEqual(Config.Cmd, ["app.handler"])
      assert.strictEqual(Config.Labels["com.esb.kind"], "function")
      assert.match(Config.Labels["com.esb.image_fingerprint"], /^[0-9a-f]{64}$/)
      assert.strictEqual(
        yield* inside(request.reference, "/bin/cat", "/var/task/index.mjs", "/opt/lib/shared.txt"),
        "codelayer"
      )
      assert.strictEqual(
        yield* inside(request.reference, "/bin/stat", "-c", "%a %s %n", "/var/task/run.sh", `/var/task/${long}`),
        `755 10 /var/task/run.sh\n644 700000 /var/task/${long}`
      )
      assert.strictEqual(
        yield* inside(request.reference, "/bin/ls", "/var/task"),
        "app.mjs\ndeep\nempty\nindex.mjs\nrun.sh"
      )
      assert.include(told, "COPY task/ /var/task/")
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live("leaves an image alone that was made of the same, and replaces one that was not", () =>
    Effect.gen(function* () {
      const { builder, request, told } = yield* given
      const first = yield* builder.build(request)
      told.length = 0
      assert.deepStrictEqual(yield* builder.build(request), { outcome: "unchanged", imageId: first.imageId })
      assert.deepStrictEqual(told, [])

      writeFileSync(join(request.context["task"] ?? "", "app.mjs"), "other code")
      const second = yield* builder.build({ ...request, contextDigest: "sha256:two" })
      assert.strictEqual(second.outcome, "built")
      assert.strictEqual(yield* inside(request.reference, "/bin/cat", "/var/task/app.mjs"), "other code")
      assert.notInclude(yield* docker("images", "--all", "--no-trunc", "--quiet"), first.imageId)
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live("builds again when its base has become another, and every step of it when a fresh build is asked for", () =>
    Effect.gen(function* () {
      const { builder, prefix, request } = yield* given
      const random = { ...request, dockerfile: `FROM ${request.base}\nRUN cat /proc/sys/kernel/random/uuid > /id\n` }
      const idOf = inside(request.reference, "/bin/cat", "/id")
      yield* builder.build(random)
      const first = yield* idOf
      const fresh = yield* builder.build({ ...random, isFresh: true })
      assert.strictEqual(fresh.outcome, "built")
      const second = yield* idOf
      assert.notStrictEqual(second, first)

      assert.strictEqual((yield* builder.build(random)).outcome, "unchanged")
      yield* smallBase(prefix)
      assert.strictEqual((yield* builder.build(random)).outcome, "built")
      assert.notStrictEqual(yield* idOf, second)
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live("tells the step that failed and its last lines; the image of before stays", () =>
    Effect.gen(function* () {
      const { builder, request } = yield* given
      const { imageId } = yield* builder.build(request)
      const broken = `FROM ${request.base}\nRUN echo compiling && echo no such header >&2 && exit 3\n`
      const failure = yield* Effect.flip(builder.build({ ...request, dockerfile: broken }))
      assert.strictEqual(failure._tag, "ImageBuildFailed")
      assert.match(failure.message, /hello:latest was not built: RUN echo compiling .* returned a non-zero code: 3\n/)
      // One pipe each: which of the two comes first is the engine's to say.
      assert.deepStrictEqual(failure.message.split("\n").slice(1).toSorted(), ["  compiling", "  no such header"])
      assert.strictEqual((yield* inspected(request.reference)).Id, imageId)
      assert.strictEqual(yield* docker("ps", "--all", "--quiet", "--filter", `ancestor=${request.base}`), "")
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live("tells what is wrong with a Dockerfile, a context or a base", () =>
    Effect.gen(function* () {
      const { builder, request } = yield* given
      const told = (changed: Partial<ImageRequest>) =>
        Effect.map(Effect.flip(builder.build({ ...request, ...changed })), ({ detail }) => detail)
      assert.match(yield* told({ dockerfile: "FROM\n" }), /parse error|FROM requires/)
      assert.include(yield* told({ context: {} }), "COPY opt/ /opt/: ")
      assert.include(yield* told({ context: { task: "/no/such/directory" } }), "/no/such/directory")
      const base = "127.0.0.1:9/esb-no-such-base:1"
      const unknown = yield* told({ base })
      assert.include(unknown, `its base ${base} could not be pulled: `)
      assert.match(unknown, /; name another$/)
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live("ends in the engine when it is interrupted", () =>
    Effect.gen(function* () {
      const { builder, request, told } = yield* given
      const long = { ...request, dockerfile: `FROM ${request.base}\nRUN sleep 300\n` }
      const containers = docker("ps", "--all", "--quiet", "--filter", `ancestor=${request.base}`)
      const building = yield* Effect.forkChild(builder.build(long))
      yield* eventually(() => assert.include(told, "RUN sleep 300"))
      yield* eventuallyEmpty(containers, false)
      yield* Fiber.interrupt(building)
      yield* eventuallyEmpty(containers, true)
    }).pipe(Effect.provide(engine), Effect.scoped)
  )

  it.live(
    "hands an image to a registry, logs in where it has to, and says what a registry refuses",
    () =>
      Effect.gen(function* () {
        const { builder, prefix, request, told } = yield* given
        const { host } = yield* DockerRegistry.make()
        const reference = `${host}/${prefix}hello:latest`
        const { imageId } = yield* builder.build({ ...request, reference })
        yield* builder.push(reference, request.progress)
        assert.include(told, `pushing ${reference}`)
        yield* docker("rmi", reference)
        yield* docker("pull", reference)
        assert.strictEqual((yield* inspected(reference)).Id, imageId)

        const failure = yield* Effect.flip(builder.push(`${host}/${prefix}never-made:1`, request.progress))
        assert.strictEqual(failure._tag, "ImagePushFailed")
        assert.match(failure.message, /never-made:1 was not pushed: .*(does not exist|no such image)/i)
        const closed = yield* DockerRegistry.make({ password: true })
        const kept = `${closed.host}/${prefix}hello:latest`
        yield* docker("tag", reference, kept)
        const refused = yield* Effect.flip(builder.push(kept, request.progress))
        assert.match(refused.message, /was not pushed: .*(no basic auth credentials|unauthorized)/)

        const login = { registry: closed.host, ...DockerRegistry.reader }
        const { build, buildDirectory, push } = Context.get(yield* Layer.build(builderAt(socket, login)), ImageBuilder)
        yield* push(kept, request.progress)
        yield* docker("rmi", kept)
        const onPrivate = { ...request, base: kept, dockerfile: `FROM ${kept}\n` }
        assert.strictEqual((yield* build(onPrivate)).outcome, "built")

        // The engine pulls bases of somebody's own Dockerfile by itself.
        yield* docker("rmi", kept)
        const own = yield* buildDirectory({
          reference: `${prefix}own:latest`,
          directory: directory({ Dockerfile: `FROM ${kept}\nLABEL built=here\n` }),
          dockerfile: "Dockerfile",
          target: undefined,
          arguments: {},
          labels: {},
          isFresh: false,
          progress: request.progress
        })
        assert.strictEqual(own.outcome, "built")
      }).pipe(Effect.provide(engine), Effect.scoped),
    needs("registry")
  )

  it.live("is not there without an engine", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(Layer.build(builderAt("/no/such.sock")))
      assert.strictEqual(failure._tag, "ImageEngineUnreachable")
      assert.include(failure.message, "No Docker Engine answers at unix:///no/such.sock: ")
    }).pipe(Effect.scoped)
  )
})

const eventuallyEmpty = (look: Effect.Effect<string>, isEmpty: boolean) =>
  look.pipe(
    Effect.repeat({ until: (found) => (found === "") === isEmpty }),
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => Effect.die(new Error("containers do not come and go"))
    })
  )
