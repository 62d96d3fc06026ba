/** What becomes of a change of code, template or configuration while the stack runs. */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { eventually } from "#test/support/Eventually"
import * as RoutedStack from "#test/support/RoutedStack"
import * as Sources from "#test/support/Sources"

interface Told {
  readonly version: string
  readonly worker: string
  readonly greeting: string | null
}

const test = (
  title: string,
  body: (stack: RoutedStack.Running) => Effect.Effect<unknown, unknown, Scope.Scope>,
  environment: Readonly<Record<string, string>> = {}
) => it.live(title, () => RoutedStack.make({ sample: "deploy", environment }).pipe(Effect.flatMap(body), Effect.scoped))

const get = (stack: RoutedStack.Running, target: string) =>
  Effect.map(stack.ask({ target }), (answer) => {
    assert.strictEqual(answer.status, 200, answer.text)
    return answer.json() as Told
  })

const statusOf = (stack: RoutedStack.Running, target: string) =>
  Effect.map(stack.ask({ target }), ({ status }) => status)

/** How long a busy machine may take to follow a change. */
const followedWithinMs = 10_000

const untilStatus = (stack: RoutedStack.Running, target: string, wanted: number) =>
  eventually(`${target} answers ${wanted}`, statusOf(stack, target), (status) => status === wanted, followedWithinMs)

/** The answer that satisfies `holds`, and how long it took to come. */
const until = Effect.fnUntraced(function* (stack: RoutedStack.Running, target: string, holds: (told: Told) => boolean) {
  const before = performance.now()
  const told = yield* eventually(`${target} answers anew`, get(stack, target), holds, followedWithinMs)
  return { told, tookMs: performance.now() - before }
})

const functionsOf = (stack: RoutedStack.Running) =>
  Effect.map(stack.askWithToken({ target: "/functions" }), (answer) =>
    Object.keys((answer.json() as { readonly functions: object }).functions).toSorted()
  )

const says = (stack: RoutedStack.Running, pattern: RegExp) =>
  eventually(`stderr says ${pattern}`, Effect.sync(stack.stderr), (text) => pattern.test(text), followedWithinMs)

const untilContainers = (stack: RoutedStack.Running, holds: (text: string) => boolean) =>
  eventually(
    "the containers are as they should be",
    Effect.map(stack.askWithToken({ target: "/metrics/containers" }), ({ text }) => text),
    holds,
    followedWithinMs
  )

const app = "functions/app.mjs"

describe("A change of code", () => {
  test("answers the next call, soon after it is written", (stack) =>
    Effect.gen(function* () {
      const first = yield* get(stack, "/changing")
      const took: Array<number> = []
      for (let version = 1; version <= 5; version++) {
        yield* Sources.replace(stack, app, /"v\d+"/, `"v${version}"`)
        const { told, tookMs } = yield* until(stack, "/changing", (seen) => seen.version === `v${version}`)
        took.push(tookMs)
        assert.notStrictEqual(told.worker, first.worker)
      }
      yield* Effect.log(`a change of code answers after ${took.map((ms) => ms.toFixed(0)).join(", ")} ms`)
      assert.isBelow(Math.max(...took), 2_000)
    }))

  test("leaves calls that run on the code they began with", (stack) =>
    Effect.gen(function* () {
      const before = yield* get(stack, "/changing")
      const running = yield* Effect.forkChild(get(stack, "/changing?ms=1500"))
      yield* Effect.sleep("50 millis")
      yield* Sources.replace(stack, app, `"v0"`, `"v1"`)
      yield* until(stack, "/changing", ({ version }) => version === "v1")
      assert.isUndefined(running.pollUnsafe())
      const told = yield* Fiber.join(running)
      assert.strictEqual(told.version, "v0")
      assert.strictEqual(told.worker, before.worker)
      // Its worker is of no further use.
      yield* untilContainers(stack, (text) => text.match(/"function_name":"changing"/g)?.length === 1)
    }))

  test("that breaks the function is told to its callers, until it is mended", (stack) =>
    Effect.gen(function* () {
      yield* get(stack, "/changing")
      yield* Sources.replace(stack, app, "const version", "const const version")
      yield* untilStatus(stack, "/changing", 502)
      yield* Sources.replace(stack, app, `const const version = "v0"`, `const version = "v1"`)
      yield* untilStatus(stack, "/changing", 200)
      assert.strictEqual((yield* get(stack, "/changing")).version, "v1")
    }))

  test("of a layer counts as well", (stack) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* get(stack, "/layered")).version, "v0")
      const unchanged = yield* get(stack, "/changing")
      yield* Sources.replace(stack, "layer/nodejs/node_modules/shared/index.mjs", `"v0"`, `"v1"`)
      yield* until(stack, "/layered", ({ version }) => version === "v1")
      assert.strictEqual((yield* get(stack, "/changing")).worker, unchanged.worker)
    }))
})

