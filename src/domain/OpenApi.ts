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

const operationIdOf = (route: Route, method: string): string =>
  `routing_${slug(route.functionName, "unknown")}_${method.toLowerCase()}_${slug(route.path, "root")}`

const routeOperation = (route: Route, method: string, as: Described, isGuarded: boolean): Json => ({
  tags: ["Routing"],
  summary: `${method} ${route.path}`,
  operationId: as.operationId,
  ...(as.path.includes("{") ? { parameters: parameters(as.path) } : {}),
  ...(methodsWithBody.has(method) ? { requestBody: jsonBody(false, {}) } : {}),
  responses: answers({ 200: "Successful Response", 401: "Unauthorized", 404: "Not Found" }),
  ...(isGuarded ? { security: [{ bearerAuth: [] }] } : {})
})

/** How an operation is entered: under which spelling of its path, and by which id. */
interface Described {
  readonly path: string
  readonly operationId: string
}

const authOperation = {
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

const invokeOperation = {
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

/** OpenAPI takes paths that differ only in the names of their parameters for the same path. */
const shapeOf = (path: string): string => path.replaceAll(/\{[^{}]+\}/g, "{}")

/** Pages of a description in the making: each path once, each id once. */
class Pages {
  private readonly byShape = new Map<string, { readonly path: string; readonly operations: Map<string, Json> }>()
  private readonly ids = new Set<string>()

  /** What is described first stays: a route never hides the Gateway's own operations, nor a route before it. */
  describe(path: string, method: string, operationId: string, operation: (as: Described) => Json): void {
    const shape = shapeOf(path)
    const page = this.byShape.get(shape) ?? { path, operations: new Map<string, Json>() }
    this.byShape.set(shape, page)
    if (!page.operations.has(method.toLowerCase())) {
      const as = { path: page.path, operationId: this.unused(operationId) }
      page.operations.set(method.toLowerCase(), operation(as))
    }
  }

  get paths(): Json {
    return Object.fromEntries(
      [...this.byShape.values()].map(({ operations, path }) => [path, Object.fromEntries(operations)])
    )
  }

  /** Different paths may have the same slug. */
  private unused(wanted: string): string {
    let id = wanted
    for (let count = 2; this.ids.has(id); count++) {
      id = `${wanted}_${count}`
    }
    this.ids.add(id)
    return id
  }
}

/** As calls are answered: a greedy path after all others, and ANY after a method that is named. */
const precedence = ({ method, path }: Route): number => (path.endsWith("+}") ? 2 : 0) + (method === "ANY" ? 1 : 0)

export const document = (options: Options): Json => {
  const pages = new Pages()
  pages.describe(options.authEndpointPath, "POST", authOperation.operationId, () => authOperation)
  pages.describe(invokePath, "POST", invokeOperation.operationId, () => invokeOperation)
  for (const route of options.routes.toSorted((left, right) => precedence(left) - precedence(right))) {
    const isGuarded = wantsToken(route, options.authentication)
    for (const method of route.method === "ANY" ? methods : methods.filter((known) => known === route.method)) {
      pages.describe(plainPath(route.path), method, operationIdOf(route, method), (as) =>
        routeOperation(route, method, as, isGuarded)
      )
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: options.title ?? "Lambda Gateway", version: options.version },
    paths: pages.paths,
    components: { securitySchemes: { bearerAuth: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } }
  }
}
