import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Template from "#domain/Template"
import * as TemplateSubstitution from "#domain/TemplateSubstitution"
import { messagesOf, onlyFunction, outcome, problemsOf, stackOf, valueOf, withFunction } from "#test/support/Templates"

const parameters = `Parameters:
  Stage: {Type: String, Default: dev}
  Size: {Type: Number, Default: 3}
  Zones: {Type: CommaDelimitedList, Default: "a, b,c"}
Mappings:
  Regions:
    us-east-1: {Name: virginia, Zones: [x, y]}
    dev: {Name: laptop}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
`

describe("values", () => {
  const worth: ReadonlyArray<readonly [expression: string, value: string]> = [
    ["plain", "plain"],
    ["12", "12"],
    ["true", "true"],
    ["!Ref Stage", "dev"],
    ["{Ref: Stage}", "dev"],
    ["!Ref Size", "3"],
    ["!Ref AWS::Region", "us-east-1"],
    ["!Ref AWS::AccountId", "000000000000"],
    ["!Ref AWS::Partition", "aws"],
    ["!Ref AWS::StackName", "esb"],
    ["!Ref AWS::URLSuffix", "amazonaws.com"],
    [
      "!Ref AWS::StackId",
      "arn:aws:cloudformation:us-east-1:000000000000:stack/esb/00000000-0000-0000-0000-000000000000"
    ],
    ["!Ref Orders", "Orders"],
    ["!GetAtt Orders.Arn", "arn:aws:lambda:us-east-1:000000000000:function:Orders"],
    ["!GetAtt [Orders, Arn]", "arn:aws:lambda:us-east-1:000000000000:function:Orders"],
    ["{'Fn::GetAtt': [Orders, Arn]}", "arn:aws:lambda:us-east-1:000000000000:function:Orders"],
    ["!Sub 'at ${Stage} in ${AWS::Region}'", "at dev in us-east-1"],
    ["!Sub '${Orders.Arn}:live'", "arn:aws:lambda:us-east-1:000000000000:function:Orders:live"],
    ["!Sub 'keep ${!Literal} and $Stage and ${!}'", "keep ${Literal} and $Stage and ${}"],
    ["!Sub ['${A}-${Stage}', {A: !Ref Size}]", "3-dev"],
    ["!Sub ['${Stage}', {Stage: shadowed}]", "shadowed"],
    ["!Join ['-', [a, !Ref Stage, 3]]", "a-dev-3"],
    ["!Join [',', !Ref Zones]", "a,b,c"],
    ["!Join ['', [a, !Ref AWS::NoValue, b]]", "ab"],
    ["!Select [1, [a, b]]", "b"],
    ["!Select ['2', !Ref Zones]", "c"],
    ["!Select [1, !Split [':', 'a:b:c']]", "b"],
    ["!Join ['+', !Split ['--', 'a--b']]", "a+b"],
    ["!If [IsProd, big, small]", "small"],
    ["!If [IsProd, !Ref Nowhere, small]", "small"],
    ["{'Fn::Base64': !Sub '${Stage}é'}", "ZGV2w6k="],
    ["!FindInMap [Regions, !Ref AWS::Region, Name]", "virginia"],
    ["!FindInMap [Regions, !Ref Stage, Name]", "laptop"],
    ["!Select [0, !FindInMap [Regions, us-east-1, Zones]]", "x"]
  ]
  for (const [expression, value] of worth) {
    it(`${expression} is worth ${value}`, () => {
      assert.strictEqual(valueOf(expression, parameters), value)
    })
  }

  it("AWS::NoValue takes a variable away", () => {
    assert.isUndefined(valueOf("!Ref AWS::NoValue"))
    assert.isUndefined(valueOf("!If [IsProd, x, !Ref AWS::NoValue]", parameters))
  })

  it("the region and the name of the stack are those that are given", () => {
    const options = { region: "eu-west-1", stackName: "shop" }
    assert.strictEqual(valueOf("!Sub '${AWS::StackName}.${AWS::Region}'", "", options), "shop.eu-west-1")
    assert.strictEqual(
      valueOf("!GetAtt Orders.Arn", "", options),
      "arn:aws:lambda:eu-west-1:000000000000:function:Orders"
    )
  })

  it("the names and ARNs of resources follow the names that the template gives them", () => {
    const stack = stackOf(`
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Items: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: !Sub "${"${Stage}"}-items"}}
  Files: {Type: AWS::S3::Bucket}
  Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer, LayerName: common}}
  Other: {Type: AWS::Serverless::Function, Properties: {FunctionName: !Ref Stage, CodeUri: a, Handler: a.b, Runtime: python3.13}}
  Orders:
    Type: AWS::Lambda::Function
    Properties:
      Code: src
      Handler: app.handler
      Runtime: nodejs24.x
      Environment:
        Variables:
          TABLE: !Ref Items
          TABLE_ARN: !GetAtt Items.Arn
          BUCKET: !Ref Files
          BUCKET_ARN: !GetAtt Files.Arn
          LAYER: !Ref Shared
          OTHER: !Ref Other
          OTHER_ARN: !GetAtt Other.Arn
`)
    assert.deepStrictEqual(stack.functions.at(-1)?.environment, {
      TABLE: "dev-items",
      TABLE_ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/dev-items",
      BUCKET: "files",
      BUCKET_ARN: "arn:aws:s3:::files",
      LAYER: "arn:aws:lambda:us-east-1:000000000000:layer:common:1",
      OTHER: "dev",
      OTHER_ARN: "arn:aws:lambda:us-east-1:000000000000:function:dev"
    })
  })
})

