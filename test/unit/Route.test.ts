import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import { pathObjection, type Route, table } from "#domain/Route"

const route = (method: string, path: string): Route => ({
  method,
  path,
  functionName: `${method}${path}`.replaceAll(/[^A-Za-z0-9]+/g, "-") as FunctionName,
  authorization: undefined
})

const routes = (...written: ReadonlyArray<string>) =>
  table(written.map((line) => route(line.split(" ")[0] ?? "", line.split(" ")[1] ?? "")))

/** `GET /orders/{id} id=7`, or `none`. */
const told = (in_: ReturnType<typeof routes>, method: string, path: string) => {
  const match = in_.match(method, path)
  if (match === undefined) return "none"
  const parameters = Object.entries(match.pathParameters).map(([name, value]) => ` ${name}=${value}`)
  return `${match.route.method} ${match.route.path}${parameters.join("")}`
}

describe("Route", () => {
  it("prefers a literal segment to {name}, and {name} to {name+}", () => {
    const all = routes("GET /{proxy+}", "GET /orders/{id}", "GET /orders/open", "GET /orders/{proxy+}", "GET /")
    assert.strictEqual(told(all, "GET", "/orders/open"), "GET /orders/open")
    assert.strictEqual(told(all, "GET", "/orders/7"), "GET /orders/{id} id=7")
    assert.strictEqual(told(all, "GET", "/orders/7/lines"), "GET /orders/{proxy+} proxy=7/lines")
    assert.strictEqual(told(all, "GET", "/other/7"), "GET /{proxy+} proxy=other/7")
    assert.strictEqual(told(all, "GET", "/orders"), "GET /{proxy+} proxy=orders")
    assert.strictEqual(told(all, "GET", "/"), "GET /")
  })

  it("goes back to a less specific route when the more specific one leads nowhere", () => {
    const all = routes("GET /a/b/c", "GET /a/{x}/d", "ANY /{proxy+}", "POST /a/b")
    assert.strictEqual(told(all, "GET", "/a/b/d"), "GET /a/{x}/d x=b")
    assert.strictEqual(told(all, "GET", "/a/b/e"), "ANY /{proxy+} proxy=a/b/e")
    assert.strictEqual(told(all, "GET", "/a/b"), "ANY /{proxy+} proxy=a/b")
  })

  it("prefers a named method to ANY, and answers HEAD as GET", () => {
    const all = routes("ANY /a", "GET /a", "HEAD /b", "GET /b", "ANY /c", "POST /d")
    assert.strictEqual(told(all, "GET", "/a"), "GET /a")
    assert.strictEqual(told(all, "DELETE", "/a"), "ANY /a")
    assert.strictEqual(told(all, "HEAD", "/a"), "GET /a")
    assert.strictEqual(told(all, "HEAD", "/b"), "HEAD /b")
    assert.strictEqual(told(all, "HEAD", "/c"), "ANY /c")
    assert.strictEqual(told(all, "HEAD", "/d"), "none")
  })

  it("never matches {proxy+} without a segment for it", () => {
    const all = routes("GET /{proxy+}", "GET /files/{proxy+}")
    assert.strictEqual(told(all, "GET", "/"), "none")
    assert.strictEqual(told(all, "GET", "//"), "none")
    assert.strictEqual(told(all, "GET", "/files/"), "GET /{proxy+} proxy=files")
  })

  it("takes slashes as API Gateway was recorded to", () => {
    const all = routes("ANY /{proxy+}", "ANY /hardcoded")
    assert.strictEqual(told(all, "GET", "/proxy-value/"), "ANY /{proxy+} proxy=proxy-value")
    assert.strictEqual(told(all, "GET", "/proxy-value//double-slash"), "ANY /{proxy+} proxy=proxy-value//double-slash")
    assert.strictEqual(told(all, "GET", "//proxy-value"), "ANY /{proxy+} proxy=proxy-value")
    assert.strictEqual(told(all, "GET", "//hardcoded"), "ANY /hardcoded")
    assert.strictEqual(told(all, "GET", "/hardcoded/"), "ANY /hardcoded")
  })

  it("hands parameters on as they were received, as API Gateway was recorded to", () => {
    const all = routes("ANY /{proxy+}", "ANY /users/{email}")
    const path = "/proxy-value/api/user/test%2Balias@gmail.com/plus/test+alias@gmail.com"
    assert.strictEqual(told(all, "GET", path), `ANY /{proxy+} proxy=${path.slice(1)}`)
    assert.strictEqual(told(all, "GET", "/users/a%40b"), "ANY /users/{email} email=a%40b")
    assert.strictEqual(told(all, "GET", "/users/a%2Fb"), "ANY /users/{email} email=a%2Fb")
  })

  it("takes every character of a literal segment literally, however it was encoded", () => {
    const all = routes("GET /v1.0/a+b(c)*", "GET /grün")
    assert.strictEqual(told(all, "GET", "/v1.0/a+b(c)*"), "GET /v1.0/a+b(c)*")
    assert.strictEqual(told(all, "GET", "/v1x0/a+b(c)*"), "none")
    assert.strictEqual(told(all, "GET", "/gr%C3%BCn"), "GET /grün")
    assert.strictEqual(told(all, "GET", "/gr%FFn"), "none")
  })

  it("gives {name} no empty segment", () => {
    const all = routes("GET /a/{x}/b")
    assert.strictEqual(told(all, "GET", "/a//b"), "none")
  })

  it("lets parameters of one place have different names", () => {
    const all = routes("GET /a/{x}", "POST /a/{y}", "GET /a/{z}/c")
    assert.strictEqual(told(all, "GET", "/a/1"), "GET /a/{x} x=1")
    assert.strictEqual(told(all, "POST", "/a/1"), "POST /a/{y} y=1")
    assert.strictEqual(told(all, "GET", "/a/1/c"), "GET /a/{z}/c z=1")
    assert.strictEqual(told(routes("GET /{__proto__}"), "GET", "/a"), "GET /{__proto__} __proto__=a")
  })

  it("keeps the first of two routes that answer the same calls", () => {
    assert.strictEqual(told(routes("GET /a/{x}", "GET /a/{y}"), "GET", "/a/1"), "GET /a/{x} x=1")
  })

  it("objects to paths that API Gateway does not take", () => {
    for (const path of ["/", "/a", "/a/", "/a/{b}", "/{a}/{b+}", "/v1.0/a-b:c"]) {
      assert.isUndefined(pathObjection(path), path)
    }
    assert.strictEqual(pathObjection("a"), "a path begins with /")
    assert.strictEqual(pathObjection("/a//b"), "a path has no empty segments")
    assert.strictEqual(pathObjection("/{a+}/b"), "{a+}: a greedy parameter is the last segment")
    assert.strictEqual(pathObjection("/{a}.json"), "{a}.json: a parameter is a whole segment, {name} or {name+}")
    assert.strictEqual(pathObjection("/{a}/{a}"), "{a}: a parameter occurs once")
  })
})

