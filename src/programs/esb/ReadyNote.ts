/** What `esb up` says when the stack answers. */
import { join } from "node:path"
import type { Stack, StackFunction } from "#domain/Stack"
import { version } from "../Version.ts"
import * as Access from "./Access.ts"
import { onStdout } from "./Voice.ts"

export interface Readiness {
  /** In containers, the file of the authority that the Gateway is certified by; `undefined` where it speaks plain HTTP. */
  readonly authority: string | undefined
  readonly url: string
  readonly home: string
  readonly region: string
  readonly access: Access.Access
  readonly stack: Stack
  /** Every route wants a token, whatever the template says. */
  readonly areRoutesClosed: boolean
}

const routesOf = ({ routes }: Stack, { name }: StackFunction) =>
  routes.filter(({ functionName }) => functionName === name)

/** The one line of `--json`. */
export const machine = ({ access, authority, region, stack, url }: Readiness) => ({
  ready: true,
  gateway: url,
  ...(authority === undefined ? {} : { authority }),
  region,
  ...Access.revealed(access),
  functions: stack.functions.map((each) => ({
    name: each.name,
    routes: routesOf(stack, each).map(({ method, path }) => `${method} ${path}`)
  }))
})

/** A path with something in its parameters. */
const filled = (path: string) => path.replace(/\{[^}]*\}/g, "world")

/** As a shell takes it for one word. */
const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`

const suggestion = ({ areRoutesClosed, authority, stack, url }: Readiness): string => {
  const curl = authority === undefined ? "curl" : `curl --cacert ${quoted(authority)}`
  const open = stack.routes.filter(({ authorization }) => !areRoutesClosed && authorization !== "jwt")
  const read = open.find(({ method }) => method === "GET" || method === "ANY")
  if (read !== undefined) return `${curl} ${url}${filled(read.path)}`
  const [first] = open
  if (first !== undefined) return `${curl} -X ${first.method} -d '{}' ${url}${filled(first.path)}`
  const [each] = stack.functions
  return each === undefined ? "esb deploy a template with a function" : `esb invoke ${each.name}`
}

const linesOf = (ready: Readiness, each: StackFunction): ReadonlyArray<string> => [
  `  ${onStdout("bold", each.name)}`,
  ...routesOf(ready.stack, each).map(({ method, path }) => `    ${method.padEnd(6)} ${ready.url}${path}`),
  ...each.schedules.map(({ expression }) => `    ${onStdout("dim", expression)}`)
]

const closing = ({ authority }: Readiness): ReadonlyArray<string> =>
  authority === undefined
    ? [
        "  Workers are child processes, for development: they are not isolated from each other.",
        "  Ctrl-C stops everything."
      ]
    : [
        "  The Docker Engine keeps it running. esb deploy brings a new version, esb ps shows what runs, esb down ends it."
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
    ...(ready.authority === undefined
      ? []
      : [`       Let it believe ${ready.authority}: AWS_CA_BUNDLE, NODE_EXTRA_CA_CERTS`]),
    "",
    ...closing(ready).map((line) => onStdout("dim", line)),
    ""
  ].join("\n")
