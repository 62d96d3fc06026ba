import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as TemplateFile from "#layers/files/TemplateFile"

const parsed = (text: string) => {
  const result = TemplateFile.parse("t.yaml", text)
  assert(Result.isSuccess(result), Result.isFailure(result) ? result.failure.message : "")
  return result.success
}
const documentOf = (text: string) => parsed(text).document

const failure = (text: string) => {
  const result = TemplateFile.parse("t.yaml", text)
  assert(Result.isFailure(result), "the text is accepted")
  return result.failure
}

describe("short tags", () => {
  const longForms: ReadonlyArray<readonly [yaml: string, value: unknown]> = [
    ["!Ref A", { Ref: "A" }],
    ["!Condition A", { Condition: "A" }],
    ["!GetAtt A.B", { "Fn::GetAtt": "A.B" }],
    ["!GetAtt [A, B]", { "Fn::GetAtt": ["A", "B"] }],
    ["!Sub '${A}'", { "Fn::Sub": "${A}" }],
    ["!Sub ['${A}', {A: 1}]", { "Fn::Sub": ["${A}", { A: 1 }] }],
    ["!Join [',', [a, !Ref B]]", { "Fn::Join": [",", ["a", { Ref: "B" }]] }],
    ["!If [C, !Sub x, !Ref 'AWS::NoValue']", { "Fn::If": ["C", { "Fn::Sub": "x" }, { Ref: "AWS::NoValue" }] }],
    [
      "!Transform {Name: x, Parameters: {A: !Ref B}}",
      { "Fn::Transform": { Name: "x", Parameters: { A: { Ref: "B" } } } }
    ],
    ["!Base64 x", { "Fn::Base64": "x" }],
    ["!Ref 1", { Ref: "1" }],
    ["!GetAZs ''", { "Fn::GetAZs": "" }],
    ["!Select [0, !Split [',', a]]", { "Fn::Select": [0, { "Fn::Split": [",", "a"] }] }]
  ]
  for (const [yaml, value] of longForms) {
    it(`${yaml} is ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(documentOf(`a: ${yaml}`), { a: value })
    })
  }

  it("every function of CloudFormation has one, before a text, a list or a map", () => {
    const names = [
      "And",
      "Base64",
      "Cidr",
      "Equals",
      "FindInMap",
      "GetAtt",
      "GetAZs",
      "If",
      "ImportValue",
      "Join",
      "Not",
      "Or",
      "Select",
      "Split",
      "Sub",
      "ToJsonString",
      "Transform",
      "Length",
      "ForEach"
    ]
    for (const name of names) {
      assert.deepStrictEqual(documentOf(`[!${name} x, !${name} [x], !${name} {x: y}]`), [
        { [`Fn::${name}`]: "x" },
        { [`Fn::${name}`]: ["x"] },
        { [`Fn::${name}`]: { x: "y" } }
      ])
    }
  })

  it("one that nobody knows is refused", () => {
    assert.strictEqual(failure("a:\n  b: !Reff c").message, 't.yaml:2:3: unknown tag !Reff; did you mean "!Ref"?')
  })
})

describe("plain values", () => {
  const meanings: ReadonlyArray<readonly [yaml: string, value: unknown]> = [
    ["yes", true],
    ["Off", false],
    ["TRUE", true],
    ["y", "y"],
    ["N", "N"],
    ["~", null],
    ["", null],
    ["12", 12],
    ["-1_000", -1000],
    ["0x1F", 31],
    ["0644", 420],
    ["089", "089"],
    ["12345678901234567890", "12345678901234567890"],
    ["1.5", 1.5],
    ["1.0", "1.0"],
    ["1e3", "1e3"],
    ["2010-09-09", "2010-09-09"],
    ["12:30:45", "12:30:45"],
    ["'12'", "12"],
    ['"yes"', "yes"],
    ['"\\ud83d\\ude00 \\/"', "😀 /"],
    ["|\n  two\n  lines", "two\nlines\n"]
  ]
  for (const [yaml, value] of meanings) {
    it(`${JSON.stringify(yaml)} is ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(documentOf(`a: ${yaml}`), { a: value })
    })
  }

  it("keys are what was written", () => {
    assert.deepStrictEqual(documentOf("NO: 1\n012345678901: 2\nnull: 3"), { NO: 1, "012345678901": 2, null: 3 })
  })

  it("aliases and merges are followed; what is written at a place wins", () => {
    const text = "base: &base {a: 1, b: 1}\nmore: &more {b: 2, c: 2}\nall:\n  c: 3\n  <<: [*base, *more]\nlist: [*base]"
    assert.deepStrictEqual(documentOf(text), {
      base: { a: 1, b: 1 },
      more: { b: 2, c: 2 },
      all: { a: 1, b: 1, c: 3 },
      list: [{ a: 1, b: 1 }]
    })
  })
})