const segment = Arbitrary.schema(Schema.Literals(["a", "b", "c", "{x}", "{y}"]))
const greedyEnd = Arbitrary.schema(Schema.Literals(["", "", "/{rest+}"]))
const paths = Arbitrary.all([Arbitrary.array(segment, { maxLength: 4 }), greedyEnd]).pipe(
  Arbitrary.map(([segments, end]) =>
    `/${segments.map((name, at) => name.replace("}", `${at}}`)).join("/")}${end}`.replace("//", "/")
  )
)
const methods = Arbitrary.schema(Schema.Literals(["GET", "POST", "ANY"]))
const tables = Arbitrary.array(Arbitrary.all([methods, paths]), { maxLength: 12 }).pipe(
  Arbitrary.map((pairs) => pairs.map(([method, path]) => route(method, path)))
)
const asked = Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "d"])), { maxLength: 5 })

/** 0 literal, 1 `{name}`, 2 `{name+}`, compared from the front: the order a person would give by hand. */
const rank = ({ method, path }: Route) =>
  `${path
    .split("/")
    .slice(1)
    .map((name) => (name.endsWith("+}") ? 2 : name.startsWith("{") ? 1 : 0))
    .join("")}${method === "ANY" ? 1 : 0}`

/** The definition, one regular expression for each route: slow and plain. */
const answers = ({ method, path }: Route, asking: string, target: string) =>
  (method === asking || method === "ANY") &&
  new RegExp(`^${path.replaceAll(/\{\w+\+\}/g, "[^/].*").replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(target)

describe("Route, whatever the table", () => {
  it.prop("finds what the most specific of the answering routes is", { given: tables, asked }, ({ given, asked }) => {
    const target = `/${asked.join("/")}`
    const best = given
      .filter((candidate) => answers(candidate, "GET", target))
      .map((candidate) => ({ candidate, rank: rank(candidate) }))
      .reduce<{ candidate: Route; rank: string } | undefined>(
        (kept, next) => (kept === undefined || next.rank < kept.rank ? next : kept),
        undefined
      )
    assert.deepStrictEqual(table(given).match("GET", target)?.route, best?.candidate)
  })

  it.prop("gives the values that make the path again", { given: tables, asked }, ({ given, asked }) => {
    const target = `/${asked.join("/")}`
    const match = table(given).match("GET", target)
    if (match !== undefined) {
      const again = match.route.path.replaceAll(/\{(\w+)\+?\}/g, (_, name: string) => match.pathParameters[name] ?? "?")
      assert.strictEqual(again, target)
    }
  })

  it("answers from a thousand routes without looking at each", () => {
    const many = routes(...Array.from({ length: 1_000 }, (_, at) => `GET /service-${at}/items/{id}`))
    assert.strictEqual(told(many, "GET", "/service-999/items/5"), "GET /service-999/items/{id} id=5")
    assert.strictEqual(told(many, "GET", `/service-1/${"a/".repeat(2_000)}`), "none")
  })
})
