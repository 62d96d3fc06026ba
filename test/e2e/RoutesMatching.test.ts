/** Which function answers which request, and what it is told of the path and the query. */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as RoutedStack from "#test/support/RoutedStack"

interface Told {
  readonly functionName: string
  readonly event: {
    readonly resource: string
    readonly path: string
    readonly httpMethod: string
    readonly pathParameters?: Readonly<Record<string, string>>
    readonly queryStringParameters?: Readonly<Record<string, string>>
    readonly multiValueQueryStringParameters?: Readonly<Record<string, ReadonlyArray<string>>>
    readonly requestContext: { readonly resourcePath: string; readonly path: string }
  }
}

/** What the function was told that answered. */
const told = Effect.fnUntraced(function* (target: string, method = "GET") {
  const stack = yield* RoutedStack.RoutedStack
  const answer = yield* stack.ask({ method, target })
  assert.strictEqual(answer.status, 200, `${method} ${target}: ${answer.text}`)
  return answer.json() as Told
})

/** `METHOD target` → the route that answers and the path parameters it finds. */
const matches: ReadonlyArray<readonly [string, string, Readonly<Record<string, string>> | undefined]> = [
  ["GET /", "/", undefined],
  ["GET /orders", "/orders", undefined],
  ["POST /orders", "/orders", undefined],
  ["GET /orders/", "/orders", undefined],
  ["GET //orders", "/orders", undefined],
  ["GET /orders/7", "/orders/{id}", { id: "7" }],
  ["PATCH /orders/7", "/orders/{id}", { id: "7" }],
  ["GET /orders/recent", "/orders/recent", undefined],
  ["GET /orders/Recent", "/orders/{id}", { id: "Recent" }],
  // Only GET is more particular than /orders/{id} here.
  ["DELETE /orders/recent", "/orders/{id}", { id: "recent" }],
  ["GET /orders/7/lines/2", "/orders/{id}/lines/{line}", { id: "7", line: "2" }],
  ["GET /orders/7/lines", "/orders/{proxy+}", { proxy: "7/lines" }],
  ["PUT /orders/7/lines/2", "/orders/{proxy+}", { proxy: "7/lines/2" }],
  ["GET /orders/7/lines/2/notes", "/orders/{proxy+}", { proxy: "7/lines/2/notes" }],
  ["GET /files/index", "/files/index", undefined],
  ["PUT /files/index", "/files/{proxy+}", { proxy: "index" }],
  ["GET /files/a/b/c.txt", "/files/{proxy+}", { proxy: "a/b/c.txt" }],
  // Handed on as they were sent: what they stand for is the function's business.
  ["GET /orders/a%2Fb", "/orders/{id}", { id: "a%2Fb" }],
  ["GET /orders/a%20b+c", "/orders/{id}", { id: "a%20b+c" }],
  ["GET /orders/%zz", "/orders/{id}", { id: "%zz" }],
  ["GET /files/a%2Fb/..%2f/x", "/files/{proxy+}", { proxy: "a%2Fb/..%2f/x" }],
  ["GET /files/../orders", "/files/{proxy+}", { proxy: "../orders" }],
  ["GET /gr%C3%B6%C3%9Fe", "/größe", undefined],
  ["GET /%6frders/7", "/orders/{id}", { id: "7" }]
]

