/** The images of our own programs: what `npm run build` has made, by the Dockerfiles of `compose/images`. */
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { type BuiltImage, ImageBuilder, ImageBuildFailed, type Progress } from "#services/ImageBuilder"
import { version } from "../Version.ts"

/** Those of a stack, by its mode. */
export const programsOf = {
  docker: ["gateway", "agent", "provisioner"],
  containerd: ["gateway", "runtime-node", "provisioner"]
} as const
export type Mode = keyof typeof programsOf
export type Program = (typeof programsOf)[Mode][number]

/** What a base has to have besides Node. */
const beside = {
  docker: "iptables",
  containerd: "containerd, runc, CNI plugins, iptables, iproute2, ethtool and dmsetup"
}

/** Where this program comes from: it lies in `dist`, with `compose` beside it. */
export const checkout = fileURLToPath(new URL("..", import.meta.url))

export interface Naming {
  /** What stands before every name, as `ESB_REGISTRY` says it: `registry.example/team/`; empty: images of this engine. */
  readonly registry: string
  readonly tag: string
}

export interface Options extends Naming {
  readonly mode: Mode
  readonly checkout: string
  /** A site's own image with Node, a shell and what the Dockerfiles would install; `undefined`: the public one. */
  readonly nodeImage: string | undefined
  /** Builds every step anew. */
  readonly isFresh: boolean
  readonly progress: Progress
}

export interface ServerImage {
  readonly program: Program
  readonly reference: string
  readonly outcome: BuiltImage["outcome"]
}

/** As the files in `compose` name it: `esb-gateway:latest`. */
export const reference = ({ registry, tag }: Naming, program: Program): string => `${registry}esb-${program}:${tag}`

const fingerprintLabel = "com.esb.image_fingerprint"

const labels = {
  "com.esb.managed": "true",
  "com.esb.kind": "service",
  "org.opencontainers.image.version": version
}

const baseLine = /^ARG ESB_NODE_IMAGE=(.*)$/m

/** The command line has parts and maps of its own beside the servers, which no image has. */
const isOfServers = (name: string): boolean => name.endsWith(".js") && !name.startsWith("esb")

/** Of every file that goes into an image, by its place. */
const digestOf = async (directories: ReadonlyArray<string>): Promise<string> => {
  const hash = createHash("sha256")
  for (const directory of directories) {
    for (const name of (await readdir(directory)).toSorted()) {
      if (!isOfServers(name) && !name.endsWith(".sh")) continue
      hash.update(`\0${name}\0`).update(await readFile(join(directory, name)))
    }
  }
  return hash.digest("hex")
}

/** Every image that is not made of this build yet, one after another: they have their first steps in common. */
export const build = Effect.fn("esb.ServerImages.build")(function* (options: Options) {
  const builder = yield* ImageBuilder
  const { checkout, isFresh, mode, nodeImage, progress } = options
  const recipes = join(checkout, "compose/images")
  const dist = join(checkout, "dist")

  return yield* Effect.forEach(programsOf[mode], (program) =>
    Effect.gen(function* () {
      const name = reference(options, program)
      const read = <A>(from: () => Promise<A>) =>
        Effect.tryPromise({
          try: from,
          catch: (cause) => new ImageBuildFailed({ reference: name, detail: String(cause) })
        })
      const recipe = yield* read(() => readFile(join(recipes, `${program}.Dockerfile`), "utf8"))
      const contextDigest = yield* read(() => digestOf([dist, recipes]))
      const [, publicBase = ""] = baseLine.exec(recipe) ?? []
      const base = nodeImage ?? publicBase
      const { outcome } = yield* builder.build({
        reference: name,
        base,
        baseAdvice: `name an image of your own, with Node and ${beside[mode]}, with ESB_NODE_IMAGE`,
        dockerfile: recipe.replace(baseLine, () => `ARG ESB_NODE_IMAGE=${base}`),
        context: { dist, "compose/images": recipes },
        contextDigest,
        labels,
        fingerprintLabel,
        isFresh,
        progress: (line) => progress(`${program}: ${line}`)
      })
      return { program, reference: name, outcome } satisfies ServerImage
    })
  )
})
