import { assert, describe, it } from "@effect/vitest"
import { FunctionName } from "#domain/FunctionName"
import { onlyFunction, problemsOf, stackOf, withFunction } from "#test/support/Templates"

const read = (properties: string, sections = "", options = {}) =>
  onlyFunction(stackOf(withFunction(properties, sections), options))
const messages = (properties: string, sections = "", options = {}) =>
  problemsOf(withFunction(properties, sections), options).map(({ message }) => message)
const warnings = (properties: string, options = {}) =>
  stackOf(withFunction(properties), options).warnings.map(({ message }) => message)

/** A template with one resource `Orders`, whose type and properties are given as YAML in one line. */
const resource = (type: string, properties: string, attributes = "") =>
  `Resources: {Orders: {Type: ${type}, Properties: {${properties}}${attributes}}}`
const only = (text: string) => onlyFunction(stackOf(text))
const problems = (text: string, options = {}) => problemsOf(text, options).map(({ message }) => message)

const zip = "Handler: a.b, Runtime: nodejs24.x"

describe("a function", () => {
  it("has the defaults of Lambda", () => {
    assert.deepStrictEqual(read("Timeout: !Ref AWS::NoValue"), {
      logicalId: "Orders",
      name: FunctionName.make("Orders"),
      code: {
        _tag: "Zip",
        codeUri: "src",
        handler: "app.handler",
        runtime: "nodejs24.x",
        layers: [],
        buildMethod: undefined,
        buildProperties: {}
      },
      timeoutMs: 3_000,
      memoryMiB: 128,
      environment: {},
      maxCapacity: undefined,
      minCapacity: undefined,
      asynchronous: {},
      schedules: []
    })
  })

  it("has what it says", () => {
    const found = read(`FunctionName: orders_2
Timeout: 900
MemorySize: "10240"
ReservedConcurrentExecutions: 5
AutoPublishAlias: live
ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}
Environment: {Variables: {TEXT: a, NUMBER: 1, FRACTION: 1.50, WHOLE: 2.0, YES: yes, ID: 012345678901, BIG: 12345678901234567890}}`)
    assert.strictEqual(found.name, "orders_2")
    assert.deepStrictEqual([found.timeoutMs, found.memoryMiB], [900_000, 10_240])
    assert.deepStrictEqual([found.maxCapacity, found.minCapacity], [5, 2])
    assert.deepStrictEqual(found.environment, {
      TEXT: "a",
      NUMBER: "1",
      FRACTION: "1.5",
      WHOLE: "2.0",
      YES: "true",
      ID: "012345678901",
      BIG: "12345678901234567890"
    })
  })

  const wrong: ReadonlyArray<readonly [properties: string, message: string]> = [
    ["Timeout: 0", "Timeout is a whole number from 1 to 900, not the number 0"],
    ["Timeout: 901", "Timeout is a whole number from 1 to 900, not the number 901"],
    ["Timeout: 1.5", "Timeout is a whole number from 1 to 900, not the number 1.5"],
    ["Timeout: soon", 'Timeout is a whole number from 1 to 900, not the string "soon"'],
    ["Timeout: [1]", "Timeout is a whole number, not a list"],
    ["Timeout:", "Timeout has no value"],
    ["MemorySize: 127", "MemorySize is a whole number from 128 to 10240, not the number 127"],
    ["MemorySize: 10241", "MemorySize is a whole number from 128 to 10240, not the number 10241"],
    ["FunctionName: a.b", 'a function is named by 1 to 64 letters, digits, "-" or "_": not "a.b"'],
    ["FunctionName: ''", 'a function is named by 1 to 64 letters, digits, "-" or "_": not ""'],
    ["FunctionName: [a]", "FunctionName is a text, not a list"],
    ["Architectures: [x86]", "Architectures is a list of one: x86_64 or arm64"],
    ["Architectures: [x86_64, arm64]", "Architectures is a list of one: x86_64 or arm64"],
    ["Architectures: arm64", 'Architectures is a list, not the string "arm64"'],
    [
      "ReservedConcurrentExecutions: -1",
      "ReservedConcurrentExecutions is a whole number from 0 to 100000, not the number -1"
    ],
    [
      "ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}",
      "ProvisionedConcurrencyConfig needs AutoPublishAlias"
    ],
    ["DeploymentPreference: {Type: Linear}", "DeploymentPreference needs AutoPublishAlias"],
    ["VersionDeletionPolicy: Delete", "VersionDeletionPolicy needs AutoPublishAlias"],
    [
      "AutoPublishAlias: live\nReservedConcurrentExecutions: 1\nProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}",
      "2 provisioned executions are more than the 1 reserved ones"
    ],
    ["AutoPublishAlias: live\nProvisionedConcurrencyConfig: {}", "ProvisionedConcurrentExecutions is required"],
    ["Handlr: x", 'unknown property "Handlr"; did you mean "Handler"?'],
    ["timeout: 3", 'unknown property "timeout"; did you mean "Timeout"?'],
    ["Colour: red", 'unknown property "Colour"'],
    ["Environment: {Variable: {A1: b}}", 'unknown property "Variable"; did you mean "Variables"?'],
    ["Environment: {Variables: [A1]}", "Variables is a map, not a list"],
    ["Environment: {Variables: {AWS_REGION: x}}", "AWS_REGION is reserved: Lambda sets it"],
    ["Environment: {Variables: {_HANDLER: x}}", "_HANDLER is reserved: Lambda sets it"],
    ["Environment: {Variables: {1A: x}}", 'a variable is named by a letter, then letters, digits and "_": not "1A"'],
    ["Environment: {Variables: {A: x}}", 'a variable is named by a letter, then letters, digits and "_": not "A"'],
    ["Environment: {Variables: {A-B: x}}", 'a variable is named by a letter, then letters, digits and "_": not "A-B"'],
    ["Runtime: pyton3.13", 'there is no runtime "pyton3.13"'],
    ["Layers: [a, a]", "a layer is named twice"]
  ]
  for (const [properties, message] of wrong) {
    it(`{${properties.replaceAll("\n", ", ")}} is refused: ${message}`, () => {
      const text = properties.startsWith("Runtime")
        ? resource("AWS::Serverless::Function", `CodeUri: src, Handler: a.b, ${properties}`)
        : withFunction(properties)
      assert.include(problems(text), message)
    })
  }

  it("its variables take at most 4 KiB as JSON", () => {
    assert.isDefined(read(`Environment: {Variables: {BIG: ${"x".repeat(4096 - '{"BIG":""}'.length)}}}`))
    assert.deepStrictEqual(messages(`Environment: {Variables: {BIG: ${"x".repeat(4097 - '{"BIG":""}'.length)}}}`), [
      "the variables take 4097 bytes as JSON; Lambda allows 4096"
    ])
  })

  it("runtimes are known by name, whatever this machine runs", () => {
    for (const runtime of [
      "nodejs24.x",
      "nodejs8.10",
      "python3.13",
      "provided",
      "provided.al2023",
      "java21",
      "java8.al2",
      "dotnet8",
      "dotnetcore3.1",
      "ruby3.4",
      "go1.x"
    ]) {
      const { code } = only(resource("AWS::Serverless::Function", `CodeUri: ., Handler: h.h, Runtime: ${runtime}`))
      assert.strictEqual(code._tag === "Zip" ? code.runtime : "", runtime)
    }
  })

  it("an architecture that is not this machine's is a warning, when that is known", () => {
    assert.deepStrictEqual(warnings("Architectures: [arm64]"), [])
    assert.deepStrictEqual(warnings("Architectures: [arm64]", { architecture: "arm64" }), [])
    assert.deepStrictEqual(warnings("Architectures: [arm64]", { architecture: "x86_64" }), [
      "this machine is x86_64: code compiled for arm64 does not run on it"
    ])
  })

  it("all of its problems are told together, by line", () => {
    const text = `Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Handlr: app.handler
      Timeout: 1000
      Events:
        Get:
          Type: Api
          Properties: {Path: orders, Method: fetch}
      Layers: [!Ref Nowhere]
  Extra: {Type: AWS::Nothing::AtAll}
`
    assert.deepStrictEqual(
      problemsOf(text).map(({ line, message }) => `${line}: ${message}`),
      [
        "4: Handler is required",
        "4: Runtime is required",
        '4: CodeUri is required; write "." for the directory of the template',
        '5: unknown property "Handlr"; did you mean "Handler"?',
        "6: Timeout is a whole number from 1 to 900, not the number 1000",
        '10: Path begins with "/", and "orders" does not',
        '10: there is no method "FETCH"',
        '11: there is no parameter or resource "Nowhere"',
        "12: AWS::Nothing::AtAll is not supported: there is none here"
      ]
    )
  })
})

