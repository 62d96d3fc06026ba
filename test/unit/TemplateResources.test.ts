import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Suggestion from "#domain/Suggestion"
import * as TemplateSupport from "#domain/TemplateSupport"
import { problemsOf, stackOf } from "#test/support/Templates"

const resource = (type: string, properties: string, attributes = "") =>
  `Resources: {Files: {Type: ${type}, Properties: {${properties}}${attributes}}}`
const problems = (text: string, options = {}) => problemsOf(text, options).map(({ message }) => message)
const warnings = (text: string, options = {}) => stackOf(text, options).warnings.map(({ message }) => message)

describe("tables", () => {
  const keys =
    "KeySchema: [{AttributeName: id, KeyType: HASH}], AttributeDefinitions: [{AttributeName: id, AttributeType: S}]"
  const table = (properties: string) => resource("AWS::DynamoDB::Table", properties)

  it("are spelled as the DynamoDB API takes them", () => {
    const stack = stackOf(`
Parameters: {Units: {Type: Number, Default: 5}}
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PROVISIONED
      ProvisionedThroughput: {ReadCapacityUnits: !Ref Units, WriteCapacityUnits: "2"}
      AttributeDefinitions:
        - {AttributeName: id, AttributeType: S}
        - {AttributeName: at, AttributeType: N}
        - {AttributeName: who, AttributeType: B}
      KeySchema:
        - {AttributeName: id, KeyType: HASH}
        - {AttributeName: at, KeyType: RANGE}
      GlobalSecondaryIndexes:
        - IndexName: by-who
          KeySchema: [{AttributeName: who, KeyType: HASH}]
          Projection: {ProjectionType: INCLUDE, NonKeyAttributes: [a, b]}
          ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
      LocalSecondaryIndexes:
        - IndexName: near
          KeySchema: [{AttributeName: id, KeyType: HASH}, {AttributeName: who, KeyType: RANGE}]
          Projection: {ProjectionType: ALL}
`)
    assert.deepStrictEqual(stack.tables, [
      {
        TableName: "orders",
        KeySchema: [
          { AttributeName: "id", KeyType: "HASH" },
          { AttributeName: "at", KeyType: "RANGE" }
        ],
        AttributeDefinitions: [
          { AttributeName: "id", AttributeType: "S" },
          { AttributeName: "at", AttributeType: "N" },
          { AttributeName: "who", AttributeType: "B" }
        ],
        BillingMode: "PROVISIONED",
        ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 2 },
        GlobalSecondaryIndexes: [
          {
            IndexName: "by-who",
            KeySchema: [{ AttributeName: "who", KeyType: "HASH" }],
            Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["a", "b"] },
            ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 }
          }
        ],
        LocalSecondaryIndexes: [
          {
            IndexName: "near",
            KeySchema: [
              { AttributeName: "id", KeyType: "HASH" },
              { AttributeName: "who", KeyType: "RANGE" }
            ],
            Projection: { ProjectionType: "ALL" }
          }
        ]
      }
    ])
  })

  it("are named by their logical id when they have no other name", () => {
    const { tables } = stackOf(table(`${keys}, BillingMode: PAY_PER_REQUEST`))
    assert.deepStrictEqual([tables[0]?.["TableName"], tables[0]?.["BillingMode"]], ["Files", "PAY_PER_REQUEST"])
  })

  it("of the simple kind have one key", () => {
    const simple = (properties: string) => stackOf(resource("AWS::Serverless::SimpleTable", properties)).tables
    assert.deepStrictEqual(simple("TableName: notes"), [
      {
        TableName: "notes",
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
        BillingMode: "PAY_PER_REQUEST"
      }
    ])
    const throughput = "ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 2}"
    assert.deepStrictEqual(simple(`PrimaryKey: {Name: at, Type: Number}, ${throughput}`), [
      {
        TableName: "Files",
        KeySchema: [{ AttributeName: "at", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "at", AttributeType: "N" }],
        BillingMode: "PROVISIONED",
        ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 }
      }
    ])
  })

  const pay = "BillingMode: PAY_PER_REQUEST"
  const wrong: ReadonlyArray<readonly [properties: string, message: string]> = [
    [keys, "ProvisionedThroughput is required"],
    [`${keys}, ${pay}, TableName: a b`, 'a table is named by 3 to 255 letters, digits, "_", "." or "-": not "a b"'],
    [`${keys}, BillingMode: FREE`, 'BillingMode is PROVISIONED or PAY_PER_REQUEST, not "FREE"'],
    [`${keys}, ProvisionedThroughput: {ReadCapacityUnits: 1}`, "WriteCapacityUnits is required"],
    [
      `${keys}, ProvisionedThroughput: {ReadCapacityUnits: 0, WriteCapacityUnits: 1}`,
      "ReadCapacityUnits is a whole number from 1 to 9007199254740991, not the number 0"
    ],
    [
      `KeySchema: [{AttributeName: id, KeyType: HASH}], AttributeDefinitions: [], ${pay}`,
      'the key attribute "id" is not in AttributeDefinitions'
    ],
    [
      `KeySchema: [], AttributeDefinitions: [{AttributeName: id, AttributeType: S}], ${pay}`,
      'the attribute "id" is part of no key, so it must not be defined'
    ],
    [
      `KeySchema: [{AttributeName: id, KeyType: MAIN}], AttributeDefinitions: [{AttributeName: id, AttributeType: S}], ${pay}`,
      'KeyType is HASH or RANGE, not "MAIN"'
    ],
    [`KeySchema: [id], AttributeDefinitions: [], ${pay}`, 'KeySchema is a list of maps, not of the string "id"'],
    [
      `${keys}, ${pay}, GlobalSecondaryIndexes: [{IndexName: a, KeySchema: [{AttributeName: id, KeyType: HASH}]}]`,
      "Projection is required"
    ],
    [`${keys}, ${pay}, Tabelname: x`, 'unknown property "Tabelname"; did you mean "TableName"?']
  ]
  for (const [properties, message] of wrong) {
    it(`{${properties}} is refused: ${message}`, () => {
      assert.deepStrictEqual(problems(table(properties)), [message])
    })
  }
})

