/** Deploys while callers are at work: nobody is refused, and nobody gets old code after new. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "#test/support/Eventually"
import type { NoAnswer } from "#test/support/HttpCaller"
import * as RoutedStack from "#test/support/RoutedStack"
import * as Sources from "#test/support/Sources"

const callers = 16

interface Call {
  readonly target: string
  /** The version that answered, or what came in its place. */
  readonly version: number | string
}

const versionIn = (text: string): number => Number(/"version":"v(\d+)"/.exec(text)?.[1])

/** One call after another, until told to stop. */
const callerOf = (stack: RoutedStack.Running, target: string, isOver: () => boolean) =>
  Effect.gen(function* () {
    const calls: Array<Call> = []
    while (!isOver()) {
      const version = yield* Effect.match(stack.ask({ target }), {
        onSuccess: ({ status, text }) => (status === 200 ? versionIn(text) : `${status} ${text}`),
        onFailure: ({ code }: NoAnswer) => code
      })
      calls.push({ target, version })
    }
    return calls
  })

/** Deploys so many times, one after another, with callers at work; answers the calls of each caller. */
const underLoad = Effect.fnUntraced(function* (
  stack: RoutedStack.Running,
  deploys: number,
  deploy: (version: number) => Effect.Effect<void>
) {
  let isOver = false
  const targets = ["/changing", "/changing?ms=30", "/layered", "/passing?ms=5"]
  const working = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: callers }, (_, at) => targets[at % targets.length] ?? "/changing"),
      (target) => callerOf(stack, target, () => isOver),
      { concurrency: "unbounded" }
    )
  )
  const before = performance.now()
  for (let version = 1; version <= deploys; version++) yield* deploy(version)
  isOver = true
  return { calls: yield* Fiber.join(working), seconds: (performance.now() - before) / 1_000 }
})

/** Each deploy changes the code of all functions, the content of their layer, or the environment of one of them. */
const change = (stack: RoutedStack.Running, version: number): Effect.Effect<void> => {
  const files = ["functions/app.mjs", "layer/nodejs/node_modules/shared/index.mjs"]
  const environment = Sources.replace(stack, "template.yaml", /GREETING: .* \}/, `GREETING: hello ${version} }`)
  const code = Effect.forEach(files, (path) => Sources.replace(stack, path, /"v\d+"/, `"v${version}"`))
  return version % 3 === 0 ? environment : Effect.asVoid(code)
}

/** The code of the functions and the content of their layer are in force. */
const untilAnswered = (stack: RoutedStack.Running, version: number) =>
  Effect.forEach(
    ["/changing", "/layered"],
    (target) =>
      eventually(
        `version ${version} answers ${target}`,
        Effect.map(Effect.orDie(stack.ask({ target })), ({ text }) => versionIn(text)),
        (seen) => seen === version,
        15_000
      ),
    { discard: true }
  )

const examine = (calls: ReadonlyArray<ReadonlyArray<Call>>) => {
  const all = calls.flat()
  assert.deepStrictEqual(
    all.filter(({ version }) => typeof version === "string"),
    []
  )
  for (const ofOne of calls) {
    const versions = ofOne.map(({ version }) => Number(version))
    const steps = versions.slice(1).map((version, at) => version - (versions[at] ?? 0))
    assert.isTrue(
      steps.every((step) => step >= 0),
      `${ofOne[0]?.target}: ${versions.join(" ")}`
    )
  }
  return all.length
}

describe("Deploys under load", () => {
  it.live(
    "fail no call when there are twenty of them, and each is in force when its command ends",
    () =>
      Effect.gen(function* () {
        const deploys = 20
        const stack = yield* RoutedStack.make({ sample: "deploy", environment: { ESB_WATCH: "false" } })
        const { calls, seconds } = yield* underLoad(
          stack,
          deploys,
          Effect.fnUntraced(function* (version) {
            yield* change(stack, version)
            const { code, stderr } = yield* stack.esb("deploy")
            assert.strictEqual(code, 0, stderr)
            const { text } = yield* Effect.orDie(stack.ask({ target: "/changing" }))
            if (version % 3 !== 0) assert.strictEqual(versionIn(text), version)
            else assert.include(text, `hello ${version}`)
          })
        )
        const count = examine(calls)
        yield* Effect.log(`${deploys} deploys in ${seconds.toFixed(1)} s, ${count} calls meanwhile, none failed`)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "fail no call when the stack follows its sources",
    () =>
      Effect.gen(function* () {
        const deploys = 10
        const stack = yield* RoutedStack.make({ sample: "deploy" })
        const { calls, seconds } = yield* underLoad(stack, deploys, (version) =>
          Effect.andThen(
            change(stack, version),
            version < deploys ? Effect.sleep("200 millis") : untilAnswered(stack, version)
          )
        )
        const count = examine(calls)
        yield* Effect.log(`${deploys} changes in ${seconds.toFixed(1)} s, ${count} calls meanwhile, none failed`)
      }).pipe(Effect.scoped),
    60_000
  )
})
