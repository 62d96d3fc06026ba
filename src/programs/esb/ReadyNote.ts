/** What `esb up` says when the stack answers. */
import { join } from "node:path"
import type { Stack, StackFunction } from "#domain/Stack"
import { version } from "../Version.ts"
import * as Access from "./Access.ts"
import { onStdout } from "./Voice.ts"

export interface Readiness {
  readonly url: string
  readonly home: string
  readonly region: string
  readonly access: Access.Access
  readonly stack: Stack
}

const routesOf = ({ routes }: Stack, { name }: StackFunction) =>
  routes.filter(({ functionName }) => functionName === name)

/** The one line of `--json`. */
export const machine = ({ access, region, stack, url }: Readiness) => ({
  ready: true,
  gateway: url,
  region,
  ...Access.revealed(access),
  functions: stack.functions.map((each) => ({
    name: each.name,
    routes: routesOf(stack, each).map(({ method, path }) => `${method} ${path}`)
  }))
})

/** A path with something in its parameters. */
const filled = (path: string) => path.replace(/\{[^}]*\}/g, "world")

const suggestion = ({ stack, url }: Readiness): string => {
  const open = stack.routes.filter(({ authorization }) => authorization !== "jwt")
  const read = open.find(({ method }) => method === "GET" || method === "ANY")
  if (read !== undefined) return `curl ${url}${filled(read.path)}`
  const [first] = open
  if (first !== undefined) return `curl -X ${first.method} -d '{}' ${url}${filled(first.path)}`
  const [each] = stack.functions
  return each === undefined ? "esb deploy a template with a function" : `esb invoke ${each.name}`
}

const linesOf = (ready: Readiness, each: StackFunction): ReadonlyArray<string> => [
  `  ${onStdout("bold", each.name)}`,
  ...routesOf(ready.stack, each).map(({ method, path }) => `    ${method.padEnd(6)} ${ready.url}${path}`),
  ...each.schedules.map(({ expression }) => `    ${onStdout("dim", expression)}`)
]

/** For people. */
export const human = (ready: Readiness): string =>
  [
    "",
    `${onStdout("green", "Ready")} at ${onStdout("bold", ready.url)} (esb ${version})`,
    "",
    ...ready.stack.functions.flatMap((each) => linesOf(ready, each)),
    "",
    `  Try: ${suggestion(ready)}`,
    `  SDK: endpoint ${ready.url}, region ${ready.region}, access key ${ready.access.accessKeyId},`,
    `       its secret is in ${join(ready.home, "run.json")}`,
    "",
    onStdout("dim", "  Workers are child processes, for development: they are not isolated from each other."),
    onStdout("dim", "  Ctrl-C stops everything."),
    ""
  ].join("\n")
