import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Cli from "#test/support/Cli"

const call = (up: Cli.Up) => fetch(`${up.ready.gateway}/hello`).then((response) => response.text())

/** The stack answers this, soon. */
const answers = (up: Cli.Up, expected: string) =>
  Cli.eventually(async () => assert.strictEqual(await call(up), expected))

const says = (up: Cli.Up, words: RegExp) => Cli.eventually(() => assert.match(up.stderr(), words))

describe("esb up follows the sources", () => {
  it.live("a change of code is in the next call, without a new start", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("one"))
      const up = yield* Cli.up(root)
      const { pid } = up.runFile()
      yield* answers(up, "one")
      for (const word of ["two", "three"]) {
        Cli.write(root, { "src/app.mjs": Cli.hello(word)["src/app.mjs"] ?? "" })
        yield* answers(up, word)
      }
      assert.strictEqual(up.runFile().pid, pid)
    }).pipe(Effect.scoped)
  )

  it.live("a broken template is told with its line, and what ran before goes on", () =>
    Effect.gen(function* () {
      const files = Cli.hello("one")
      const template = files["template.yaml"] ?? ""
      const root = yield* Cli.project(files)
      const up = yield* Cli.up(root)
      Cli.write(root, { "template.yaml": template.replace("Handler: app.handler", "Handlr: app.handler") })
      yield* says(up, /template\.yaml:9: .*Handlr[^]*What ran before goes on running\./)
      assert.strictEqual(yield* Effect.promise(() => call(up)), "one")
      Cli.write(root, { "template.yaml": template.replace("Path: /hello", "Path: /greeting") })
      yield* Cli.eventually(async () => {
        const response = await fetch(`${up.ready.gateway}/greeting`)
        assert.strictEqual(await response.text(), "one")
      })
    }).pipe(Effect.scoped)
  )

  it.live("broken TypeScript is told with its place, and mended it runs", () =>
    Effect.gen(function* () {
      const files = Cli.hello("one")
      const source = (word: string) =>
        `export const handler = async (): Promise<object> => ({ statusCode: 200, body: "${word}" })\n`
      const root = yield* Cli.project({ "template.yaml": files["template.yaml"] ?? "", "src/app.ts": source("one") })
      const up = yield* Cli.up(root)
      yield* answers(up, "one")
      Cli.write(root, { "src/app.ts": "export const handler = (" })
      yield* says(up, /src\/app\.ts:1:\d+/)
      yield* answers(up, "one")
      Cli.write(root, { "src/app.ts": source("two") })
      yield* answers(up, "two")
    }).pipe(Effect.scoped)
  )

  it.live("a file that is written again with what it held changes nothing", () =>
    Effect.gen(function* () {
      const files = Cli.hello("one")
      const root = yield* Cli.project(files)
      const up = yield* Cli.up(root)
      const configuration = join(up.home, "config/functions.yml")
      const before = statSync(configuration).ino
      Cli.write(root, files)
      Cli.write(root, { "src/app.mjs": Cli.hello("two")["src/app.mjs"] ?? "" })
      Cli.write(root, files)
      yield* Effect.sleep("400 millis")
      assert.strictEqual(statSync(configuration).ino, before, readFileSync(configuration, "utf8"))
    }).pipe(Effect.scoped)
  )

  it.live("a function that is added answers, and one that is removed is gone", () =>
    Effect.gen(function* () {
      const files = Cli.hello("one")
      const template = files["template.yaml"] ?? ""
      const root = yield* Cli.project(files)
      const up = yield* Cli.up(root)
      const second = template
        .slice(template.indexOf("  Hello:"))
        .replace("  Hello:", "  Second:")
        .replace("FunctionName: hello", "FunctionName: second")
        .replace("Path: /hello", "Path: /second")
      const status = (path: string) => fetch(`${up.ready.gateway}${path}`).then((response) => response.status)
      Cli.write(root, { "template.yaml": template + second })
      yield* Cli.eventually(async () => assert.strictEqual(await status("/second"), 200))
      Cli.write(root, { "template.yaml": template })
      yield* Cli.eventually(async () => assert.strictEqual(await status("/second"), 404))
      assert.strictEqual(yield* Effect.promise(() => status("/hello")), 200)
    }).pipe(Effect.scoped)
  )

  it.live("does nothing of this with --no-watch", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(Cli.hello("one"))
      const up = yield* Cli.up(root, ["--no-watch"])
      Cli.write(root, { "src/app.mjs": Cli.hello("two")["src/app.mjs"] ?? "" })
      yield* Effect.sleep("300 millis")
      assert.strictEqual(yield* Effect.promise(() => call(up)), "one")
    }).pipe(Effect.scoped)
  )
})