describe("buckets", () => {
  const bucket = (properties: string) => resource("AWS::S3::Bucket", properties)

  it("are named by their logical id in lower case, or as the template says", () => {
    assert.deepStrictEqual(stackOf(bucket("")).buckets, [{ BucketName: "files" }])
    assert.deepStrictEqual(stackOf(bucket("BucketName: !Sub '${AWS::StackName}-in'")).buckets, [
      { BucketName: "esb-in" }
    ])
  })

  it("let objects expire by prefix and age", () => {
    const rules =
      "LifecycleConfiguration: {Rules: [{Id: old, Prefix: tmp/, Status: Enabled, ExpirationInDays: '7'}, {Status: Disabled, ExpirationInDays: 1}]}"
    assert.deepStrictEqual(stackOf(bucket(rules)).buckets, [
      {
        BucketName: "files",
        LifecycleConfiguration: {
          Rules: [
            { Id: "old", Status: "Enabled", Prefix: "tmp/", ExpirationInDays: 7 },
            { Status: "Disabled", ExpirationInDays: 1 }
          ]
        }
      }
    ])
  })

  it("lose no object to a rule that is only half understood", () => {
    const text = bucket(
      "LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 1, TagFilters: [{Key: a, Value: b}]}]}"
    )
    assert.deepStrictEqual(problems(text), ["TagFilters is not supported: rules choose objects by prefix"])
    assert.deepStrictEqual(stackOf(text, { allowUnsupported: true }).buckets, [{ BucketName: "files" }])
  })

  const wrong: ReadonlyArray<readonly [properties: string, message: string]> = [
    ["BucketName: My_Files", 'a bucket is named by 3 to 63 lower-case letters, digits, "." or "-": not "My_Files"'],
    ["BucketName: a..b", 'a bucket is named by 3 to 63 lower-case letters, digits, "." or "-": not "a..b"'],
    ["NotificationConfiguration: {}", "NotificationConfiguration is not supported: buckets call no functions"],
    ["LifecycleConfiguration: {Rules: [{ExpirationInDays: 1}]}", "Status is required"],
    [
      "LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 0}]}",
      "ExpirationInDays is a whole number from 1 to 2147483647, not the number 0"
    ]
  ]
  for (const [properties, message] of wrong) {
    it(`{${properties}} is refused: ${message}`, () => {
      assert.deepStrictEqual(problems(bucket(properties)), [message])
    })
  }
})