describe("code", () => {
  it("is a path beside the template, with how to build it", () => {
    const metadata =
      ", Metadata: {BuildMethod: esbuild, BuildProperties: {Minify: true, External: ['@aws-sdk/*']}, Other: x}"
    assert.deepStrictEqual(only(resource("AWS::Serverless::Function", `CodeUri: src/, ${zip}`, metadata)).code, {
      _tag: "Zip",
      codeUri: "src/",
      handler: "a.b",
      runtime: "nodejs24.x",
      layers: [],
      buildMethod: "esbuild",
      buildProperties: { Minify: true, External: ["@aws-sdk/*"] }
    })
  })

  it("is in the template, which wins over a path", () => {
    const inline = { _tag: "Inline" as const, source: "x = 1", handler: "a.b", runtime: "nodejs24.x", layers: [] }
    const written = `InlineCode: 'x = 1', CodeUri: src, ${zip}`
    assert.deepStrictEqual(only(resource("AWS::Serverless::Function", written)).code, inline)
    assert.deepStrictEqual(only(resource("AWS::Lambda::Function", `Code: {ZipFile: 'x = 1'}, ${zip}`)).code, inline)
  })

  it("is an image", () => {
    const image = { _tag: "Image" as const, imageUri: "repo/orders:1" }
    for (const text of [
      resource("AWS::Serverless::Function", "PackageType: Image, ImageUri: repo/orders:1"),
      resource("AWS::Serverless::Function", "ImageUri: !Sub 'repo/${AWS::StackName}:1', FunctionName: x").replace(
        "${AWS::StackName}",
        "orders"
      ),
      resource("AWS::Lambda::Function", "PackageType: Image, Code: {ImageUri: repo/orders:1}")
    ]) {
      assert.deepStrictEqual(only(text).code, image)
    }
  })

  it("is built as sam build is told to, unless the image has been pushed", () => {
    const metadata = "Dockerfile: docker/Dockerfile, DockerContext: ./app, DockerTag: v1"
    const built = {
      _tag: "Dockerfile" as const,
      context: "./app",
      dockerfile: "docker/Dockerfile",
      target: undefined,
      arguments: {}
    }
    const read = (properties: string, more: string) =>
      only(resource("AWS::Serverless::Function", properties, `, Metadata: {${more}}`)).code
    assert.deepStrictEqual(read("PackageType: Image", metadata), built)
    assert.deepStrictEqual(read("PackageType: Image, ImageUri: 'orders:v1'", metadata), built)
    assert.deepStrictEqual(read("ImageUri: 'registry.example/orders:v1'", metadata), {
      _tag: "Image",
      imageUri: "registry.example/orders:v1"
    })
    const more = "DockerContext: ., DockerBuildTarget: !Sub 'stage', DockerBuildArgs: {MODE: fast, LEVEL: 3}"
    assert.deepStrictEqual(read("PackageType: Image", more), {
      ...built,
      context: ".",
      dockerfile: "Dockerfile",
      target: "stage",
      arguments: { MODE: "fast", LEVEL: "3" }
    })
    const refused = (metadata: string) =>
      problems(resource("AWS::Serverless::Function", "PackageType: Image", `, Metadata: {${metadata}}`))
    assert.deepStrictEqual(refused("Dockerfile: Dockerfile"), [
      'DockerContext is required; write "." for the directory of the template'
    ])
    assert.match(
      refused("DockerContext: ., DockerBuildExtraParams: [--ssh]")[0] ?? "",
      /^DockerBuildExtraParams is not/
    )
  })

  it("of a Lambda function is a path as well", () => {
    const { code } = only(resource("AWS::Lambda::Function", `Code: ./src, ${zip}`))
    assert.deepInclude(code, { _tag: "Zip", codeUri: "./src" })
  })

  const elsewhere = (name: string) =>
    `${name} is not on this machine, and there is no S3 to fetch it from; write a path relative to the template`
  const wrong: ReadonlyArray<readonly [type: string, properties: string, message: string]> = [
    ["Serverless", zip, 'CodeUri is required; write "." for the directory of the template'],
    ["Serverless", `CodeUri: '', ${zip}`, 'CodeUri is empty; write "." for the directory of the template'],
    ["Serverless", `CodeUri: 's3://bucket/key', ${zip}`, elsewhere("CodeUri")],
    ["Serverless", `CodeUri: {Bucket: a, Key: b}, ${zip}`, elsewhere("CodeUri")],
    ["Serverless", "CodeUri: ., Runtime: nodejs24.x", "Handler is required"],
    ["Serverless", "CodeUri: ., Handler: a.b", "Runtime is required"],
    ["Serverless", "InlineCode: x, Handler: a.b, Runtime: java21", "InlineCode is for nodejs and python, not java21"],
    [
      "Serverless",
      "PackageType: Image",
      "ImageUri is required, or a Dockerfile and a DockerContext in the Metadata of the function"
    ],
    ["Serverless", "PackageType: image, ImageUri: a", 'PackageType is Zip or Image, not "image"'],
    ["Serverless", "ImageUri: a, Handler: b.c", "Handler cannot be given for an image"],
    ["Serverless", "ImageUri: a, Layers: []", "Layers cannot be given for an image"],
    ["Lambda", zip, "Code is required"],
    ["Lambda", `Code: {S3Bucket: a, S3Key: b}, ${zip}`, elsewhere("Code")],
    ["Lambda", `Code: {ZipFil: x}, ${zip}`, 'unknown property "ZipFil"; did you mean "ZipFile"?'],
    ["Lambda", `Code: ., Events: {}, ${zip}`, 'unknown property "Events"'],
    [
      "Lambda",
      `Code: ., ${zip}, DeadLetterConfig: {}`,
      "DeadLetterConfig is not supported: there is no SQS or SNS; let EventInvokeConfig.DestinationConfig.OnFailure name a function"
    ]
  ]
  for (const [type, properties, message] of wrong) {
    it(`AWS::${type}::Function {${properties}} is refused: ${message}`, () => {
      assert.include(problems(resource(`AWS::${type}::Function`, properties)), message)
    })
  }

  it("that lies elsewhere leaves its function out when that is let through", () => {
    const stack = stackOf(resource("AWS::Serverless::Function", `CodeUri: 's3://bucket/key', ${zip}`), {
      allowUnsupported: true
    })
    assert.deepStrictEqual(stack.functions, [])
    assert.lengthOf(stack.warnings, 1)
  })
})