it.layer(RoutedStack.layer({ sample: "routes" }), RoutedStack.live)("Routes of a template", (it) => {
  for (const [line, resource, parameters] of matches) {
    it.effect(`${line} is answered by ${resource}`, () =>
      Effect.gen(function* () {
        const [method, target = ""] = line.split(" ")
        const { event, functionName } = yield* told(target, method)
        assert.strictEqual(event.resource, resource)
        assert.strictEqual(event.requestContext.resourcePath, resource)
        assert.deepStrictEqual(event.pathParameters, parameters)
        assert.strictEqual(event.httpMethod, method)
        assert.strictEqual(event.path, target.replace(/^\/+/, "/"))
        assert.strictEqual(functionName, resource.startsWith("/files") ? "files" : "orders")
      })
    )
  }

  it.effect("HEAD is answered by the route of GET, with its headers and length and without its body", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const get = yield* stack.ask({ target: "/greeting" })
      const head = yield* stack.ask({ method: "HEAD", target: "/greeting" })
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.body.length, 0)
      assert.strictEqual(head.header("x-kind"), "greeting")
      assert.strictEqual(head.header("content-type"), get.header("content-type"))
      assert.strictEqual(head.header("content-length"), String(get.body.length))
    })
  )

  it.effect("HEAD stays HEAD in the event of a route that answers any method", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const { status } = yield* stack.ask({ method: "HEAD", target: "/files/a" })
      assert.strictEqual(status, 200)
      assert.strictEqual((yield* stack.ask({ method: "HEAD", target: "/answer" })).status, 404)
    })
  )

  it.effect("a path or a method that no route answers is told with 404", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const strangers = ["GET /nobody", "DELETE /orders", "POST /greeting", "GET /files", "GET /files/", "PATCH /"]
      for (const line of strangers) {
        const [method = "", target = ""] = line.split(" ")
        const answer = yield* stack.ask({ method, target })
        assert.strictEqual(answer.status, 404, line)
        assert.strictEqual(answer.text, `{"message":"Not Found"}`, line)
        assert.strictEqual(answer.header("content-type"), "application/json", line)
      }
    })
  )

  it.effect("a query is told decoded, the last value of each name and all of them in order", () =>
    Effect.gen(function* () {
      const { event } = yield* told("/orders?tag=a&tag=b%20c&tag=d+e&q=%E2%9C%93&empty=&bare&%3D=%26")
      assert.deepStrictEqual(event.queryStringParameters, { tag: "d e", q: "✓", empty: "", bare: "", "=": "&" })
      assert.deepStrictEqual(event.multiValueQueryStringParameters, {
        tag: ["a", "b c", "d e"],
        q: ["✓"],
        empty: [""],
        bare: [""],
        "=": ["&"]
      })
      assert.strictEqual(event.path, "/orders")
    })
  )

  it.effect("what a request does not have is left out of its event", () =>
    Effect.gen(function* () {
      const { event } = yield* told("/orders?")
      const absent = ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"]
      assert.doesNotHaveAnyKeys(event, [...absent, "stageVariables"])
      assert.notInclude(JSON.stringify(event), "null")
    })
  )
})

/** As many routes as a large API has, all of one function. */
const manyRoutes = 1_000

const addRoutes = (directory: string) => {
  appendFileSync(
    join(directory, "template.yaml"),
    `  Many:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: many
      Handler: routes.echo
      Events:
${Array.from(
  { length: manyRoutes },
  (_, at) => `        R${at}: { Type: Api, Properties: { Path: "/many/${at}/{id}/lines-${at}", Method: GET } }\n`
).join("")}`
  )
}

it.layer(RoutedStack.layer({ sample: "routes", prepare: addRoutes }), RoutedStack.live)("A thousand routes", (it) => {
  it.effect("are all listed, and the first, the middle and the last of them answer", () =>
    Effect.gen(function* () {
      const stack = yield* RoutedStack.RoutedStack
      const listed = (yield* stack.askWithToken({ target: "/routes" })).json() as { readonly count: number }
      assert.isAtLeast(listed.count, manyRoutes)
      for (const at of [0, manyRoutes / 2, manyRoutes - 1]) {
        const { event } = yield* told(`/many/${at}/x/lines-${at}`)
        assert.strictEqual(event.resource, `/many/${at}/{id}/lines-${at}`)
        assert.deepStrictEqual(event.pathParameters, { id: "x" })
      }
      assert.strictEqual((yield* stack.ask({ target: "/many/1/x/lines-2" })).status, 404)
    })
  )
})
