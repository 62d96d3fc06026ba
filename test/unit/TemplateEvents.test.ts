import { assert, describe, it } from "@effect/vitest"
import { FunctionName } from "#domain/FunctionName"
import { indent, onlyFunction, problemsOf, stackOf, withFunction } from "#test/support/Templates"

/** A function with one event, whose properties are given as YAML in one line, and APIs. */
const template = (type: string, properties: string, sections = "", resources = "") =>
  `${withFunction(`Events: {Event: {Type: ${type}, Properties: {${properties}}}}`, sections)}
  ${indent(resources, 2)}
`
const route = (properties: string, sections = "", resources = "", options = {}) =>
  stackOf(template("Api", properties, sections, resources), options).routes[0]
const messages = (type: string, properties: string, sections = "", resources = "") =>
  problemsOf(template(type, properties, sections, resources)).map(({ message }) => message)

describe("routes", () => {
  it("come from events of the type Api", () => {
    assert.deepStrictEqual(route("Path: '/orders/{id}', Method: get"), {
      method: "GET",
      path: "/orders/{id}",
      functionName: FunctionName.make("Orders"),
      authorization: undefined
    })
  })

  it("ANY is a method, however it is written", () => {
    for (const method of ["any", "ANY", "Any"]) {
      assert.strictEqual(route(`Path: /, Method: ${method}`)?.method, "ANY")
    }
  })

  it("take the rest of a path", () => {
    for (const path of ["/{proxy+}", "/files/{name+}", "/{a}/{b.c}/{d-e}"]) {
      assert.strictEqual(route(`Path: '${path}', Method: get`)?.path, path)
    }
  })

  it("belong to the API they name, or to the implied one", () => {
    const api = "Shop: {Type: AWS::Serverless::Api, Properties: {StageName: prod}}"
    assert.isDefined(route("Path: /, Method: get, RestApiId: !Ref Shop", "", api))
    assert.isDefined(route("Path: /, Method: get, RestApiId: Shop", "", api))
    assert.isDefined(route("Path: /, Method: get, RestApiId: !Ref AWS::NoValue"))
  })

  const wrong: ReadonlyArray<readonly [properties: string, message: string]> = [
    ["Method: get", "Path is required"],
    ["Path: /", "Method is required"],
    ["Path: orders, Method: get", 'Path begins with "/", and "orders" does not'],
    ["Path: [/], Method: get", "Path is a text, not a list"],
    ["Path: /, Method: [get]", "Method is a text, not a list"],
    ["Path: /, Method: gett", 'there is no method "GETT"; did you mean "GET"?'],
    ["Path: '/a{b}', Method: get", 'a parameter of a path is a whole segment, {name} or {name+}: not as in "/a{b}"'],
    ["Path: '/{a', Method: get", 'a parameter of a path is a whole segment, {name} or {name+}: not as in "/{a"'],
    ["Path: '/{a+}/b', Method: get", '{name+} takes the rest of a path, so it comes last: not as in "/{a+}/b"'],
    ["Path: '/{a}/{a}', Method: get", '"/{a}/{a}" names two parameters alike'],
    [
      "Path: /, Method: get, RestApiId: !Ref Nowhere",
      'RestApiId needs an AWS::Serverless::Api, and "Nowhere" is none that is created'
    ],
    [
      "Path: /, Method: get, RestApiId: !Ref Orders",
      'RestApiId needs an AWS::Serverless::Api, and "Orders" is none that is created'
    ],
    ["Path: /, Method: get, RestApiId: !ImportValue x", "RestApiId is a Ref of an API of this template"],
    ["Path: /, Method: get, Methd: x", 'unknown property "Methd"; did you mean "Method"?'],
    ["Path: /, Method: get, RequestModel: {}", "RequestModel is not supported: bodies are not validated"]
  ]
  for (const [properties, message] of wrong) {
    it(`{${properties}} is refused: ${message}`, () => {
      assert.deepStrictEqual(messages("Api", properties), [message])
    })
  }

  it("two that are the same are refused with both places", () => {
    const text = `${withFunction("Events:\n  One: {Type: Api, Properties: {Path: '/a/{x}', Method: get}}\n  Two: {Type: Api, Properties: {Path: '/a/{y}', Method: GET}}")}`
    assert.deepStrictEqual(problemsOf(text), [
      {
        line: 11,
        path: "Resources.Orders.Properties.Events.Two.Properties",
        message: "the route GET /a/{y} is already that of Resources.Orders.Properties.Events.One.Properties in line 10"
      }
    ])
    const stack = stackOf(text, { allowUnsupported: true })
    assert.deepStrictEqual(
      stack.routes.map(({ path }) => path),
      ["/a/{x}"]
    )
  })

  it("one method of a path does not stand in the way of another, nor of ANY", () => {
    const events = ["get", "post", "any"].map(
      (method) => `${method}: {Type: Api, Properties: {Path: /, Method: ${method}}}`
    )
    assert.lengthOf(stackOf(withFunction(`Events: {${events.join(", ")}}`)).routes, 3)
  })
})

