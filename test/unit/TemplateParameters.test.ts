import { assert, describe, it } from "@effect/vitest"
import { messagesOf, onlyFunction, problemsOf, stackOf, valueOf, withFunction } from "#test/support/Templates"

const declared = (parameter: string) => `Parameters:\n  P: {${parameter}}\n`

describe("parameters", () => {
  it("a given value wins over the default", () => {
    assert.strictEqual(valueOf("!Ref P", declared("Type: String, Default: a")), "a")
    assert.strictEqual(valueOf("!Ref P", declared("Type: String, Default: a"), { parameters: { P: "b" } }), "b")
    assert.strictEqual(valueOf("!Ref P", declared("Type: String, Default: a"), { parameters: { P: "" } }), "")
  })

  it("lists are texts without the blanks around them", () => {
    for (const type of ["CommaDelimitedList", "List<Number>", "List<String>"]) {
      assert.strictEqual(valueOf("!Join ['|', !Ref P]", declared(`Type: ${type}, Default: '1, 2 ,3'`)), "1|2|3")
    }
  })

  it("AWS's own types are texts", () => {
    assert.strictEqual(valueOf("!Ref P", declared("Type: 'AWS::EC2::VPC::Id', Default: vpc-1")), "vpc-1")
    assert.strictEqual(
      valueOf("!Select [1, !Ref P]", declared("Type: 'List<AWS::EC2::Subnet::Id>', Default: 'a,b'")),
      "b"
    )
  })

  const wrong: ReadonlyArray<readonly [parameter: string, given: string | undefined, message: string]> = [
    ["Type: String", undefined, "the parameter P has no default; give it with --parameter P=…"],
    ["Type: Text, Default: a", undefined, "Text is not a type of parameter"],
    ["Default: a", undefined, "nothing is not a type of parameter"],
    ["Type: Number, Default: 1", "many", 'P: "many" is not a number'],
    ["Type: Number, Default: ''", undefined, 'P: "" is not a number'],
    ["Type: 'List<Number>', Default: '1,x'", undefined, 'P: "1,x" is not a number'],
    ["Type: String, AllowedValues: [a, b]", "c", 'P: "c" is not one of a, b'],
    ["Type: CommaDelimitedList, AllowedValues: [a, b]", "a,c", 'P: "a,c" is not one of a, b'],
    ["Type: String, AllowedPattern: '[a-z]+'", "ab1", 'P: "ab1" does not match [a-z]+'],
    ["Type: String, MinLength: 2", "a", 'P: "a" is shorter than 2'],
    ["Type: String, MaxLength: '2'", "abc", 'P: "abc" is longer than 2'],
    ["Type: Number, MinValue: 2", "1.5", 'P: "1.5" is less than 2'],
    ["Type: Number, MaxValue: 2", "3", 'P: "3" is more than 2'],
    ["Type: String, AllowedPattern: 'a+', ConstraintDescription: only a", "b", 'P: "b" does not match a+: only a'],
    [
      "Type: String, NoEcho: true, AllowedPattern: 'a+'",
      "hunter2",
      "P: its value (not shown: NoEcho) does not match a+"
    ],
    ["Type: String, Defualt: a", "b", 'unknown attribute "Defualt"; did you mean "Default"?'],
    [
      "Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b",
      undefined,
      "there is no Systems Manager to ask; give a value with --parameter P=…"
    ]
  ]
  for (const [parameter, given, message] of wrong) {
    it(`{${parameter}}${given === undefined ? "" : ` given ${given}`} is refused: ${message}`, () => {
      const options = { parameters: given === undefined ? {} : { P: given } }
      assert.deepStrictEqual(messagesOf("!Ref P", declared(parameter), options), [message])
    })
  }

  it("a value can be given for what only Systems Manager knows", () => {
    const options = { parameters: { P: "ami-1" } }
    assert.strictEqual(valueOf("!Ref P", declared("Type: 'AWS::SSM::Parameter::Value<String>'"), options), "ami-1")
  })

  it("a value for a parameter that is not declared is refused", () => {
    const sections = declared("Type: String, Default: a")
    assert.deepStrictEqual(messagesOf("x", sections, { parameters: { Q1: "a" } }), [
      'the template has no parameter "Q1"'
    ])
  })

  it("every missing parameter is named, and once, however often it is used", () => {
    const text = withFunction(
      "Environment: {Variables: {ONE: !Ref A, TWO: !Ref A, THREE: !Sub '${B}'}}",
      "Parameters:\n  A: {Type: String}\n  B: {Type: Number}"
    )
    assert.deepStrictEqual(problemsOf(text), [
      { line: 2, path: "Parameters.A", message: "the parameter A has no default; give it with --parameter A=…" },
      { line: 3, path: "Parameters.B", message: "the parameter B has no default; give it with --parameter B=…" }
    ])
  })

  it("a pattern that cannot be read here is a warning, and lets the value through", () => {
    const stack = stackOf(withFunction("Timeout: 5", declared("Type: String, Default: a, AllowedPattern: '(?>a)++'")))
    assert.lengthOf(stack.warnings, 1)
    assert.match(stack.warnings[0]?.message ?? "", /is not checked/)
  })

  it("numbers given as text are numbers where numbers belong", () => {
    const sections = "Parameters: {Seconds: {Type: Number, Default: 7}}"
    assert.strictEqual(onlyFunction(stackOf(withFunction("Timeout: !Ref Seconds", sections))).timeoutMs, 7_000)
  })
})

