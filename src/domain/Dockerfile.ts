/**
 * The Dockerfile that makes an image of a zip function: what AWS's base image of its runtime expects to find where.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
 */
import { Result, Schema } from "effect"

/** There is no way to make an image of this function; the message says why. */
export class NoDockerfile extends Schema.TaggedError<NoDockerfile>()("NoDockerfile", {
  message: Schema.String
}) {}

export interface DockerfileRequest {
  /** As templates name it: `python3.13`. */
  readonly runtime: string
  readonly handler: string
  /** Reference of the image that brings the interpreter and its runtime client. */
  readonly base: string
  /** Whether the build context has an `opt` beside its `task`. */
  readonly hasLayers: boolean
  /** Which of the two directories has the `bootstrap` of a `provided` runtime. */
  readonly bootstrap: "task" | "opt" | undefined
}

interface Family {
  readonly pattern: RegExp
  /** AWS's public image for a version, which is what the pattern captures. */
  readonly publicBase: (version: string) => string
  /** Where modules of layers are found; AWS's zip runtimes look there, its base images do not all. */
  readonly layerPaths: (version: string) => ReadonlyArray<string>
}

const publicImages = "public.ecr.aws/lambda"

const families: ReadonlyArray<Family> = [
  {
    pattern: /^nodejs(\d+)\.x$/,
    publicBase: (version) => `${publicImages}/nodejs:${version}`,
    layerPaths: (version) => [
      `NODE_PATH=/opt/nodejs/node${version}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task`
    ]
  },
  {
    pattern: /^python(3\.\d+)$/,
    publicBase: (version) => `${publicImages}/python:${version}`,
    layerPaths: (version) => [
      `PYTHONPATH=/opt/python:/opt/python/lib/python${version}/site-packages:\${PYTHONPATH:-/var/runtime}`
    ]
  },
  {
    // Its base looks into /var/task, /var/task/lib and /opt/java/lib by itself.
    pattern: /^java(\d+(?:\.al2)?)$/,
    publicBase: (version) => `${publicImages}/java:${version}`,
    layerPaths: () => []
  },
  {
    pattern: /^provided(?:\.(al2|al2023))?$/,
    publicBase: (version) => `${publicImages}/provided:${version || "al2"}`,
    layerPaths: () => []
  }
]

const familyOf = (runtime: string) => {
  for (const family of families) {
    const found = family.pattern.exec(runtime)
    if (found !== null) return { ...family, version: found[1] ?? "" }
  }
  return undefined
}

/** The environment variable that names another base for a runtime: `ESB_BASE_IMAGE_NODEJS24_X`. */
export const baseVariable = (runtime: string): string =>
  `ESB_BASE_IMAGE_${runtime.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`

/** AWS's public base of a runtime, pinned by tag; `undefined` where none is known. */
export const publicBase = (runtime: string): string | undefined => {
  const family = familyOf(runtime)
  return family?.publicBase(family.version)
}

/** A value inside double quotes: a Dockerfile would replace `$name` and end at a quote. */
const quoted = (value: string): string => `"${value.replace(/["\\$]/g, "\\$&")}"`

/** How the runtime is started. The entrypoint of AWS's interpreters takes the handler; a `bootstrap` is a program of its own. */
const start = ({ bootstrap, handler, runtime }: DockerfileRequest): ReadonlyArray<string> =>
  runtime.startsWith("provided")
    ? [
        `ENV _HANDLER=${quoted(handler)}`,
        `ENTRYPOINT [${JSON.stringify(bootstrap === "opt" ? "/opt/bootstrap" : "/var/task/bootstrap")}]`,
        "CMD []"
      ]
    : [`CMD [${JSON.stringify(handler)}]`]

/** Names of the images that a Dockerfile begins its stages with, as far as they are written out, stages of its own among them. */
export const basesOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*([^\s$]+)(?=\s|$)/gim)].flatMap(([, base]) => base ?? [])

/** The text of a Dockerfile whose context holds the code in `task` and the merged layers in `opt`. */
export const make = (request: DockerfileRequest): Result.Result<string, NoDockerfile> => {
  const { base, bootstrap, handler, hasLayers, runtime } = request
  const refuse = (message: string) => Result.fail(new NoDockerfile({ message }))
  const family = familyOf(runtime)
  if (family === undefined) return refuse(`images are made for Node, Python, Java and provided, not for ${runtime}`)
  if (!/^\S+$/.test(handler)) return refuse(`the handler ${JSON.stringify(handler)} has spaces in it`)
  if (!/^[^\s$]+$/.test(base)) return refuse(`${baseVariable(runtime)} names no image: ${JSON.stringify(base)}`)
  if (runtime.startsWith("provided") && bootstrap === undefined)
    return refuse(`${runtime} starts a file named bootstrap, and neither the code nor a layer has one`)
  return Result.succeed(
    [
      `FROM ${base}`,
      "ENV LAMBDA_TASK_ROOT=/var/task",
      `ENV AWS_EXECUTION_ENV=AWS_Lambda_${runtime}`,
      ...(hasLayers ? family.layerPaths(family.version).map((path) => `ENV ${path}`) : []),
      "WORKDIR /var/task",
      // Layers first: they change less often than the code.
      ...(hasLayers ? ["COPY opt/ /opt/"] : []),
      "COPY task/ /var/task/",
      ...start(request),
      ""
    ].join("\n")
  )
}