describe("authorization", () => {
  const cognito = "{Pool: {UserPoolArn: 'arn:aws:cognito-idp:us-east-1:000000000000:userpool/x'}}"
  const api = (auth: string, more = "") =>
    `Shop: {Type: AWS::Serverless::Api, Properties: {StageName: prod, Auth: ${auth}${more}}}`
  const get = "Path: /, Method: get, RestApiId: !Ref Shop"
  const authorization = (auth: string, event = "", options = {}) =>
    route(`${get}${event}`, "", api(auth), options)?.authorization
  const wrong = (auth: string, event = "") => messages("Api", `${get}${event}`, "", api(auth))

  it("is left to the Gateway when the template says nothing", () => {
    assert.isUndefined(authorization("{}"))
    assert.isUndefined(authorization(`{Authorizers: ${cognito}}`))
  })

  it("is none where NONE takes back the authorizer of the API", () => {
    assert.strictEqual(
      authorization(`{DefaultAuthorizer: Pool, Authorizers: ${cognito}}`, ", Auth: {Authorizer: NONE}"),
      "none"
    )
    assert.strictEqual(authorization("{DefaultAuthorizer: AWS_IAM}", ", Auth: {Authorizer: NONE}"), "none")
    assert.deepStrictEqual(wrong("{}", ", Auth: {Authorizer: NONE}"), [
      "NONE takes back a DefaultAuthorizer, and the API has none"
    ])
  })

  it("is a token of the Gateway in place of one of a user pool, with a warning", () => {
    for (const [auth, event] of [
      [`{DefaultAuthorizer: Pool, Authorizers: ${cognito}}`, ""],
      [`{Authorizers: ${cognito}}`, ", Auth: {Authorizer: Pool}"]
    ] as const) {
      assert.strictEqual(authorization(auth, event), "jwt")
    }
    const stack = stackOf(template("Api", get, "", api(`{DefaultAuthorizer: Pool, Authorizers: ${cognito}}`)))
    assert.deepStrictEqual(
      stack.warnings.map(({ message }) => message),
      ['routes behind "Pool" take tokens of the Gateway: there is no Cognito to ask about tokens of a user pool']
    )
  })

  it("comes from the globals of APIs when the API is implied", () => {
    const sections = `Globals: {Api: {Auth: {DefaultAuthorizer: Pool, Authorizers: ${cognito}}}}`
    assert.strictEqual(route("Path: /, Method: get", sections)?.authorization, "jwt")
  })

  const refused: ReadonlyArray<readonly [auth: string, event: string, message: string]> = [
    ["{DefaultAuthorizer: AWS_IAM}", "", "the authorizer AWS_IAM is not supported: routes take tokens, not signatures"],
    [
      "{DefaultAuthorizer: Mine, Authorizers: {Mine: {FunctionArn: x}}}",
      "",
      'the authorizer "Mine" is not supported: authorizers are not called'
    ],
    ["{ApiKeyRequired: true}", "", "ApiKeyRequired is not supported: there are no API keys"],
    ["{}", ", Auth: {ApiKeyRequired: true}", "ApiKeyRequired is not supported: there are no API keys"],
    [
      "{ResourcePolicy: {IpRangeWhitelist: [10.0.0.0/8]}}",
      "",
      "ResourcePolicy is not supported: addresses and accounts are not checked"
    ],
    ["{}", ", Auth: {ResourcePolicy: {}}", "ResourcePolicy is not supported: addresses and accounts are not checked"],
    [
      `{DefaultAuthorizer: Pool, Authorizers: ${cognito}}`,
      ", Auth: {AuthorizationScopes: [a]}",
      "AuthorizationScopes are not supported: tokens have no scopes"
    ]
  ]
  for (const [auth, event, message] of refused) {
    it(`${auth}${event} is refused, and never open when it is let through: ${message}`, () => {
      assert.deepStrictEqual(wrong(auth, event), [message])
      assert.strictEqual(authorization(auth, event, { allowUnsupported: true }), "jwt")
    })
  }

  it("of an API whose guards are left out is a token of the Gateway", () => {
    for (const guard of ["Policy: {}", "DefinitionBody: {}", "DefinitionUri: api.yaml", "Domain: {}"]) {
      const text = template("Api", get, "", api("{}", `, ${guard}`))
      assert.lengthOf(problemsOf(text), 1)
      assert.strictEqual(stackOf(text, { allowUnsupported: true }).routes[0]?.authorization, "jwt")
    }
  })

  const mistaken: ReadonlyArray<readonly [auth: string, event: string, message: string]> = [
    ["{DefaultAuthorizer: Pol, Authorizers: {}}", "", 'the API defines no authorizer "Pol"'],
    [
      `{Authorizers: ${cognito}}`,
      ", Auth: {Authorizer: Pol}",
      'the API defines no authorizer "Pol"; did you mean "Pool"?'
    ],
    ["{DefaultAuthorizer: [Pool]}", "", "DefaultAuthorizer is a text, not a list"],
    ["{Authorizer: Pool}", "", 'unknown property "Authorizer"; did you mean "Authorizers"?'],
    [
      "{}",
      ", Auth: {ApiKeyRequired: false}",
      "ApiKeyRequired: false takes back the one of the API, and the API has none"
    ],
    ["{Authorizers: {Mine: {Identity: x}}}", "", 'Identity is a map, not the string "x"']
  ]
  for (const [auth, event, message] of mistaken) {
    it(`${auth}${event} is refused: ${message}`, () => {
      assert.deepStrictEqual(wrong(auth, event), [message])
    })
  }
})