describe("conditions", () => {
  const decide = (condition: string, options = {}) =>
    valueOf(
      "!If [C, 'yes', 'no']",
      `Parameters: {Stage: {Type: String, Default: dev}}
Mappings: {Stages: {dev: {Small: 'true'}}}
Conditions:
  C: ${condition}
  IsDev: !Equals [!Ref Stage, dev]
  IsProd: !Equals [!Ref Stage, prod]
`,
      options
    )

  const decided: ReadonlyArray<readonly [condition: string, answer: string]> = [
    ["!Equals [a, a]", "yes"],
    ["!Equals [a, A]", "no"],
    ["!Equals [1, '1']", "yes"],
    ["!Equals [true, 'true']", "yes"],
    ["!Equals [!Ref Stage, dev]", "yes"],
    ["!Equals [!Sub '${Stage}-x', !Join ['-', [dev, x]]]", "yes"],
    ["!Equals [!FindInMap [Stages, !Ref Stage, Small], true]", "yes"],
    ["!Equals [!Select [0, !Split ['-', a-b]], a]", "yes"],
    ["!Equals [[a, b], [a, b]]", "yes"],
    ["!Equals [!If [IsProd, x, y], y]", "yes"],
    ["!Not [!Condition IsDev]", "no"],
    ["!Not [{Condition: IsProd}]", "yes"],
    ["!And [!Condition IsDev, !Not [!Condition IsProd]]", "yes"],
    ["!And [!Condition IsDev, !Condition IsProd]", "no"],
    ["!Or [!Condition IsDev, !Condition IsProd]", "yes"],
    ["!Or [!Condition IsProd, !Equals [a, b]]", "no"],
    ["{Condition: IsDev}", "yes"],
    ["{Condition: {Condition: IsDev}}", "yes"]
  ]
  for (const [condition, answer] of decided) {
    it(`${condition} answers ${answer}`, () => {
      assert.strictEqual(decide(condition), answer)
    })
  }

  it("a condition follows the value of a parameter", () => {
    assert.strictEqual(decide("!Condition IsProd", { parameters: { Stage: "prod" } }), "yes")
  })

  const shape =
    "a condition is Fn::Equals of two values, Fn::Not of one condition, Fn::And or Fn::Or of 2 to 10, or Condition"
  const wrong: ReadonlyArray<readonly [conditions: string, messages: ReadonlyArray<string>]> = [
    ["C: true", [shape]],
    ["C: !Equals [a]", [shape]],
    ["C: !Equals [a, !Ref AWS::NoValue]", [shape]],
    ["C: !Not [!Equals [a, b], !Equals [a, b]]", [shape]],
    ["C: !And [!Equals [a, b]]", [shape]],
    [`C: !Or [${Array.from({ length: 11 }, () => "!Equals [a, b]").join(", ")}]`, [shape]],
    ["C: !Condition [D]", [shape]],
    ["C: {}", [shape]],
    ["C: !Condition Nowhere", ['there is no condition "Nowhere"']],
    ["C: !Equals [!Ref Nowhere, a]", ['a condition can only use parameters, and "Nowhere" is none']],
    ["C: !Equals [!GetAtt Orders.Arn, a]", ['a condition can only use parameters, and "Orders" is none']],
    ["C: !Condition C", ['the condition "C" depends on itself']],
    [
      "A: !Not [!Condition B]\n  B: !Or [!Condition C, !Equals [a, a]]\n  C: !Condition A",
      ['the condition "A" depends on itself']
    ]
  ]
  for (const [conditions, messages] of wrong) {
    it(`${conditions.replaceAll("\n ", ";")} is refused even when nothing asks for it`, () => {
      const problems = problemsOf(withFunction("Timeout: 5", `Conditions:\n  ${conditions}`))
      assert.deepStrictEqual(
        problems.map(({ message }) => message),
        messages
      )
    })
  }

  it("a resource whose condition is false is not created, and neither are its routes", () => {
    const text = `Conditions: {Never: !Equals [a, b]}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Condition: Never
    Properties:
      CodeUri: 's3://not/looked.at'
      Handler: a.b
      Runtime: nodejs24.x
      Events: {Get: {Type: Api, Properties: {Path: /, Method: get}}}
  Items: {Type: AWS::Serverless::SimpleTable}
  Jobs: {Type: AWS::SQS::Queue, Condition: Never}
`
    const stack = stackOf(text)
    assert.deepStrictEqual([stack.functions, stack.routes, stack.warnings], [[], [], []])
    assert.lengthOf(stack.tables, 1)
  })

  it("a condition of a resource is the name of one", () => {
    const bucket = (condition: string) => `Resources: {Files: {Type: AWS::S3::Bucket, Condition: ${condition}}}`
    assert.deepStrictEqual(
      problemsOf(bucket("[a]")).map(({ message }) => message),
      ["Condition is the name of a condition"]
    )
    assert.deepStrictEqual(
      problemsOf(bucket("Nowhere")).map(({ message }) => message),
      ['there is no condition "Nowhere"']
    )
  })
})
