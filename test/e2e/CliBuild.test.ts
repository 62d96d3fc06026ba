import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { call } from "#test/contract/ContainerRuntimeContract"
import * as Cli from "#test/support/Cli"
import { docker, inside, inspected, names, smallBase } from "#test/support/DockerImages"
import * as DockerRegistry from "#test/support/DockerRegistry"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import { specOf } from "#test/support/WorkerFunctions"

const template = `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      { FunctionName: Say_Hello, CodeUri: src/, Handler: app.handler, Runtime: nodejs24.x, Layers: [!Ref Shared] }
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: layer/ }
  Tool:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: tool, CodeUri: tool/, Handler: any, Runtime: provided.al2023 }
  Given:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: given, PackageType: Image, ImageUri: "registry.example/given:7" }
`

const sources = {
  "template.yaml": template,
  "src/app.mjs": 'export const handler = async () => "hi"\n',
  "layer/nodejs/node_modules/shared/index.js": "module.exports = 1\n",
  "tool/bootstrap": "#!/bin/sh\necho started\n"
}

/** Four builds on a busy machine. */
const patience = 90_000

/** A project, a base for its runtimes, and `esb build` in it. */
const project = Effect.fnUntraced(function* (files: Readonly<Record<string, string>> = sources) {
  const prefix = yield* names
  const base = yield* smallBase(prefix)
  const root = yield* Cli.project(files)
  const environment = {
    ESB_BASE_IMAGE_NODEJS24_X: base,
    ESB_BASE_IMAGE_PROVIDED_AL2023: base,
    ESB_BRAND_SLUG: prefix,
    ENV: "dev"
  }
  const build = (args: ReadonlyArray<string> = [], more: Readonly<Record<string, string>> = {}) =>
    Cli.esb(["build", ...args], { cwd: root, environment: { ...environment, ...more } })
  const outcomes = (args: ReadonlyArray<string> = []) =>
    Effect.map(build(["--json", ...args]), ({ code, stderr, stdout }) => {
      assert.strictEqual(code, 0, stderr)
      return (JSON.parse(stdout) as { readonly images: ReadonlyArray<{ readonly outcome: string }> }).images.map(
        ({ outcome }) => outcome
      )
    })
  return { prefix, base, root, build, outcomes }
})