describe("A change of the template", () => {
  test("adds functions and routes, and takes away what is gone from it", (stack) =>
    Effect.gen(function* () {
      const added = `  Added:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: added
      CodeUri: functions/
      Handler: app.handler
      Events:
        Get: { Type: Api, Properties: { Path: "/added/{id}", Method: GET } }
`
      yield* get(stack, "/passing")
      assert.strictEqual(yield* statusOf(stack, "/added/1"), 404)
      appendFileSync(join(stack.directory, "template.yaml"), added)
      yield* untilStatus(stack, "/added/1", 200)
      yield* Sources.replace(stack, "template.yaml", Sources.resource("Passing"), "")
      yield* untilStatus(stack, "/passing", 404)
      assert.deepStrictEqual(yield* functionsOf(stack), ["added", "changing", "layered"])
      yield* untilContainers(stack, (text) => !text.includes("passing"))
    }))

  test("of an environment starts new workers, and one of a comment does not", (stack) =>
    Effect.gen(function* () {
      const first = yield* get(stack, "/changing")
      assert.strictEqual(first.greeting, "hello")
      yield* Sources.replace(stack, "template.yaml", "GREETING: hello", "GREETING: good day")
      const { told } = yield* until(stack, "/changing", ({ greeting }) => greeting === "good day")
      assert.notStrictEqual(told.worker, first.worker)
      yield* Sources.replace(stack, "template.yaml", "Resources:", "# Nothing else is new.\nResources:")
      yield* Sources.replace(stack, "template.yaml", "Path: /passing", "Path: /renamed")
      yield* untilStatus(stack, "/renamed", 200)
      assert.strictEqual((yield* get(stack, "/changing")).worker, told.worker)
    }))

  const broken: ReadonlyArray<readonly [string, string, string, RegExp]> = [
    ["is no YAML", "Path: /passing, Method: GET }", "Path: /passing, Method: GET", /template\.yaml:\d+:\d+: Flow map/],
    [
      "names a property nobody knows",
      "Handler: layered.handler",
      "Handlr: layered.handler",
      /template\.yaml:\d+: .*Handlr/
    ],
    [
      "wants what is not supported",
      "Method: GET }",
      "Method: GET, RequestModel: { Model: x } }",
      /template\.yaml:\d+: .*RequestModel/
    ],
    ["refers to nothing", "!Ref Shared", "!Ref Nobody", /template\.yaml:\d+: .*Nobody/]
  ]
  for (const [what, from, to, message] of broken) {
    test(`that ${what} is told with its line, and what ran before goes on`, (stack) =>
      Effect.gen(function* () {
        const first = yield* get(stack, "/changing")
        yield* Sources.replace(stack, "template.yaml", from, to)
        yield* says(stack, message)
        yield* says(stack, /What ran before goes on running\./)
        assert.strictEqual((yield* get(stack, "/changing")).worker, first.worker)
        assert.deepStrictEqual(yield* functionsOf(stack), ["changing", "layered", "passing"])
        yield* Sources.replace(stack, "template.yaml", to, from)
        yield* Sources.replace(stack, app, `"v0"`, `"v1"`)
        yield* until(stack, "/changing", ({ version }) => version === "v1")
      }))
  }
})

const functionsFile = ".esb/config/functions.yml"