describe("lines", () => {
  it("are those of keys and items", () => {
    const { lineOf } = parsed(`# a comment
Resources:
  Orders:
    Type: AWS::Serverless::Function

    Properties:
      Layers:
        - !Ref One
        - Fn::Sub:
            - x
            - {A: b,
               C: d}
      Environment: !If [A, {
        Variables: x }, y]
`)
    const lines: ReadonlyArray<readonly [path: ReadonlyArray<string | number>, line: number]> = [
      [[], 2],
      [["Resources"], 2],
      [["Resources", "Orders", "Properties"], 6],
      [["Resources", "Orders", "Properties", "Layers", 0], 8],
      [["Resources", "Orders", "Properties", "Layers", 0, "Ref"], 8],
      [["Resources", "Orders", "Properties", "Layers", 1, "Fn::Sub", 1, "C"], 12],
      [["Resources", "Orders", "Properties", "Environment", "Fn::If", 1, "Variables"], 14],
      [["Nowhere", 7], 1]
    ]
    for (const [path, line] of lines) {
      assert.strictEqual(lineOf(path), line, path.join("."))
    }
  })

  it("survive a merge: own keys keep theirs, merged ones that of their origin", () => {
    const { lineOf } = parsed("base: &base\n  a: 1\n  b: 1\nown:\n  b: 2\n  <<: *base")
    assert.deepStrictEqual([lineOf(["own", "a"]), lineOf(["own", "b"])], [2, 5])
  })
})

describe("JSON", () => {
  const Json = Schema.Record(
    Schema.String,
    Schema.Union([
      Schema.String,
      Schema.Int,
      Schema.Boolean,
      Schema.Null,
      Schema.Array(Schema.String),
      Schema.Record(Schema.String, Schema.Int)
    ])
  )

  for (const [name, space] of [
    ["one line", undefined],
    ["two blanks", 2],
    ["tabs", "\t"]
  ] as const) {
    it.prop(`printed with ${name} is read back as it was`, { value: Json }, ({ value }) => {
      const text = JSON.stringify(value, undefined, space)
      assert.deepStrictEqual(documentOf(text), JSON.parse(text))
    })
  }

  it.prop("has the line of every key", { value: Schema.Record(Schema.String, Schema.Int) }, ({ value }) => {
    const { lineOf } = parsed(JSON.stringify(value, undefined, 2))
    Object.keys(value).forEach((key, index) => {
      assert.strictEqual(lineOf([key]), index + 2)
    })
  })
})

