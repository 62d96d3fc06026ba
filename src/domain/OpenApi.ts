/**
 * The OpenAPI description of a stack: its routes, the token endpoint and the Invoke API.
 * @see https://spec.openapis.org/oas/v3.1.0
 */
import { type Route, type RouteAuthentication, wantsToken } from "./Route.ts"

export interface Options {
  readonly routes: ReadonlyArray<Route>
  readonly authEndpointPath: string
  readonly authentication: RouteAuthentication
  readonly version: string
  readonly title?: string | undefined
}

type Json = { readonly [key: string]: unknown }

/** `ANY` is described as these: OpenAPI has no word for it. */
const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]
const methodsWithBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"])

const invokePath = "/2015-03-31/functions/{function_name}/invocations"

const slug = (text: string, fallback: string): string =>
  text.replaceAll(/[^A-Za-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "") || fallback

const jsonBody = (required: boolean, schema: Json): Json => ({ required, content: { "application/json": { schema } } })

const answers = (told: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(Object.entries(told).map(([status, description]) => [status, { description }]))

/** OpenAPI knows no greedy parameters: `{proxy+}` is described as `{proxy}`. */
const plainPath = (path: string): string => path.replaceAll("+}", "}")

const parameters = (path: string): ReadonlyArray<Json> =>
  [...plainPath(path).matchAll(/\{([^{}]+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" }
  }))

const routeOperation = (route: Route, method: string, isGuarded: boolean): Json => ({
  tags: ["Routing"],
  summary: `${method} ${route.path}`,
  operationId: `routing_${slug(route.functionName, "unknown")}_${method.toLowerCase()}_${slug(route.path, "root")}`,
  ...(route.path.includes("{") ? { parameters: parameters(route.path) } : {}),
  ...(methodsWithBody.has(method) ? { requestBody: jsonBody(false, {}) } : {}),
  responses: answers({ 200: "Successful Response", 401: "Unauthorized", 404: "Not Found" }),
  ...(isGuarded ? { security: [{ bearerAuth: [] }] } : {})
})

const authOperation: Json = {
  tags: ["Auth"],
  summary: "A token for the routes",
  operationId: "authenticate",
  parameters: [{ name: "x-api-key", in: "header", required: true, schema: { type: "string" } }],
  requestBody: jsonBody(true, {
    type: "object",
    required: ["AuthParameters"],
    properties: {
      AuthParameters: {
        type: "object",
        required: ["USERNAME", "PASSWORD"],
        properties: { USERNAME: { type: "string" }, PASSWORD: { type: "string" } }
      }
    }
  }),
  responses: answers({ 200: "Successful Response", 401: "Unauthorized", 422: "Validation Error" })
}

const invokeOperation: Json = {
  tags: ["Lambda"],
  summary: "Invoke a function",
  operationId: "invoke_function",
  parameters: parameters(invokePath),
  requestBody: jsonBody(false, {}),
  responses: answers({
    200: "Successful Response",
    202: "Accepted",
    400: "Bad Request",
    404: "Not Found",
    429: "Throttled"
  })
}

/** What is described first stays: a route never hides the Gateway's own operations, nor an earlier route of the same call. */
export const document = (options: Options): Json => {
  const paths = new Map<string, Map<string, Json>>()
  const describe = (path: string, method: string, operation: Json): void => {
    const operations = paths.get(path) ?? new Map<string, Json>()
    paths.set(path, operations)
    if (!operations.has(method.toLowerCase())) {
      operations.set(method.toLowerCase(), operation)
    }
  }
  describe(options.authEndpointPath, "POST", authOperation)
  describe(invokePath, "POST", invokeOperation)
  // A named method says more than ANY does.
  const anyLast = options.routes.toSorted(
    (left, right) => Number(left.method === "ANY") - Number(right.method === "ANY")
  )
  for (const route of anyLast) {
    for (const method of route.method === "ANY" ? methods : methods.filter((known) => known === route.method)) {
      describe(plainPath(route.path), method, routeOperation(route, method, wantsToken(route, options.authentication)))
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: options.title ?? "Lambda Gateway", version: options.version },
    paths: Object.fromEntries([...paths].map(([path, operations]) => [path, Object.fromEntries(operations)])),
    components: { securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } }
  }
}
