/** Plants one breach of each rule of `npm run check`, and sees it caught and explained. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clean, empty, refuses } from "./Checkout.ts"

describe("npm run check", () => {
  it.live("passes a checkout with nothing to complain about", () =>
    Effect.gen(function* () {
      const checkout = yield* clean
      const { code, said } = checkout.run("check.mjs")
      assert.strictEqual(code, 0, said)
      for (const step of ["types", "lint", "format", "rooms", "unused", "lock"]) assert.include(said, `ok     ${step}`)
    })
  )

  it.live("refuses a step that does not exist, so that a typo checks something", () =>
    Effect.gen(function* () {
      const { code, said } = (yield* clean).run("check.mjs", "--only", "typos")
      assert.strictEqual(code, 1)
      assert.include(said, "There is no step typos")
    })
  )
})

describe("types", () => {
  it.live("catch a value that may be undefined", () =>
    refuses(
      "types",
      { "src/domain/First.ts": "export const first = (all: Array<string>): string => all[0]\n" },
      "TS2322"
    )
  )

  it.live("catch syntax that Node cannot strip", () =>
    refuses("types", { "src/domain/Colour.ts": "export enum Colour {\n  Red\n}\n" }, "TS1294")
  )

  it.live("catch an Effect that nobody runs", () =>
    refuses(
      "types",
      {
        "src/layers/memory/Floating.ts":
          'import { Effect } from "effect"\n\nexport const floating = () => {\n  Effect.log("lost")\n}\n'
      },
      "floatingEffect"
    )
  )

  it.live("catch a failing yield that does not return", () =>
    refuses(
      "types",
      {
        "src/layers/memory/Failing.ts": [
          'import { Effect } from "effect"',
          "",
          "export const failing = Effect.gen(function* () {",
          '  yield* Effect.fail("no" as const)',
          "})",
          ""
        ].join("\n")
      },
      "missingReturnYieldStar"
    )
  )

  it.live("catch a suggestion of the Effect rules as well", () =>
    refuses(
      "types",
      {
        "src/layers/memory/Mapped.ts":
          'import { Effect } from "effect"\n\nexport const mapped = Effect.log("x").pipe(Effect.map(() => undefined))\n'
      },
      "effectMapVoid"
    )
  )

  it.live("catch a setting that is read around Settings", () =>
    refuses("types", { "src/layers/memory/Port.ts": 'export const port = process.env["PORT"]\n' }, "processEnv")
  )

  it.live("catch time and chance that no test can hold", () =>
    refuses(
      "types",
      {
        "src/domain/Now.ts":
          'import { Effect } from "effect"\n\nexport const now = Effect.gen(function* () {\n  return Date.now()\n})\n',
        "src/domain/Dice.ts": "export const dice = () => Math.random()\n"
      },
      "globalDateInEffect",
      "globalRandom"
    )
  )

  it.live("catch a service whose key tells another place", () =>
    refuses(
      "types",
      {
        "src/services/Moved.ts":
          'import { Context } from "effect"\n\nexport class Moved extends Context.Service<Moved, { readonly a: 1 }>()("esb/Else") {}\n'
      },
      "esb/services/Moved"
    )
  )
})

describe("lint", () => {
  it.live("catches any", () =>
    refuses("lint", { "src/domain/Any.ts": "export const any = (value: any) => String(value)\n" }, "no-explicit-any")
  )

  it.live("catches a value that nobody uses", () =>
    refuses("lint", { "src/domain/Unused.ts": "const unused = 1\n" }, "no-unused-vars")
  )

  it.live("catches a console outside of the command line", () =>
    refuses("lint", { "src/layers/memory/Loud.ts": 'console.log("loud")\n' }, "no-console")
  )

  it.live("catches a silenced compiler", () =>
    refuses("lint", { "src/domain/Silent.ts": '// @ts-ignore\nexport const silent: number = "1"\n' }, "ban-ts-comment")
  )

  it.live("catches a test that keeps the others from running", () =>
    refuses(
      "lint",
      { "test/unit/Only.test.ts": 'import { it } from "vitest"\n\nit.only("alone", () => {})\n' },
      "focused"
    )
  )
})

describe("format", () => {
  it.live("catches another style", () =>
    refuses("format", { "src/domain/Semicolon.ts": "export const semicolon = ';';\n" }, "src/domain/Semicolon.ts")
  )
})

describe("rooms", () => {
  const importing = (what: string) => `import { value } from "${what}"\n\nexport const own = value\n`
  const value = "export const value = 1\n"

  it.live("keep the domain from services, layers and programs", () =>
    refuses(
      "rooms",
      {
        "src/domain/A.ts": importing("#services/Greeter"),
        "src/domain/B.ts": importing("../layers/memory/MemoryGreeter.ts"),
        "src/domain/C.ts": importing("#programs/esb/main")
      },
      "src/domain/A.ts:1 imports #services/Greeter\n  domain holds values and failures; move the caller up instead",
      "src/domain/B.ts:1",
      "src/domain/C.ts:1"
    )
  )

  it.live("see a type-only import, a re-export, a dynamic import, an import type and a require", () =>
    refuses(
      "rooms",
      {
        "src/domain/A.ts": 'import type { Greeter } from "#services/Greeter"\n\nexport type Own = Greeter\n',
        "src/domain/B.ts": 'export * from "#services/Greeter"\n',
        "src/domain/C.ts": 'export const late = () => import("#services/Greeter")\n',
        "src/domain/D.ts": '\nexport type Own = import("#services/Greeter").Greeter\n',
        "src/domain/E.ts": 'export const old = require("#services/Greeter")\n',
        "src/domain/F.ts": "export const any = (name: string) => import(name)\n"
      },
      "src/domain/A.ts:1",
      "src/domain/B.ts:1",
      "src/domain/C.ts:1",
      "src/domain/D.ts:2",
      "src/domain/E.ts:1",
      "src/domain/F.ts:1 imports a computed path"
    )
  )

  it.live("keep the domain from Node, from packages and from the parts of effect that stand for a machine", () =>
    refuses(
      "rooms",
      {
        "src/domain/A.ts": importing("node:fs"),
        "src/domain/B.ts": importing("undici"),
        "src/domain/C.ts": importing("effect/http"),
        "src/domain/D.ts": importing("@effect/platform-node"),
        "src/domain/E.ts": 'import { FileSystem } from "effect"\n\nexport const own = FileSystem\n'
      },
      "src/domain/A.ts:1 imports node:fs\n  domain runs anywhere",
      "src/domain/B.ts:1",
      "src/domain/C.ts:1",
      "src/domain/D.ts:1",
      "src/domain/E.ts:1"
    )
  )

  it.live("keep services from implementations and from technologies", () =>
    refuses(
      "rooms",
      {
        "src/services/A.ts": importing("#layers/memory/MemoryGreeter"),
        "src/services/B.ts": importing("node:net")
      },
      "src/services/A.ts:1 imports #layers/memory/MemoryGreeter\n  a service file names a capability",
      "src/services/B.ts:1 imports node:net\n  a service promises no technology"
    )
  )

  it.live("keep layers from programs and from one another", () =>
    refuses(
      "rooms",
      {
        "src/layers/memory/A.ts": importing("#programs/esb/main"),
        "src/layers/sqlite/B.ts": importing("#layers/memory/MemoryGreeter")
      },
      "src/layers/memory/A.ts:1 imports #programs/esb/main\n  layers are assembled by programs, never the reverse",
      "src/layers/sqlite/B.ts:1 imports #layers/memory/MemoryGreeter\n  two layer folders meet through a service"
    )
  )

  it.live("keep programs from one another, and let them share what lies beside them", () =>
    Effect.gen(function* () {
      const files = {
        "src/programs/Setting.ts": value,
        "src/programs/gateway/main.ts": importing("#programs/Setting"),
        "src/programs/agent/main.ts": importing("#programs/gateway/main")
      }
      yield* refuses("rooms", files, "src/programs/agent/main.ts:1", "one process does not import another")
      const checkout = yield* clean
      const { "src/programs/agent/main.ts": _breach, ...innocent } = files
      checkout.plant(innocent)
      const { code, said } = checkout.run("check.mjs", "--only", "rooms")
      assert.strictEqual(code, 0, said)
    })
  )

  it.live("keep a runtime client to Node's own modules", () =>
    refuses(
      "rooms",
      {
        "src/layers/process/clients/node/main.ts": importing("effect"),
        "src/layers/process/clients/node/other.mts": importing("#domain/Greeting")
      },
      "src/layers/process/clients/node/main.ts:1 imports effect\n  a runtime client runs beside the user's code",
      "src/layers/process/clients/node/other.mts:1"
    )
  )

  it.live("keep src from tests", () =>
    refuses(
      "rooms",
      { "src/layers/memory/A.ts": importing("#test/support/Value"), "test/support/Value.ts": value },
      "src knows no test, bench or script"
    )
  )

  it.live("catch a ring of imports, of types too", () =>
    refuses(
      "rooms",
      {
        "src/domain/A.ts": 'import type { B } from "./B.ts"\n\nexport type A = { b?: B }\n',
        "src/domain/B.ts": 'import type { C } from "#domain/C"\n\nexport type B = { c?: C }\n',
        "src/domain/C.ts": 'import type { A } from "./A.ts"\n\nexport type C = { a?: A }\n'
      },
      "These modules import each other in a ring:\n  src/domain/A.ts\n  src/domain/B.ts\n  src/domain/C.ts"
    )
  )

  it.live("catch a module in no room, one without a noun of its own, and an import that leads nowhere", () =>
    refuses(
      "rooms",
      {
        "src/Loose.ts": value,
        "src/layers/Loose.ts": value,
        "src/other/Loose.ts": value,
        "src/domain/utils.ts": value,
        "src/domain/lower-case.ts": value,
        "src/domain/Lost.ts": importing("./Nowhere.ts")
      },
      "src/Loose.ts:1 lives in no room",
      "src/layers/Loose.ts:1 lives in no room",
      "src/other/Loose.ts:1 lives in no room",
      "src/domain/utils.ts:1 has no name of its own",
      "src/domain/lower-case.ts:1 is not named like the rest",
      "src/domain/Lost.ts:1 imports ./Nowhere.ts\n  no file is there"
    )
  )

  it.live("fail when they have seen no module", () =>
    Effect.gen(function* () {
      const { code, said } = (yield* empty).run("check.mjs", "--only", "rooms")
      assert.strictEqual(code, 1)
      assert.include(said, "No module was seen")
    })
  )
})

describe("unused", () => {
  it.live("catches a file that nothing leads to", () =>
    refuses("unused", { "src/domain/Forgotten.ts": "export const forgotten = 1\n" }, "src/domain/Forgotten.ts")
  )

  it.live("catches an export that nobody imports", () =>
    refuses(
      "unused",
      { "src/domain/Greeting.ts": "export const greeting = (name: string) => name\nexport const unheard = 1\n" },
      "unheard"
    )
  )

  it.live("catches a package that is not in package.json", () =>
    refuses(
      "unused",
      { "src/layers/memory/MemoryGreeter.ts": 'import "left-pad"\n\nexport const layer = 1\n' },
      "left-pad"
    )
  )
})