describe("functions.yml, edited by hand,", () => {
  test("counts until the next deploy", (stack) =>
    Effect.gen(function* () {
      const first = yield* get(stack, "/changing")
      yield* Sources.replace(stack, functionsFile, "GREETING: hello", "GREETING: by hand")
      const { told } = yield* until(stack, "/changing", ({ greeting }) => greeting === "by hand")
      assert.notStrictEqual(told.worker, first.worker)
      yield* Sources.replace(stack, app, `"v0"`, `"v1"`)
      const { told: deployed } = yield* until(stack, "/changing", ({ version }) => version === "v1")
      assert.strictEqual(deployed.greeting, "hello")
    }))

  test("with what is wrong leaves the last good state, and the log says what and where", (stack) =>
    Effect.gen(function* () {
      const first = yield* get(stack, "/changing")
      const mistakes: ReadonlyArray<readonly [string, string, RegExp]> = [
        ["timeout: 10", "timeuot: 10", /functions\.yml:\d+: functions\.changing\.timeuot: unknown key/],
        ["timeout: 10", "timeout: soon", /functions\.yml:\d+: functions\.changing\.timeout: /],
        ["functions:", "functions: [", /functions\.yml:\d+: /]
      ]
      for (const [from, to, message] of mistakes) {
        yield* Sources.replace(stack, functionsFile, from, to)
        yield* says(stack, message)
        assert.strictEqual((yield* get(stack, "/changing")).worker, first.worker)
        yield* Sources.replace(stack, functionsFile, to, from)
      }
      const { stdout } = yield* stack.esb("logs", "--json", "--since", "1m")
      assert.match(stdout, /The configuration cannot be used; what was deployed before stays in place/)
      yield* Sources.replace(stack, functionsFile, "GREETING: hello", "GREETING: mended")
      yield* until(stack, "/changing", ({ greeting }) => greeting === "mended")
    }))
})

describe("esb deploy", () => {
  test(
    "is what makes a stack change that does not follow its sources",
    (stack) =>
      Effect.gen(function* () {
        const first = yield* get(stack, "/changing")
        yield* Sources.replace(stack, app, `"v0"`, `"v1"`)
        yield* Sources.replace(stack, "template.yaml", Sources.resource("Passing"), "")
        yield* Sources.replace(stack, "template.yaml", "Path: /layered", "Path: /moved")
        yield* Effect.sleep("300 millis")
        assert.strictEqual((yield* get(stack, "/changing")).worker, first.worker)

        const deployed = yield* stack.esb("deploy")
        assert.strictEqual(deployed.code, 0, deployed.stderr)
        const lines = deployed.stdout.trim().split("\n")
        assert.includeMembers(lines, [
          "changed  changing",
          "removed  passing",
          "added    GET /moved",
          "removed  GET /layered"
        ])
        // No waiting: the command ends when the stack has taken it.
        assert.strictEqual((yield* get(stack, "/changing")).version, "v1")
        assert.strictEqual(yield* statusOf(stack, "/passing"), 404)
        assert.strictEqual(yield* statusOf(stack, "/layered"), 404)
        assert.strictEqual(yield* statusOf(stack, "/moved"), 200)
        assert.deepStrictEqual(yield* functionsOf(stack), ["changing", "layered"])

        const again = yield* stack.esb("deploy")
        assert.deepStrictEqual([again.code, again.stdout], [0, "Nothing has changed.\n"])
      }),
    { ESB_WATCH: "false" }
  )

  test(
    "of a broken template changes nothing and says where",
    (stack) =>
      Effect.gen(function* () {
        const first = yield* get(stack, "/changing")
        yield* Sources.replace(stack, "template.yaml", "Handler: layered.handler", "Handlr: layered.handler")
        const { code, stderr, stdout } = yield* stack.esb("deploy")
        assert.deepStrictEqual([code, stdout], [1, ""])
        assert.match(stderr, /template\.yaml:\d+: .*Handlr/)
        assert.strictEqual((yield* get(stack, "/changing")).worker, first.worker)
      }),
    { ESB_WATCH: "false" }
  )
})