describe("support", () => {
  it("puts no name into two columns", () => {
    const tables: ReadonlyArray<TemplateSupport.TemplateSupport> = [
      ...Object.values(TemplateSupport.properties),
      ...Object.values(TemplateSupport.events)
    ]
    for (const table of tables) {
      const names = TemplateSupport.namesOf(table)
      assert.deepStrictEqual(
        names.filter((name, index) => names.indexOf(name) !== index),
        []
      )
    }
  })

  it("what has no effect is a warning, also as a whole resource", () => {
    assert.deepStrictEqual(warnings(resource("AWS::S3::Bucket", "BucketEncryption: {}", ", DeletionPolicy: Retain")), [
      "BucketEncryption has no effect here: there is no KMS; protect the disk that holds the state"
    ])
    for (const type of [
      "AWS::IAM::Role",
      "AWS::Logs::LogGroup",
      "AWS::CloudWatch::Alarm",
      "AWS::Lambda::Permission",
      "AWS::EC2::SubnetRouteTableAssociation"
    ]) {
      assert.match(
        warnings(resource(type, "Anything: !Ref Nowhere"))[0] ?? "",
        new RegExp(`^${type} has no effect here: `)
      )
    }
  })

  it("what is refused becomes a warning when it is let through", () => {
    const text = resource("AWS::SNS::Topic", "")
    assert.deepStrictEqual(problems(text), ["AWS::SNS::Topic is not supported: there is none here"])
    assert.deepStrictEqual(warnings(text, { allowUnsupported: true }), problems(text))
  })

  it("a slip of the pen is told with what may have been meant", () => {
    assert.deepStrictEqual(problems(resource("AWS::Serverless::Functoin", "")), [
      'AWS::Serverless::Functoin is not supported: there is none here; did you mean "AWS::Serverless::Function"?'
    ])
    assert.deepStrictEqual(problems(resource("AWS::S3::Bucket", "", ", Conditon: x")), [
      'unknown property "Conditon"; did you mean "Condition"?'
    ])
  })

  it("a property that is AWS::NoValue is not there", () => {
    assert.deepStrictEqual(
      stackOf(resource("AWS::S3::Bucket", "NotificationConfiguration: !Ref AWS::NoValue")).warnings,
      []
    )
  })

  it("an API is checked, whether it is spelled out or implied", () => {
    const text = resource("AWS::Serverless::Api", "StageName: prod, Cors: \"'*'\", Variables: {A: b}")
    assert.deepStrictEqual(problems(text), [
      "Variables is not supported: there are no stage variables; use Environment"
    ])
    assert.deepStrictEqual(problems(resource("AWS::Serverless::Api", "Name: x")), ["StageName is required"])
    assert.deepStrictEqual(problems(`${resource("AWS::S3::Bucket", "")}\nGlobals: {Api: {GatewayResponses: {}}}`), [
      "GatewayResponses is not supported: the Gateway answers errors as API Gateway does by default"
    ])
  })
})

describe("names", () => {
  const template = (properties: string) => `Resources:
  One: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Handler: a.b, Runtime: nodejs24.x, FunctionName: same}}
  Two: {Type: AWS::Lambda::Function, Properties: {Code: ., Handler: a.b, Runtime: nodejs24.x, FunctionName: ${properties}}}
`
  it("belong to one function, one table, one bucket", () => {
    assert.deepStrictEqual(problemsOf(template("!Join ['', [sa, me]]")), [
      { line: 3, path: "Resources.Two", message: 'the function "same" is already that of Resources.One in line 2' }
    ])
    const buckets =
      "Resources: {A1: {Type: AWS::S3::Bucket, Properties: {BucketName: abc}}, Abc: {Type: AWS::S3::Bucket}}"
    assert.deepStrictEqual(problems(buckets), ['the bucket "abc" is already that of Resources.A1 in line 1'])
    const tables =
      "Resources: {Abc: {Type: AWS::Serverless::SimpleTable}, Xyz: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: Abc}}}"
    assert.deepStrictEqual(problems(tables), ['the table "Abc" is already that of Resources.Abc in line 1'])
    assert.lengthOf(stackOf(template("other")).functions, 2)
  })
})