describe("globals", () => {
  const globals = `Globals:
  Function:
    Timeout: 10
    Layers: [!Ref First]
    Environment: {Variables: {ONE: global, TWO: global}}
    Tags: {a: b}`
  const layers = `
  First: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: one}}
  Second: {Type: AWS::Lambda::LayerVersion, Properties: {Content: two}}`
  const merged = (properties: string, attributes = "") =>
    onlyFunction(stackOf(withFunction(properties, globals) + layers + attributes))

  it("are merged as AWS's translator does: maps by key, lists one after the other, the rest by the function", () => {
    const found = merged("Timeout: 20\nLayers: [!Ref Second]\nEnvironment: {Variables: {TWO: own, THREE: own}}")
    assert.strictEqual(found.timeoutMs, 20_000)
    assert.deepStrictEqual(found.code._tag === "Zip" ? found.code.layers : [], ["First", "Second"])
    assert.deepStrictEqual(found.environment, { ONE: "global", TWO: "own", THREE: "own" })
  })

  it("stay where the function says nothing, or nothing of it", () => {
    const found = merged("Layers: []")
    assert.strictEqual(found.timeoutMs, 10_000)
    assert.deepStrictEqual(found.code._tag === "Zip" ? found.code.layers : [], ["First"])
  })

  it("can be ignored by a resource", () => {
    const ignoring = (ignored: string) =>
      onlyFunction(
        stackOf(
          withFunction("MemorySize: 256", globals).replace(
            "    Properties:",
            `    IgnoreGlobals: ${ignored}\n    Properties:`
          ) + layers
        )
      )
    assert.deepStrictEqual([ignoring("'*'").timeoutMs, ignoring("'*'").environment], [3_000, {}])
    assert.deepStrictEqual(
      [ignoring("[Timeout]").timeoutMs, ignoring("[Timeout]").environment["ONE"]],
      [3_000, "global"]
    )
  })

  it("are told with their own line when they are wrong", () => {
    const text = withFunction("MemorySize: 256", "Globals:\n  Function:\n    Timeout: 5000")
    assert.deepStrictEqual(problemsOf(text), [
      {
        line: 3,
        path: "Globals.Function.Timeout",
        message: "Timeout is a whole number from 1 to 900, not the number 5000"
      }
    ])
  })

  const wrong: ReadonlyArray<readonly [globals: string, message: string]> = [
    ["Functoin: {}", 'there are no globals for "Functoin"; did you mean "Function"?'],
    ["Function: []", "globals are a map of properties, not a list"],
    ["Function: {Timout: 3}", '"Timout" is not a global property; did you mean "Timeout"?'],
    ["Function: {FunctionName: x}", '"FunctionName" is not a global property'],
    ["Function: {Events: {}}", '"Events" is not a global property'],
    ["Api: {StageName: x}", '"StageName" is not a global property']
  ]
  for (const [globals, message] of wrong) {
    it(`{${globals}} is refused: ${message}`, () => {
      assert.include(messages("Timeout: 5", `Globals: {${globals}}`), message)
    })
  }
})