describe("values that are wrong", () => {
  const wrong: ReadonlyArray<readonly [expression: string, message: string]> = [
    ["!Ref Stagee", 'there is no parameter or resource "Stagee"; did you mean "Stage"?'],
    ["!Ref [Stage]", "Ref takes the name of a parameter or a resource"],
    ["!GetAtt Orders", "Fn::GetAtt takes the name of a resource and one of its attributes"],
    ["!GetAtt Order.Arn", 'there is no parameter or resource "Order"; did you mean "Orders"?'],
    ["!Sub '${Nowhere}'", 'there is no parameter or resource "Nowhere"'],
    ["!Sub '${}'", "${} names nothing; write ${!} for the text itself"],
    ["!Sub '${a b}'", "${a b} names nothing; write ${!a b} for the text itself"],
    ["!Sub '${Zones}'", "${Zones} is not a text"],
    ["!Sub ['${A}']", "Fn::Sub takes a text, or a text and a map of its variables"],
    ["!Sub {A: b}", "Fn::Sub takes a text, or a text and a map of its variables"],
    ["!Join [a, b]", "Fn::Join takes a delimiter and a list of texts"],
    ["!Join [a, [{b: c}]]", "Fn::Join takes a delimiter and a list of texts"],
    ["!Split [',', [a]]", "Fn::Split takes a delimiter and a text"],
    ["!Split ['', a]", "Fn::Split takes a delimiter and a text"],
    ["!Select [2, [a, b]]", "Fn::Select asks for element 2 of a list of 2"],
    ["!Select [-1, [a, b]]", "Fn::Select takes a position from 0 and a list"],
    ["!Select [0, a]", "Fn::Select takes a position from 0 and a list"],
    ["!If [IsProd, a]", "Fn::If takes the name of a condition and two values"],
    ["!If [IsPrd, a, b]", 'there is no condition "IsPrd"; did you mean "IsProd"?'],
    ["!FindInMap [Region, a, b]", 'Mappings has no "Region"; did you mean "Regions"?'],
    ["!FindInMap [Regions, us-east-2, Name]", 'Mappings.Regions has no "us-east-2"; did you mean "us-east-1"?'],
    ["!FindInMap [Regions, us-east-1, Nmae]", 'Mappings.Regions.us-east-1 has no "Nmae"; did you mean "Name"?'],
    ["!FindInMap [Regions, us-east-1]", "Fn::FindInMap takes the name of a mapping and two keys"],
    ["{'Fn::Base64': [a]}", "Fn::Base64 takes a text"],
    ["{'Fn::Subb': a}", 'Fn::Subb is not a function for values; did you mean "Fn::Sub"?'],
    ["!Equals [a, b]", "Fn::Equals is not a function for values"],
    [
      "!ImportValue other",
      "Fn::ImportValue has no answer here: there are no other stacks to import from; use a parameter"
    ],
    ["!GetAZs ''", "Fn::GetAZs has no answer here: one machine has no availability zones"],
    ["!Cidr [10.0.0.0/16, 1]", "Fn::Cidr has no answer here: there are no networks to divide"],
    ["!Transform {Name: Mine}", "Fn::Transform has no answer here: macros are not run"],
    ["'{{resolve:ssm:secret}}'", "{{resolve:…}} has no answer here: there is no AWS to ask; use a parameter"],
    ["!Ref Zones", "VALUE is a text, not a list"],
    ["[a]", "VALUE is a text, not a list"],
    ["", "VALUE has no value"]
  ]
  for (const [expression, message] of wrong) {
    it(`${expression === "" ? "nothing" : expression} is refused: ${message}`, () => {
      assert.deepStrictEqual(messagesOf(expression, parameters), [message])
    })
  }

  it("each is told with the line and the path where it is written", () => {
    const text = withFunction(`Environment:
  Variables:
    ONE: !Ref Nothing
    TWO: !Sub "${"${Nowhere.Arn}"}"`)
    const lineOf = (part: string) => text.split("\n").findIndex((line) => line.includes(part)) + 1
    assert.deepStrictEqual(problemsOf(text), [
      {
        line: lineOf("ONE"),
        path: "Resources.Orders.Properties.Environment.Variables.ONE",
        message: 'there is no parameter or resource "Nothing"'
      },
      {
        line: lineOf("TWO"),
        path: "Resources.Orders.Properties.Environment.Variables.TWO",
        message: 'there is no parameter or resource "Nowhere"'
      }
    ])
  })

  it("a resource that its condition does not create cannot be referred to", () => {
    const sections = `Conditions: {Never: !Equals [a, b]}`
    const text = `${withFunction("Environment: {Variables: {TABLE: !Ref Items}}", sections)}
  Items: {Type: AWS::Serverless::SimpleTable, Condition: Never}`
    assert.deepStrictEqual(
      problemsOf(text).map(({ message }) => message),
      ["Items is not created: its Condition is false"]
    )
  })

  it("a name that depends on itself is a problem, not an endless search", () => {
    const text = withFunction("FunctionName: !Sub '${Orders}-2'")
    assert.include(
      problemsOf(text).map(({ message }) => message),
      "the name of Orders depends on itself"
    )
  })

  it("what has no effect is not worked out", () => {
    const stack = stackOf(withFunction("VpcConfig: {SubnetIds: !Ref Nowhere}\nDescription: !ImportValue x"))
    assert.deepStrictEqual(
      stack.warnings.map(({ message }) => message),
      ["VpcConfig has no effect here: workers use the network of the machine"]
    )
  })

  it("a reference to something that is not created here is refused, or let through as its name", () => {
    const text = `${withFunction("Environment: {Variables: {QUEUE: !Ref Jobs, ROLE: !GetAtt Role.Arn}}")}
  Jobs: {Type: AWS::SQS::Queue}
  Role: {Type: AWS::IAM::Role}`
    assert.deepStrictEqual(
      problemsOf(text).map(({ message }) => message),
      [
        "Ref Jobs has no value here: AWS::SQS::Queue is not created here",
        "Role.Arn has no value here: AWS::IAM::Role is not created here",
        "AWS::SQS::Queue is not supported: there is no SQS; call the function asynchronously instead"
      ]
    )
    const stack = stackOf(text, { allowUnsupported: true })
    assert.deepStrictEqual(onlyFunction(stack).environment, { QUEUE: "Jobs", ROLE: "Role.Arn" })
    assert.lengthOf(stack.warnings, 4)
  })

  it("what AWS's translator would have made is told apart from a slip of the pen", () => {
    assert.deepStrictEqual(messagesOf("!Sub 'https://${ServerlessRestApi}.execute-api'"), [
      "Ref ServerlessRestApi has no value here: only AWS's own translator makes it"
    ])
    assert.deepStrictEqual(messagesOf("!GetAtt OrdersRole.Arn"), [
      "OrdersRole.Arn has no value here: only AWS's own translator makes it"
    ])
  })
})

