import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Cli from "#test/support/Cli"
import { inside, inspected, names, smallBase } from "#test/support/DockerImages"
import { needs } from "#test/support/Engines"

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

  it.live("builds what has changed, and everything with --no-cache", () =>
    Effect.gen(function* () {
      const { base, outcomes, prefix, root } = yield* project()
      assert.deepStrictEqual(yield* outcomes(), ["built", "built", "given"])
      assert.deepStrictEqual(yield* outcomes(), ["unchanged", "unchanged", "given"])
      writeFileSync(join(root, "src/app.mjs"), 'export const handler = async () => "other"\n')
      assert.deepStrictEqual(yield* outcomes(), ["built", "unchanged", "given"])
      assert.include(yield* inside(`${prefix}say_hello:latest`, "/bin/cat", "/var/task/app.mjs"), "other")
      assert.deepStrictEqual(yield* outcomes(["--no-cache"]), ["built", "built", "given"])
      assert.strictEqual((yield* inspected(base)).RepoTags[0], base)
    }).pipe(Effect.scoped)
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