describe("broken text", () => {
  const broken: ReadonlyArray<readonly [text: string, line: number, column: number, hint: RegExp]> = [
    ["a:\n\tb: 1", 2, 1, /indent with spaces/],
    ["a: 1\nb: 2\na: 3", 3, 1, /remove or rename one of the two/],
    ["a:\n  1: x\n  '1': y", 3, 3, /already in this map/],
    ["a: [1, 2", 1, 9, /same column/],
    ["a: 'x", 1, 6, /missing here or before/],
    ["a: b: c", 1, 4, /needs quotes/],
    ["a: @b", 1, 4, /in quotes/],
    ["a: 1\n---\nb: 2", 2, 1, /one document/],
    ['{"a": 1,\n "b" 2}', 2, 6, /./],
    ["a: *nowhere", 1, 1, /^$/],
    ["? [a]\n: b", 1, 3, /^$/],
    ["a: &a\n  <<: *a", 2, 3, /^$/],
    ["<<: text", 1, 1, /^$/]
  ]
  for (const [text, line, column, hint] of broken) {
    it(`${JSON.stringify(text)} is told at ${line}:${column} with a hint`, () => {
      const error = failure(text)
      const [first] = error.problems
      assert.deepStrictEqual([first.line, first.column], [line, column])
      assert.match(first.hint ?? "", hint)
      assert.include(error.message, `t.yaml:${line}:${column}: `)
    })
  }

  it("every key that is there twice is told", () => {
    assert.lengthOf(failure("a: 1\na: 2\nb: {c: 1, c: 2}").problems, 2)
  })

  it("nesting without end is refused before it is followed", () => {
    for (const text of [
      "[".repeat(40_000),
      "- ".repeat(30_000),
      "{a: ".repeat(10_000),
      `a: ${"!Sub [".repeat(5_000)}`
    ]) {
      assert.match(failure(text).message, /more than 100 levels of nesting/)
    }
  })

  it("aliases that multiply are refused before they fill the memory", () => {
    const lines = Array.from(
      { length: 30 },
      (_, index) =>
        `a${index}: &a${index} [${index === 0 ? "x" : Array.from({ length: 9 }, () => `*a${index - 1}`).join(", ")}]`
    )
    assert.match(failure(lines.join("\n")).message, /too large once its aliases are followed/)
    assert.match(failure("a: &a [*a]").message, /too large once its aliases are followed/)
  })
})

describe("a file", () => {
  const inDirectory = <A, E>(use: (directory: string) => Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-template-"))),
      use,
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )

  it.effect("is read with its name, whatever begins it and ends its lines", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const file = join(directory, "template.yaml")
        writeFileSync(file, "\ufeffa: 1\r\nb:\r\n  c: é\r\n")
        const template = yield* TemplateFile.read(file)
        assert.deepStrictEqual(
          [template.file, template.document, template.lineOf(["b", "c"])],
          [file, { a: 1, b: { c: "é" } }, 3]
        )
      })
    )
  )

  it.effect("that is not there, a directory, too large or not UTF-8 is refused with advice", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const refusal = (name: string, content?: string | Uint8Array) => {
          const file = join(directory, name)
          if (content !== undefined) writeFileSync(file, content)
          return Effect.map(Effect.flip(TemplateFile.read(file)), (error) => {
            assert.strictEqual(error._tag, "TemplateUnreadable")
            return error.message.replace(file, "FILE")
          })
        }
        assert.strictEqual(
          yield* refusal("none"),
          "FILE: there is no such file (name a template, or make one with esb init)"
        )
        assert.strictEqual(yield* refusal("."), "FILE: it is a directory (name the template in it)")
        assert.match(yield* refusal("large", "a".repeat(1024 * 1024 + 1)), /^FILE: it has more than 1048576 bytes/)
        assert.match(yield* refusal("utf16", new Uint8Array([0xff, 0xfe, 0x61, 0x00])), /^FILE: it is not UTF-8/)
        writeFileSync(join(directory, "largest"), `a: ${"b".repeat(1024 * 1024 - 3)}`)
        assert.isDefined(yield* TemplateFile.read(join(directory, "largest")))
      })
    )
  )

  it.effect("whose text is broken fails with its place", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const file = join(directory, "template.yaml")
        writeFileSync(file, "a: 1\na: 2\n")
        const error = yield* Effect.flip(TemplateFile.read(file))
        assert.strictEqual(error._tag, "TemplateSyntax")
        assert.match(error.message, /template\.yaml:2:1: Map keys must be unique/)
      })
    )
  )
})