describe("esb build", needs("docker"), () => {
  it.live("makes an image of each zip function: its code, its layers, how it is started, whose it is", () =>
    Effect.gen(function* () {
      const { build, prefix } = yield* project()
      const { code, stderr, stdout } = yield* build()
      assert.strictEqual(code, 0, stderr)
      assert.deepStrictEqual(
        stdout.split("\n").map((line) => line.trim().split(/ +/)),
        [
          ["FUNCTION", "IMAGE", "DONE"],
          ["Say_Hello", `${prefix}say_hello:latest`, "built"],
          ["tool", `${prefix}tool:latest`, "built"],
          ["given", "registry.example/given:7", "given"],
          [""]
        ]
      )
      const hello = `${prefix}say_hello:latest`
      assert.strictEqual(yield* inside(hello, "/bin/cat", "/var/task/app.mjs"), sources["src/app.mjs"].trim())
      assert.strictEqual(yield* inside(hello, "/bin/ls", "/opt/nodejs/node_modules/shared"), "index.js")
      const { Config } = yield* inspected(hello)
      const brand = prefix.replace(/-$/, "")
      assert.deepStrictEqual(Config.Cmd, ["app.handler"])
      assert.strictEqual(Config.WorkingDir, "/var/task")
      assert.strictEqual(Config.Labels[`com.${brand}.project`], `${brand}-dev`)
      assert.strictEqual(Config.Labels[`com.${brand}.kind`], "function")
      assert.match(Config.Labels[`com.${brand}.image_fingerprint`], /^[0-9a-f]{64}$/)
      assert.deepStrictEqual((yield* inspected(`${prefix}tool:latest`)).Config.Entrypoint, ["/var/task/bootstrap"])
    }).pipe(Effect.scoped)
  )

  it.live("builds an image by the Dockerfile that the template names, as sam build does", () =>
    Effect.gen(function* () {
      const { base, build, prefix, root } = yield* project({
        "template.yaml": `Transform: AWS::Serverless-2016-10-31
Resources:
  Own:
    Type: AWS::Serverless::Function
    Metadata: { Dockerfile: Dockerfile, DockerContext: ./own, DockerTag: v1, DockerBuildArgs: { WORD: told } }
    Properties: { PackageType: Image }
`
      })
      Cli.write(root, {
        "own/Dockerfile": `FROM ${base}\nARG WORD\nENV PATH=/bin SAID=$WORD\nCOPY app.txt /\nCMD ["app.handler"]\n`,
        "own/app.txt": "its code"
      })
      const { code, stderr, stdout } = yield* build(["--json"])
      assert.strictEqual(code, 0, stderr)
      const reference = `${prefix}own:latest`
      assert.deepStrictEqual(JSON.parse(stdout).images, [{ name: "Own", image: reference, outcome: "built" }])
      assert.strictEqual(yield* inside(reference, "/bin/cat", "/app.txt"), "its code")
      const { Config } = yield* inspected(reference)
      assert.include(Config.Env, "SAID=told")
      assert.strictEqual(Config.Labels[`com.${prefix.replace(/-$/, "")}.kind`], "function")
      Cli.write(root, { "own/Dockerfile": "FROM 127.0.0.1:9/nobody:1\n" })
      const refused = yield* build()
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, `${reference} was not built: `)
      assert.include(refused.stderr, "127.0.0.1:9")
    }).pipe(Effect.scoped)
  )

  it.live(
    "builds what has changed, and everything with --no-cache",
    () =>
      Effect.gen(function* () {
        const { base, outcomes, prefix, root } = yield* project()
        assert.deepStrictEqual(yield* outcomes(), ["built", "built", "given"])
        assert.deepStrictEqual(yield* outcomes(), ["unchanged", "unchanged", "given"])
        writeFileSync(join(root, "src/app.mjs"), 'export const handler = async () => "other"\n')
        assert.deepStrictEqual(yield* outcomes(), ["built", "unchanged", "given"])
        assert.include(yield* inside(`${prefix}say_hello:latest`, "/bin/cat", "/var/task/app.mjs"), "other")
        assert.deepStrictEqual(yield* outcomes(["--no-cache"]), ["built", "built", "given"])
        assert.strictEqual((yield* inspected(base)).RepoTags[0], base)
      }).pipe(Effect.scoped),
    patience
  )

  it.live(
    "names images for a registry, and pushes them",
    () =>
      Effect.gen(function* () {
        const { outcomes, prefix } = yield* project()
        const { host } = yield* DockerRegistry.make()
        const tagged = ["--registry", host, "--tag", "v1", "--image-prewarm", "off"]
        const tags = Effect.promise(async () => {
          const answer = await fetch(`http://${host}/v2/${prefix}say_hello/tags/list`)
          return (await answer.json()) as unknown
        })
        assert.deepStrictEqual(yield* outcomes(tagged), ["built", "built", "given"])
        assert.deepStrictEqual(yield* tags, { name: `${prefix}say_hello`, tags: ["v1"] })
        assert.deepStrictEqual(yield* outcomes(tagged), ["unchanged", "unchanged", "given"])
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live(
    "copies the images that the template names, and names all of them by digest",
    () =>
      Effect.gen(function* () {
        const there = yield* DockerRegistry.make()
        const here = yield* DockerRegistry.make()
        const given = `${there.host}/given:7`
        const { base, build } = yield* project({
          ...sources,
          "template.yaml": template.replace("registry.example/given:7", given)
        })
        yield* docker("tag", base, given)
        yield* docker("push", "--quiet", given)
        yield* docker("rmi", given)
        const { code, stderr, stdout } = yield* build(["--json", "--registry", here.host])
        assert.strictEqual(code, 0, stderr)
        const { images } = JSON.parse(stdout)
        for (const { image } of images) assert.match(image, /^127\.0\.0\.1:\d+\/[^:]+@sha256:[0-9a-f]{64}$/)
        assert.deepInclude(images[2], { name: "given", outcome: "copied" })
        yield* docker("pull", "--quiet", images[2].image)
        yield* docker("rmi", images[2].image)
      }).pipe(Effect.scoped),
    needs("registry")
  )

  it.live("ends with 1 when one function fails, and builds the others all the same", () =>
    Effect.gen(function* () {
      const broken = sources["template.yaml"].replace("CodeUri: src/", "CodeUri: gone/")
      const { build, prefix } = yield* project({ ...sources, "template.yaml": broken, "tool/bootstrap": "#!/bin/sh\n" })
      const { code, stderr, stdout } = yield* build(["--json"], { ESB_BASE_IMAGE_NODEJS24_X: "127.0.0.1:9/nobody:1" })
      assert.strictEqual(code, 1)
      const { images } = JSON.parse(stdout)
      assert.deepStrictEqual(images[0], {
        name: "Say_Hello",
        image: `${prefix}say_hello:latest`,
        outcome: "failed",
        error: images[0].error
      })
      assert.match(images[0].error, /^Hello: CodeUri gone\/ cannot be read: /)
      assert.include(stderr, images[0].error)
      assert.strictEqual(images[1].outcome, "built")
    }).pipe(Effect.scoped)
  )

  it.live("warns of Python modules that were compiled for another version than the image's", () =>
    Effect.gen(function* () {
      const python = template.replace("nodejs24.x", "python3.13")
      const compiled = "fast.cpython-39-x86_64-linux-gnu.so"
      const { base, build } = yield* project({ ...sources, "template.yaml": python, [`src/${compiled}`]: "" })
      const { code, stderr } = yield* build([], { ESB_BASE_IMAGE_PYTHON3_13: base })
      assert.strictEqual(code, 0, stderr)
      assert.include(stderr, `Hello: ${compiled} will not load in python3.13`)
    }).pipe(Effect.scoped)
  )

  it.live("tells what to do about a base that cannot be had", () =>
    Effect.gen(function* () {
      const { build } = yield* project()
      const { code, stderr } = yield* build([], { ESB_BASE_IMAGE_NODEJS24_X: "127.0.0.1:9/nobody:1" })
      assert.strictEqual(code, 1)
      assert.match(stderr, /its base 127\.0\.0\.1:9\/nobody:1 could not be pulled: [^]*ESB_BASE_IMAGE_NODEJS24_X/)
    }).pipe(Effect.scoped)
  )

  it.live("refuses two functions whose images would have one name, before anything is built", () =>
    Effect.gen(function* () {
      const { build } = yield* project({
        ...sources,
        "template.yaml": template.replace("FunctionName: tool", "FunctionName: say_hello")
      })
      const { code, stderr, stdout } = yield* build()
      assert.strictEqual(code, 1)
      assert.include(stderr, "Say_Hello and say_hello would have one image")
      assert.strictEqual(stdout, "")
    }).pipe(Effect.scoped)
  )
})

describe("an image that esb build made", needs("docker"), () => {
  it.live("answers calls on an engine: started by its handler, with its layers, and what it says of itself", () =>
    Effect.gen(function* () {
      const { build, prefix } = yield* project({
        ...sources,
        "src/app.js": `exports.handler = async (event) => ({
          event, shared: require("shared"), at: __filename, runtime: process.env.AWS_EXECUTION_ENV
        })`
      })
      const base = yield* Effect.promise(() => FunctionImage.reference())
      const { code, stderr } = yield* build([], { ESB_BASE_IMAGE_NODEJS24_X: base })
      assert.strictEqual(code, 0, stderr)

      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      // Nobody tells the worker of its handler or its runtime: the image does.
      const whole = specOf(`${prefix}say_hello:latest`, "")
      const told = Object.entries(whole.environment).filter(
        ([name]) => !["_HANDLER", "AWS_EXECUTION_ENV"].includes(name)
      )
      const spec = { ...whole, environment: Object.fromEntries(told) }
      const owner = OwnerId.make("gateway-of-built-images")
      const worker = yield* Effect.acquireRelease(runtime.ensure(spec, owner), ({ id }) =>
        Effect.orDie(runtime.destroy(id, owner))
      )
      yield* client.ready(worker)
      const { payload } = yield* client.send(worker, call(worker, { n: 1 }))
      assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), {
        event: { n: 1 },
        shared: 1,
        at: "/var/task/app.js",
        runtime: "AWS_Lambda_nodejs24.x"
      })
    }).pipe(Effect.scoped, Effect.provide(DockerWorkers.layer()))
  )
})

describe("esb build without an engine", () => {
  it.live("says where it looked for one, and refuses an address it cannot use", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(sources)
      const away = yield* Cli.esb(["build", "--docker-host", "unix:///no/such.sock"], { cwd: root })
      assert.strictEqual(away.code, 1)
      assert.include(away.stderr, "No Docker Engine answers at unix:///no/such.sock")
      const wrong = yield* Cli.esb(["build", "--docker-host", "ssh://somewhere"], { cwd: root })
      assert.strictEqual(wrong.code, 2)
      assert.include(wrong.stderr, "DOCKER_HOST is ssh://somewhere")
    }).pipe(Effect.scoped)
  )
})