describe("schedules", () => {
  const schedules = (type: string, properties: string) => onlyFunction(stackOf(template(type, properties))).schedules

  const accepted: ReadonlyArray<readonly [type: string, properties: string, expression: string, input?: string]> = [
    ["Schedule", "Schedule: rate(5 minutes)", "rate(5 minutes)"],
    ["Schedule", "Schedule: cron(0 12 * * ? *), Name: x, Description: y, Enabled: true", "cron(0 12 * * ? *)"],
    ["Schedule", `Schedule: rate(1 hour), Input: '{"a": 1}', State: ENABLED`, "rate(1 hour)", '{"a": 1}'],
    ["Schedule", "Schedule: rate(1 hour), Input: !Sub '\"${AWS::Region}\"'", "rate(1 hour)", '"us-east-1"'],
    ["ScheduleV2", "ScheduleExpression: rate(2 days), FlexibleTimeWindow: {Mode: 'OFF'}", "rate(2 days)"],
    ["ScheduleV2", "ScheduleExpression: rate(1 days), ScheduleExpressionTimezone: UTC", "rate(1 day)"],
    ["ScheduleV2", "ScheduleExpression: rate(5 minute)", "rate(5 minutes)"]
  ]
  for (const [type, properties, expression, input] of accepted) {
    it(`${type} {${properties}} fires by ${expression}`, () => {
      assert.deepStrictEqual(schedules(type, properties), [{ expression, input }])
    })
  }

  it("one that is switched off is none", () => {
    assert.deepStrictEqual(schedules("Schedule", "Schedule: rate(1 hour), Enabled: false"), [])
    assert.deepStrictEqual(schedules("Schedule", "Schedule: rate(1 hour), State: DISABLED"), [])
    assert.deepStrictEqual(schedules("ScheduleV2", "ScheduleExpression: rate(1 hour), State: DISABLED"), [])
  })

  const wrong: ReadonlyArray<readonly [type: string, properties: string, message: RegExp]> = [
    ["Schedule", "Name: x", /^Schedule is required$/],
    ["Schedule", "Schedule: rate(5 minute)", /^rate\(5 minute\) is not a schedule expression: write 5 minutes$/],
    ["Schedule", "Schedule: cron(0 25 * * ? *)", /hours: "25" is not 0-23$/],
    ["Schedule", "Schedule: rate(1 hour), Input: hello", /^Input is JSON text, and "hello" is not$/],
    ["Schedule", "Schedule: rate(1 hour), Input: {a: 1}", /^Input is a text, not a map$/],
    ["Schedule", "Schedule: rate(1 hour), State: On", /^State is ENABLED or DISABLED, not "true"$/],
    ["Schedule", "Schedule: rate(1 hour), State: ENABLED, Enabled: true", /^State and Enabled cannot both be given$/],
    ["Schedule", "Schedule: rate(1 hour), DeadLetterConfig: {}", /^DeadLetterConfig is not supported: there is no SQS/],
    ["ScheduleV2", "Schedule: rate(1 hour), ScheduleExpression: rate(1 hour)", /^unknown property "Schedule"/],
    ["ScheduleV2", "ScheduleExpression: 'at(2030-01-01T00:00:00)'", /is not a schedule expression/],
    [
      "ScheduleV2",
      "ScheduleExpression: rate(1 hour), ScheduleExpressionTimezone: Asia/Tokyo",
      /^schedules are in UTC, not in Asia\/Tokyo$/
    ],
    ["ScheduleV2", "ScheduleExpression: rate(1 hour), StartDate: x", /^StartDate is not supported/],
    [
      "ScheduleV2",
      "ScheduleExpression: rate(1 hour), OmitName: true, Name: x",
      /^Name cannot be given when OmitName is true$/
    ]
  ]
  for (const [type, properties, message] of wrong) {
    it(`${type} {${properties}} is refused`, () => {
      const found = messages(type, properties)
      assert.lengthOf(found, 1)
      assert.match(found[0] ?? "", message)
    })
  }
})

