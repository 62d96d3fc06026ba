/**
 * An image of sample functions in the manner of AWS's base images, made of files of this machine so that no registry is
 * needed: Node with our runtime client, a shell, and an entrypoint that connects to the Runtime API it is told. Named after
 * its content, so that it is made once and kept between runs.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { clientsDirectory, temporaryDirectory } from "./ProcessWorkers.ts"
import { samples } from "./WorkerFunctions.ts"

/** As AWS's, it starts an emulator only where nobody is the Runtime API, and there is none in this image. */
const entrypoint = `#!/bin/sh
[ -z "$_HANDLER" ] && [ $# -eq 1 ] && export _HANDLER="$1"
[ -z "$AWS_LAMBDA_RUNTIME_API" ] && echo "no AWS_LAMBDA_RUNTIME_API, and no emulator" >&2 && exit 1
exec /var/lang/bin/node /var/runtime/node.mjs
`

const busyboxCommands = ["sh", "cat", "id", "ls", "sleep", "touch"]

/** Loaded by name when names are looked up, and so in no list of what a program needs. */
const nameServices = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]

const files = {
  "etc/passwd": "root:x:0:0::/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n",
  "etc/group": "root:x:0:\nsbx:x:990:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
  "etc/resolv.conf": "",
  "etc/hosts": "",
  "lambda-entrypoint.sh": entrypoint
}

const settings = [
  "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
  "ENV LAMBDA_TASK_ROOT=/var/task",
  "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
  "WORKDIR /var/task",
  'ENTRYPOINT ["/lambda-entrypoint.sh"]',
  'CMD ["index.echo"]'
]

/** Paths of the shared libraries of a program, the loader among them. */
const librariesOf = (program: string): ReadonlyArray<string> => {
  const listed = execFileSync("/bin/sh", ["-c", `ldd '${program}'`], { encoding: "utf8" })
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? [])
  const c = libraries.find((path) => path.includes("/libc.so"))
  const beside = c === undefined ? [] : nameServices.map((name) => join(dirname(c), name))
  return [...libraries, ...beside.filter(existsSync)]
}

const put = (root: string, path: string, from: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  copyFileSync(realpathSync(from), join(root, path))
}

const layOut = (root: string, clients: string): void => {
  const node = realpathSync(process.execPath)
  put(root, "var/lang/bin/node", node)
  for (const library of librariesOf(node)) put(root, library, library)
  put(root, "bin/busybox", execFileSync("/bin/sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim())
  for (const name of busyboxCommands) symlinkSync("busybox", join(root, "bin", name))
  put(root, "var/runtime/node.mjs", join(clients, "node.mjs"))
  cpSync(samples("node"), join(root, "var/task"), { recursive: true })
  for (const directory of ["tmp", "proc", "sys", "dev", "etc"]) mkdirSync(join(root, directory), { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text)
  chmodSync(join(root, "lambda-entrypoint.sh"), 0o755)
}

/** Of every file by its place, so that what is different has another name. */
const digestOf = (root: string): string => {
  const hash = createHash("sha256").update(settings.join("\n"))
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  for (const path of entries) hash.update(path.slice(root.length)).update(readFileSync(path))
  return hash.digest("hex").slice(0, 16)
}

const docker = (args: ReadonlyArray<string>) => spawnSync("docker", args, { encoding: "utf8" })

const isThere = (reference: string): boolean => docker(["image", "inspect", reference]).status === 0

const importTree = (root: string, reference: string): void => {
  const changes = settings.flatMap((line) => ["--change", line])
  const words = ["import", ...changes, "-", reference].map((word) => `'${word}'`).join(" ")
  const made = spawnSync("/bin/sh", ["-c", `tar -C '${root}' --owner=0 --group=0 -c . | docker ${words}`], {
    encoding: "utf8"
  })
  if (made.status !== 0) throw new Error(`the image of the tests was not made: ${made.stderr}`)
}

let made: Promise<string> | undefined

/** Its reference, once the engine has it. */
export const reference = (): Promise<string> =>
  (made ??= (async () => {
    const root = join(temporaryDirectory(), "root")
    mkdirSync(root)
    layOut(root, await clientsDirectory())
    const name = `esb-test/functions:${digestOf(root)}`
    if (!isThere(name)) importTree(root, name)
    return name
  })())

/** Where an image would have AWS's emulator: a script, so that the entrypoint has its name. */
const emulated = `FROM BASE
COPY RieStandIn.ts /usr/local/lib/RieStandIn.ts
COPY aws-lambda-rie /usr/local/bin/aws-lambda-rie
ENTRYPOINT ["/usr/local/bin/aws-lambda-rie", "/lambda-entrypoint.sh"]
`

/** The same functions behind an emulator, whatever the image is told. */
export const withEmulator = async (): Promise<string> => {
  const base = await reference()
  const context = join(temporaryDirectory(), "emulated")
  mkdirSync(context)
  const standIn = fileURLToPath(new URL("RieStandIn.ts", import.meta.url))
  copyFileSync(standIn, join(context, "RieStandIn.ts"))
  const script = join(context, "aws-lambda-rie")
  writeFileSync(script, '#!/bin/sh\nexec /var/lang/bin/node /usr/local/lib/RieStandIn.ts "$@"\n')
  chmodSync(script, 0o755)
  writeFileSync(join(context, "Dockerfile"), emulated.replace("BASE", base))
  const hash = createHash("sha256").update(base).update(emulated).update(readFileSync(standIn)).digest("hex")
  const name = `esb-test/emulated:${hash.slice(0, 16)}`
  if (!isThere(name)) {
    const { status, stderr } = docker(["build", "--quiet", "--tag", name, context])
    if (status !== 0) throw new Error(`the image with an emulator was not made: ${stderr}`)
  }
  return name
}