describe("limits", () => {
  const document = (value: unknown) => ({ Resources: { A: { Type: "AWS::S3::Bucket", Metadata: value } } })
  const resolved = (value: unknown) =>
    Template.resolve({ file: "t.json", document: document(value), lineOf: () => 1, parameters: {} })

  it("nesting beyond a hundred levels is refused before anything reads it", () => {
    let nested: unknown = "deep"
    for (let level = 0; level < 20_000; level++) {
      nested = [nested]
    }
    const result = resolved(nested)
    assert(Result.isFailure(result))
    assert.match(result.failure.message, /nested at most 100 levels deep/)
  })

  it("more values than a template can have are refused", () => {
    const result = resolved(Array.from({ length: 300_000 }, () => 1))
    assert(Result.isFailure(result))
    assert.match(result.failure.message, /at most 200000 values/)
  })

  it("names that objects inherit are names like any other", () => {
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      assert.deepStrictEqual(messagesOf(`!Ref ${name}`), [`there is no parameter or resource "${name}"`])
      const problems = outcome(`Resources: {A: {Type: ${name}, Properties: {${name}: 1}}}`)
      assert(Result.isFailure(problems))
      assert.match(problems.failure.message, /is not supported: there is none here/)
    }
  })
})

describe("Fn::Sub", () => {
  const Name = Schema.String.check(Schema.isPattern(/^[A-Za-z][A-Za-z0-9:.]{0,8}$/))
  const Piece = Schema.Union([
    Schema.TaggedStruct("Plain", { text: Schema.String.check(Schema.isPattern(/^[a-z $!-]{0,8}$/)) }),
    Schema.TaggedStruct("Escaped", { name: Name }),
    Schema.TaggedStruct("Variable", { name: Name })
  ])
  type Piece = typeof Piece.Type

  const print = (piece: Piece): string => {
    switch (piece._tag) {
      case "Plain":
        return piece.text
      case "Escaped":
        return `\${!${piece.name}}`
      case "Variable":
        return `\${${piece.name}}`
    }
  }

  /** Neighbouring literals are one, and an empty one is none. */
  const expected = (pieces: ReadonlyArray<Piece>): ReadonlyArray<TemplateSubstitution.TemplatePiece> => {
    const found: Array<TemplateSubstitution.TemplatePiece> = []
    for (const piece of pieces) {
      const text = piece._tag === "Plain" ? piece.text : `\${${piece.name}}`
      const last = found.at(-1)
      if (piece._tag === "Variable") {
        found.push(piece)
      } else if (last?._tag === "Literal") {
        found[found.length - 1] = { _tag: "Literal", text: last.text + text }
      } else if (text !== "") {
        found.push({ _tag: "Literal", text })
      }
    }
    return found
  }

  it.prop("reads what was printed", { pieces: Schema.Array(Piece) }, ({ pieces }) => {
    assert.deepStrictEqual(TemplateSubstitution.parse(pieces.map(print).join("")), expected(pieces))
  })
})