describe("other events", () => {
  it("are refused by name, with what to use instead", () => {
    const text = withFunction(
      "Events:\n  Hook: {Type: HttpApi}\n  Jobs: {Type: SQS, Properties: {Queue: !ImportValue x}}"
    )
    assert.deepStrictEqual(problemsOf(text), [
      {
        line: 10,
        path: "Resources.Orders.Properties.Events.Hook.Type",
        message:
          "events of type HttpApi are not supported: events of HTTP APIs have another format (payload 2.0); use the type Api"
      },
      {
        line: 11,
        path: "Resources.Orders.Properties.Events.Jobs.Type",
        message: "events of type SQS are not supported: there is no SQS"
      }
    ])
    assert.lengthOf(stackOf(text, { allowUnsupported: true }).warnings, 2)
  })

  it("that nobody knows are problems", () => {
    assert.deepStrictEqual(messages("Scedule", ""), ['there is no event type "Scedule"; did you mean "Schedule"?'])
    const events = (written: string) => problemsOf(withFunction(`Events: ${written}`)).map(({ message }) => message)
    assert.deepStrictEqual(events("{A: Api}"), ['an event is a map with a Type, not the string "Api"'])
    assert.deepStrictEqual(events("{A: {Properties: {}}}"), ["Type is required"])
    assert.deepStrictEqual(events("{A: {Type: Api}}"), ["Properties is required"])
    assert.deepStrictEqual(events("[Api]"), ["Events is a map, not a list"])
  })
})