describe("layers", () => {
  const template = (layers: string, sections = "") => `${withFunction(`Layers: ${layers}`, sections)}
  One: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/one, LayerName: first}, Metadata: {BuildMethod: python3.13}}
  Two: {Type: AWS::Lambda::LayerVersion, Properties: {Content: layers/two, CompatibleRuntimes: [nodejs24.x]}}
`

  it("are those of the template, in the order of the function", () => {
    const stack = stackOf(template("[!Ref Two, {Ref: One}]"))
    const { code } = onlyFunction(stack)
    assert.deepStrictEqual(code._tag === "Zip" ? code.layers : [], ["Two", "One"])
    assert.deepStrictEqual(stack.layers, [
      { logicalId: "One", name: "first", contentUri: "layers/one", buildMethod: "python3.13" },
      { logicalId: "Two", name: "Two", contentUri: "layers/two", buildMethod: undefined }
    ])
  })

  it("of others are refused, or left out", () => {
    const arn = "arn:aws:lambda:us-east-1:123456789012:layer:theirs:3"
    const message = `the layer ${arn} is not in this template, and there is no AWS to fetch it from`
    assert.deepStrictEqual(
      problemsOf(template(`[!Ref One, '${arn}']`)).map(({ message }) => message),
      [message]
    )
    const stack = stackOf(template(`[!Ref One, '${arn}']`), { allowUnsupported: true })
    const { code } = onlyFunction(stack)
    assert.deepStrictEqual(code._tag === "Zip" ? code.layers : [], ["One"])
    assert.deepStrictEqual(
      stack.warnings.map(({ message }) => message),
      [message]
    )
  })

  it("are at most five", () => {
    const text = template(`[${Array.from({ length: 6 }, (_, index) => `layer${index}`).join(", ")}]`)
    assert.include(
      problemsOf(text).map(({ message }) => message),
      "a function has at most 5 layers, not 6"
    )
  })

  it("need their content", () => {
    assert.deepStrictEqual(problems("Resources: {One: {Type: AWS::Serverless::LayerVersion}}"), [
      'ContentUri is required; write "." for the directory of the template'
    ])
    const text = "Resources: {One: {Type: AWS::Lambda::LayerVersion, Properties: {Content: {S3Bucket: a, S3Key: b}}}}"
    assert.match(problems(text)[0] ?? "", /^Content is not on this machine/)
  })
})

