import { assert, describe, it } from "@effect/vitest"
import * as Interpreter from "#domain/Interpreter"

const python = (minor: number, path = `/python3.${minor}`) => ({ path, version: { major: 3, minor } })
const node = (major: number) => ({ path: `/node${major}`, version: { major, minor: 7 } })

const chosenPath = (choice: Interpreter.Choice) =>
  choice._tag === "None" ? "none" : `${choice._tag} ${choice.interpreter.path}`

describe("a runtime's name", () => {
  it.each([
    ["nodejs24.x", { _tag: "Interpreter", family: "node", version: { major: 24, minor: 0 } }],
    ["python3.13", { _tag: "Interpreter", family: "python", version: { major: 3, minor: 13 } }],
    ["provided.al2023", { _tag: "Bootstrap" }],
    ["provided", { _tag: "Bootstrap" }],
    ["java21", { _tag: "Unknown" }],
    ["nodejs", { _tag: "Unknown" }],
    ["", { _tag: "Unknown" }]
  ] as const)("%s is understood", (runtime, need) => {
    assert.deepStrictEqual(Interpreter.parseRuntime(runtime), need)
  })
})

describe("the interpreter of a function", () => {
  it("is the exact version when there is one, the first that was found", () => {
    const found = [python(12), python(13, "/first"), python(13, "/second")]
    assert.strictEqual(chosenPath(Interpreter.choose("python", { major: 3, minor: 13 }, found)), "Exact /first")
  })

  it("is else the nearest newer one", () => {
    const found = [python(9), python(14), python(12), python(11)]
    assert.strictEqual(chosenPath(Interpreter.choose("python", { major: 3, minor: 10 }, found)), "Instead /python3.11")
  })

  it("is else the newest of the older ones", () => {
    assert.strictEqual(
      chosenPath(Interpreter.choose("node", { major: 26, minor: 0 }, [node(20), node(24), node(22)])),
      "Instead /node24"
    )
  })

  it("is none when only versions are there that the runtime client does not speak", () => {
    assert.strictEqual(chosenPath(Interpreter.choose("python", { major: 3, minor: 13 }, [python(6)])), "none")
    assert.strictEqual(chosenPath(Interpreter.choose("node", { major: 22, minor: 0 }, [])), "none")
  })

  it("takes any minor version of Node for the exact one", () => {
    assert.strictEqual(chosenPath(Interpreter.choose("node", { major: 24, minor: 0 }, [node(24)])), "Exact /node24")
  })

  it("comes with advice that names the version", () => {
    assert.match(Interpreter.howToInstall("python", { major: 3, minor: 13 }), /pyenv install 3\.13/)
    assert.strictEqual(Interpreter.written("node", { major: 24, minor: 0 }), "Node 24")
  })
})