describe("the top of a template", () => {
  const bucket = "Resources: {Files: {Type: AWS::S3::Bucket}}"
  const wrong: ReadonlyArray<readonly [text: string, message: string]> = [
    ["", "a template is a map with Resources, not nothing"],
    ["[]", "a template is a map with Resources, not a list"],
    ["hello", 'a template is a map with Resources, not the string "hello"'],
    ["Description: x", "a template needs at least one resource in the section Resources"],
    ["Resources: {}", "a template needs at least one resource in the section Resources"],
    ["Resources: []", "the section Resources is a map, not a list"],
    [`${bucket}\nParameters:`, "the section Parameters is empty; remove it"],
    [`${bucket}\nMappings: []`, "the section Mappings is a map, not a list"],
    [`${bucket}\nResource: {}`, 'unknown section "Resource"; did you mean "Resources"?'],
    [
      `${bucket}\nRules: {}`,
      "Rules is not supported: assertions about parameters are not checked; use AllowedValues or AllowedPattern"
    ],
    [`${bucket}\nAWSTemplateFormatVersion: 2010-09-08`, "the only AWSTemplateFormatVersion is 2010-09-09"],
    [
      `${bucket}\nTransform: AWS::LanguageExtensions`,
      "the macro AWS::LanguageExtensions is not supported: macros are not run"
    ],
    [`${bucket}\nTransform: [AWS::Serverless-2016-10-31, Mine]`, "the macro Mine is not supported: macros are not run"],
    ["Resources: {Files: AWS::S3::Bucket}", 'a resource is a map with a Type, not the string "AWS::S3::Bucket"'],
    ["Resources: {Files: {Properties: {}}}", "a resource needs a Type"],
    ["Resources: {Files: {Type: AWS::S3::Bucket, Properties: []}}", "Properties is a map, not a list"],
    ["Resources: {my-files: {Type: AWS::S3::Bucket}}", 'the name of a resource is letters and digits, not "my-files"'],
    ["Resources: {'Fn::ForEach::X': []}", "Fn::ForEach::X is not supported: macros are not run"],
    [
      "Resources: {Files: {Type: AWS::S3::Bucket, Properties: {'Fn::Transform': {Name: x}}}}",
      "Fn::Transform is not supported beside properties: macros are not run"
    ]
  ]
  for (const [text, message] of wrong) {
    it(`${JSON.stringify(text)} is refused: ${message}`, () => {
      assert.include(problems(text), message)
    })
  }

  it("sections that describe are accepted", () => {
    const text = `${bucket}
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Description: files
Metadata: {Anything: true}
Outputs: {Name: {Value: !GetAtt Nowhere.Arn}}
`
    assert.deepStrictEqual(stackOf(text).warnings, [])
  })
})

describe("a suggestion", () => {
  const Word = Schema.String.check(Schema.isPattern(/^[A-Z][a-z]{5,11}$/))

  it.prop(
    "finds a word that one slip has changed",
    {
      word: Word,
      at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
      kind: Schema.Literals(["drop", "double", "swap", "case"])
    },
    ({ at, kind, word }) => {
      const rest = word.slice(at + 1)
      const slips = {
        drop: word.slice(0, at) + rest,
        double: word.slice(0, at + 1) + word.slice(at),
        swap: word.slice(0, at) + rest.slice(0, 1) + word.slice(at, at + 1) + rest.slice(1),
        case: word.toUpperCase()
      }
      assert.strictEqual(Suggestion.closest(slips[kind], ["Zzzzzzzzzzzz", word]), word)
    }
  )

  it("is not made for words that are far apart", () => {
    assert.isUndefined(Suggestion.closest("Colour", ["Handler", "Runtime"]))
    assert.isUndefined(Suggestion.closest("ab", ["xy", "cd"]))
    assert.strictEqual(Suggestion.of("x", []), "")
  })
})
