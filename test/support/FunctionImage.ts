/**
 * An image of sample functions in the manner of AWS's base images, made of files of this machine so that no registry is
 * needed: Node with our runtime client, a shell, and an entrypoint that connects to the Runtime API it is told.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ImageArchive from "./ImageArchive.ts"
import * as ImageTree from "./ImageTree.ts"
import { clientsDirectory } from "./ProcessWorkers.ts"
import { samples } from "./WorkerFunctions.ts"

/** As AWS's, it starts an emulator only where nobody is the Runtime API, and there is none in this image. */
const entrypoint = `#!/bin/sh
[ -z "$_HANDLER" ] && [ $# -eq 1 ] && export _HANDLER="$1"
[ -z "$AWS_LAMBDA_RUNTIME_API" ] && echo "no AWS_LAMBDA_RUNTIME_API, and no emulator" >&2 && exit 1
exec /var/lang/bin/node /var/runtime/node.mjs
`

const settings = [
  "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
  "ENV LAMBDA_TASK_ROOT=/var/task",
  "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
  "WORKDIR /var/task",
  'ENTRYPOINT ["/lambda-entrypoint.sh"]',
  'CMD ["index.echo"]'
]

/** Its files. */
const tree = async (): Promise<ImageTree.Tree> => ({
  ...ImageTree.system,
  ...ImageTree.shell("cat", "id", "ls", "sleep", "touch"),
  ...ImageTree.program("var/lang/bin/node", process.execPath),
  "var/runtime/node.mjs": { from: join(await clientsDirectory(), "node.mjs") },
  ...ImageTree.directory("var/task", samples("node")),
  "lambda-entrypoint.sh": ImageTree.script(entrypoint)
})

let made: Promise<string> | undefined

/** Its reference, once the engine has it. */
export const reference = (): Promise<string> =>
  (made ??= tree().then((files) => ImageTree.make("functions", files, settings)))

const config = {
  Env: [
    "PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
    "LAMBDA_TASK_ROOT=/var/task",
    "LAMBDA_RUNTIME_DIR=/var/runtime"
  ],
  WorkingDir: "/var/task",
  Entrypoint: ["/lambda-entrypoint.sh"],
  Cmd: ["index.echo"]
}

let archived: Promise<ImageArchive.ImageArchive> | undefined

/** The same image for an engine that is given its images as archives. */
export const archive = (): Promise<ImageArchive.ImageArchive> =>
  (archived ??= tree().then((files) => ImageArchive.make("docker.io/esb-test/functions:1", files, config)))

/** The same with other files in the place of some; `undefined`: without them. */
export const archiveWith = async (
  name: string,
  changes: Readonly<Record<string, ImageTree.Tree[string] | undefined>>
): Promise<ImageArchive.ImageArchive> => {
  const files = Object.entries({ ...(await tree()), ...changes })
  const left = files.flatMap(([path, entry]) => (entry === undefined ? [] : [[path, entry] as const]))
  return ImageArchive.make(`docker.io/esb-test/${name}:1`, Object.fromEntries(left), config)
}

/** Where an image would have AWS's emulator: a script, so that the entrypoint has its name. */
const emulator = '#!/bin/sh\nexec /var/lang/bin/node /usr/local/lib/RieStandIn.ts "$@"\n'

/** The same functions behind an emulator, whatever the image is told. */
export const withEmulator = async (): Promise<string> => {
  const standIn = fileURLToPath(new URL("RieStandIn.ts", import.meta.url))
  const tree = {
    "usr/local/lib/RieStandIn.ts": { from: standIn },
    "usr/local/bin/aws-lambda-rie": ImageTree.script(emulator)
  }
  const settings = ['ENTRYPOINT ["/usr/local/bin/aws-lambda-rie", "/lambda-entrypoint.sh"]', 'CMD ["index.echo"]']
  return ImageTree.extend("emulated", await reference(), tree, settings)
}
