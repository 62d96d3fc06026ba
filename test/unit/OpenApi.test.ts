import { assert, describe, it } from "@effect/vitest"
import type { FunctionName } from "#domain/FunctionName"
import * as OpenApi from "#domain/OpenApi"
import type { Route, RouteAuthentication } from "#domain/Route"

const route = (
  method: string,
  path: string,
  name = "hello-world",
  authorization: Route["authorization"] = undefined
): Route => ({
  method,
  path,
  functionName: name as FunctionName,
  authorization
})

interface Page {
  readonly openapi: string
  readonly info: object
  readonly paths: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>
  readonly components: object
}

const pageOf = (routes: ReadonlyArray<Route>, authentication: RouteAuthentication): Page =>
  OpenApi.document({ routes, authEndpointPath: "/user/auth/v1", authentication, version: "2.0.0" }) as unknown as Page

const described = (...routes: ReadonlyArray<Route>) => pageOf(routes, "jwt")

describe("OpenApi", () => {
  it("describes the Gateway's own operations and its bearer tokens", () => {
    const page = described()
    assert.strictEqual(page.openapi, "3.1.0")
    assert.deepStrictEqual(page.info, { title: "Lambda Gateway", version: "2.0.0" })
    assert.deepStrictEqual(Object.keys(page.paths), [
      "/user/auth/v1",
      "/2015-03-31/functions/{function_name}/invocations"
    ])
    assert.deepStrictEqual(page.components, {
      securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", bearerFormat: "JWT" } }
    })
  })

  it("describes a route with its parameters, body and answers", () => {
    const operation = described(route("POST", "/orders/{id}/lines/{line}")).paths["/orders/{id}/lines/{line}"]?.["post"]
    assert.deepStrictEqual(operation, {
      tags: ["Routing"],
      summary: "POST /orders/{id}/lines/{line}",
      operationId: "routing_hello_world_post_orders_id_lines_line",
      parameters: ["id", "line"].map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      requestBody: { required: false, content: { "application/json": { schema: {} } } },
      responses: {
        200: { description: "Successful Response" },
        401: { description: "Unauthorized" },
        404: { description: "Not Found" }
      },
      security: [{ bearerAuth: [] }]
    })
  })

  it("wants no body for GET and no token on an open route", () => {
    const operation = described(route("GET", "/", "f", "none")).paths["/"]?.["get"]
    assert.strictEqual(operation?.["operationId"], "routing_f_get_root")
    assert.doesNotHaveAnyKeys(operation, ["requestBody", "parameters", "security"])
  })

  it("asks for a token where the template alone decides only where it says so", () => {
    const { paths } = pageOf([route("GET", "/open"), route("GET", "/mine", "f", "jwt")], "template")
    assert.notProperty(paths["/open"]?.["get"], "security")
    assert.deepStrictEqual(paths["/mine"]?.["get"]?.["security"], [{ bearerAuth: [] }])
  })

  it("spells out ANY, behind methods that are named, and writes {proxy+} as OpenAPI can", () => {
    const { paths } = described(route("ANY", "/{proxy+}", "any"), route("GET", "/{proxy+}", "get"))
    const operations = paths["/{proxy}"] ?? {}
    assert.deepStrictEqual(Object.keys(operations).toSorted(), ["delete", "get", "head", "patch", "post", "put"])
    assert.strictEqual(operations["get"]?.["operationId"], "routing_get_get_proxy")
    assert.strictEqual(operations["put"]?.["operationId"], "routing_any_put_proxy")
    assert.strictEqual(operations["put"]?.["summary"], "PUT /{proxy+}")
  })

  it("describes paths that differ only in the names of their parameters as one, the particular before the greedy", () => {
    const { paths } = described(
      route("ANY", "/orders/{proxy+}", "rest"),
      route("GET", "/orders/{id}", "order"),
      route("GET", "/orders/{order}/lines/{line}", "line"),
      route("PUT", "/orders/{id}/lines/{number}", "line")
    )
    const one = paths["/orders/{id}"] ?? {}
    assert.strictEqual(one["get"]?.["operationId"], "routing_order_get_orders_id")
    assert.strictEqual(one["put"]?.["operationId"], "routing_rest_put_orders_proxy")
    assert.deepInclude((one["put"]?.["parameters"] as ReadonlyArray<object> | undefined)?.[0], { name: "id" })
    assert.hasAllKeys(paths["/orders/{order}/lines/{line}"], ["get", "put"])
    assert.notProperty(paths, "/orders/{proxy}")
  })

  it("gives every operation an id of its own", () => {
    const { paths } = described(route("GET", "/a-b"), route("GET", "/a_b"), route("GET", "/a/{b}"))
    const ids = Object.values(paths).flatMap(({ get }) => get?.["operationId"] ?? [])
    const id = "routing_hello_world_get_a_b"
    assert.deepStrictEqual(ids, [id, `${id}_2`, `${id}_3`])
  })

  it("lets no route hide what was described before", () => {
    const { paths } = described(
      route("POST", "/user/auth/v1"),
      route("GET", "/a", "first"),
      route("GET", "/a", "second")
    )
    assert.strictEqual(paths["/user/auth/v1"]?.["post"]?.["operationId"], "authenticate")
    assert.strictEqual(paths["/a"]?.["get"]?.["operationId"], "routing_first_get_a")
  })
})