describe("asynchronous calls", () => {
  const template = (config: string) => `${withFunction(`EventInvokeConfig: ${config}`)}
  Done: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Handler: a.b, Runtime: nodejs24.x, FunctionName: when-done}}
`
  const policy = (config: string) => stackOf(template(config)).functions[0]?.asynchronous
  const messages = (config: string) => problemsOf(template(config)).map(({ message }) => message)

  it("have the retries, age and destinations of the template", () => {
    const done = FunctionName.make("when-done")
    const destination = "{Type: Lambda, Destination: !GetAtt Done.Arn}"
    assert.deepStrictEqual(
      policy(
        `{MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60, DestinationConfig: {OnSuccess: ${destination}, OnFailure: ${destination}}}`
      ),
      { retries: 0, maxAgeMs: 60_000, onSuccess: done, onFailure: done }
    )
    assert.deepStrictEqual(policy("{MaximumRetryAttempts: 2}"), { retries: 2 })
  })

  const wrong: ReadonlyArray<readonly [config: string, message: string]> = [
    ["{MaximumRetryAttempts: 3}", "MaximumRetryAttempts is a whole number from 0 to 2, not the number 3"],
    [
      "{MaximumEventAgeInSeconds: 59}",
      "MaximumEventAgeInSeconds is a whole number from 60 to 21600, not the number 59"
    ],
    ["{Retries: 1}", 'unknown property "Retries"'],
    ["{DestinationConfig: {OnFailur: {}}}", 'unknown property "OnFailur"; did you mean "OnFailure"?'],
    ["{DestinationConfig: {OnFailure: {Type: Lambda}}}", "Destination is required"],
    ["{DestinationConfig: {OnFailure: {Destination: x}}}", "Type is required"],
    [
      "{DestinationConfig: {OnFailure: {Type: SQS}}}",
      "destinations of type SQS are not supported: use the type Lambda"
    ],
    [
      "{DestinationConfig: {OnFailure: {Type: Lambda, Destination: 'arn:aws:sqs:x'}}}",
      'Destination is the ARN of a function, not "arn:aws:sqs:x"'
    ],
    [
      "{DestinationConfig: {OnFailure: {Type: Lambda, Destination: others}}}",
      'there is no function "others" in this template'
    ],
    [
      "{DestinationConfig: {OnFailure: {Type: Mail, Destination: x}}}",
      'Type is Lambda or SQS or SNS or EventBridge or S3Bucket, not "Mail"'
    ]
  ]
  for (const [config, message] of wrong) {
    it(`${config} is refused: ${message}`, () => {
      assert.deepStrictEqual(messages(config), [message])
    })
  }
})
