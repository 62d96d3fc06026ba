/**
 * Small images in the layout of AWS's base images, with the runtime clients that live in those: what starts a function is in
 * `/var/runtime`, the function in `/var/task`, layers in `/opt`, and AWS's emulator, where the machine has it, beside them.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
 */
import { execFileSync } from "node:child_process"
import { readFileSync, realpathSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { type EngineName, engine, pathOf } from "./Engines.ts"
import * as ImageArchive from "./ImageArchive.ts"
import * as ImageTree from "./ImageTree.ts"
import { clientsDirectory } from "./ProcessWorkers.ts"

/** An interpreter with AWS's runtime client, or with ours. */
export type BaseName = "node" | "python" | "java" | "provided" | "our node" | "our python"

/** What a machine has to have for a base, beside an engine. */
export const peers: Record<BaseName, ReadonlyArray<EngineName>> = {
  node: ["docker", "ric-node"],
  python: ["docker", "ric-python", "python"],
  java: ["docker", "ric-java", "java"],
  provided: ["docker"],
  "our node": ["docker"],
  "our python": ["docker", "python"]
}

/** As AWS documents it: the handler is the argument, and the emulator starts where nobody is the Runtime API. */
const entrypoint = `#!/bin/sh
if [ $# -ne 1 ]; then
  echo "the name of the handler is the one argument" >&2
  exit 142
fi
export _HANDLER="$1"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
fi
exec /var/runtime/bootstrap
`

const environment = [
  "PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
  "LANG=en_US.UTF-8",
  "LAMBDA_TASK_ROOT=/var/task",
  "LAMBDA_RUNTIME_DIR=/var/runtime"
]
const settings = [
  ...environment.map((variable) => `ENV ${variable}`),
  "WORKDIR /var/task",
  'ENTRYPOINT ["/lambda-entrypoint.sh"]'
]

const common = (): ImageTree.Tree => {
  const emulator = engine("rie")
  return {
    ...ImageTree.system,
    ...ImageTree.shell("cat", "env", "ls", "sed", "sleep", "stat"),
    "usr/bin/env": { link: "../../bin/busybox" },
    "lambda-entrypoint.sh": ImageTree.script(entrypoint),
    ...(emulator.present ? { "usr/local/bin/aws-lambda-rie": { from: emulator.path } } : {}),
    ...Object.fromEntries(["opt", "var/task", "var/runtime"].map((path) => [path, { empty: true }]))
  }
}

const bootstrap = (command: string): ImageTree.Tree => ({
  "var/runtime/bootstrap": ImageTree.script(`#!/bin/sh\nexec ${command}\n`)
})

const node = (): ImageTree.Tree => ImageTree.program("var/lang/bin/node", process.execPath)

/** What of a standard library no function needs. */
const unneeded =
  /(?:^|\/)(?:__pycache__|site-packages|dist-packages|test|tests|config-[^/]+|idlelib|tkinter|ensurepip)(?:\/|$)/

/** What is compiled belongs to its source whatever the hour of that is. */
const byContent = ["--invalidation-mode", "unchecked-hash"]

/** Where an interpreter and its standard library lie. */
const pythonPlaces = () => {
  const asked = "import sys, sysconfig; print(sys.executable, sysconfig.get_path('stdlib'), sep='\\n')"
  const told = execFileSync(pathOf("python"), ["-c", asked], { encoding: "utf8" })
  const [executable = "", library = ""] = told.trim().split("\n")
  return { executable, library }
}

/** The interpreter with its standard library, which it looks for beside itself. */
const python = (): ImageTree.Tree => {
  const { executable, library } = pythonPlaces()
  const name = basename(library)
  const modules = ImageTree.directory(`var/lang/lib/${name}`, library, (path) => !unneeded.test(path))
  const loaded = Object.keys(modules).filter((path) => path.endsWith(".so"))
  const inLibrary = (path: string): string => join(library, path.slice(`var/lang/lib/${name}/`.length))
  return {
    ...modules,
    ...ImageTree.librariesOf(...loaded.map(inLibrary)),
    // Compiled, because nobody can write it there later, and everybody would compile it anew.
    [`var/lang/lib/${name}/__pycache__`]: {
      make: (place) => void execFileSync(executable, ["-m", "compileall", "-q", ...byContent, dirname(place)]),
      key: "compiled"
    },
    ...ImageTree.program(`var/lang/bin/${name}`, executable),
    "var/lang/bin/python3": { link: name }
  }
}

/** Modules that clients of Java, and the functions of these tests, use. */
const javaModules = "java.base,java.logging,java.management,java.naming,java.sql,java.xml,jdk.unsupported"

/** Of the machine's own Java, as much as a function needs. */
const java = (): ImageTree.Tree => {
  const jlink = realpathSync(pathOf("java"))
  const home = join(dirname(jlink), "..")
  const options = ["--strip-debug", "--no-header-files", "--no-man-pages", "--compress=2", "--add-modules", javaModules]
  return {
    "var/lang": {
      make: (place) => void execFileSync(jlink, [...options, "--output", place]),
      key: `${options.join(" ")} ${readFileSync(join(home, "release"), "utf8")}`
    },
    ...ImageTree.librariesOf(...["bin/java", "lib/server/libjvm.so"].map((path) => join(home, path))),
    // A part of AWS's client is written in C++, as Node is.
    ...ImageTree.librariesOf(process.execPath)
  }
}

const trees: Record<BaseName, () => ImageTree.Tree | Promise<ImageTree.Tree>> = {
  node: () => {
    const client = "var/runtime/node_modules/aws-lambda-ric"
    const from = join(pathOf("ric-node"), "node_modules/aws-lambda-ric")
    return {
      ...node(),
      ...ImageTree.directory(client, from, (path) => ["index.mjs", "package.json", "rapid-client.node"].includes(path)),
      ...ImageTree.librariesOf(join(from, "rapid-client.node")),
      ...bootstrap(`/var/lang/bin/node /${client}/index.mjs "$_HANDLER"`)
    }
  },
  python: () => {
    const client = ImageTree.directory("var/runtime", pathOf("ric-python"), (path) => !unneeded.test(path))
    const loaded = Object.values(client).flatMap((entry) =>
      "from" in entry && entry.from.endsWith(".so") ? [entry.from] : []
    )
    return {
      ...python(),
      ...client,
      ...ImageTree.librariesOf(...loaded),
      ...bootstrap(
        '/usr/bin/env PYTHONPATH="${PYTHONPATH:-/var/runtime}" /var/lang/bin/python3 -m awslambdaric "$_HANDLER"'
      )
    }
  },
  java: () => {
    const path = "/var/runtime/lib/*:/var/task:/var/task/lib/*:/opt/java/lib/*"
    const main = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
    return {
      ...java(),
      ...ImageTree.directory("var/runtime/lib", pathOf("ric-java"), (file) => file.endsWith(".jar")),
      ...bootstrap(
        `/var/lang/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "${path}" ${main} "$_HANDLER"`
      )
    }
  },
  provided: () => ({
    ...ImageTree.program("usr/bin/curl", ImageTree.commandPath("curl")),
    "var/runtime/bootstrap": ImageTree.script("#!/bin/sh\nexec /var/task/bootstrap\n")
  }),
  "our node": async () => ({
    ...node(),
    "var/runtime/node.mjs": { from: join(await clientsDirectory(), "node.mjs") },
    ...bootstrap("/var/lang/bin/node /var/runtime/node.mjs")
  }),
  "our python": async () => {
    const clients = join(await clientsDirectory(), "python")
    return {
      ...python(),
      ...ImageTree.directory("var/runtime/python", clients, (path) => !unneeded.test(path)),
      ...bootstrap("/var/lang/bin/python3 /var/runtime/python/bootstrap.py")
    }
  }
}

const made = new Map<BaseName, Promise<string>>()

const repositoryOf = (name: BaseName): string => `base-${name.replace(" ", "-")}`

/** The reference of a base, once the engine has it. */
export const reference = (name: BaseName): Promise<string> => {
  const known =
    made.get(name) ??
    Promise.resolve(trees[name]()).then((tree) =>
      ImageTree.make(repositoryOf(name), { ...common(), ...tree }, settings)
    )
  made.set(name, known)
  return known
}

/** What lies on a base. */
export interface Content {
  /** Directory of the function. */
  readonly task?: string
  readonly handler: string
  readonly more?: ImageTree.Tree
  /** Further lines of its Dockerfile. */
  readonly settings?: ReadonlyArray<string>
}

const filesOf = ({ more = {}, task }: Content): ImageTree.Tree => ({
  ...(task === undefined ? {} : ImageTree.directory("var/task", task, (path) => !unneeded.test(path))),
  ...more
})

/** An image of a function, as AWS's documentation makes one: code into the task root, the handler as the command. */
export const image = async (name: BaseName, content: Content): Promise<string> => {
  // An entrypoint would take the command of its base away.
  const lines = [...(content.settings ?? []), `CMD ["${content.handler}"]`]
  return ImageTree.extend(`on-${repositoryOf(name)}`, await reference(name), filesOf(content), lines)
}

/** The same for an engine that is given its images as archives; nobody builds it, so that nobody reads lines of a Dockerfile. */
export const archive = async (
  name: BaseName,
  content: Omit<Content, "settings">
): Promise<ImageArchive.ImageArchive> => {
  const tree = { ...common(), ...(await trees[name]()), ...filesOf(content) }
  return ImageArchive.make(`docker.io/esb-test/on-${repositoryOf(name)}:1`, tree, {
    Env: environment,
    WorkingDir: "/var/task",
    Entrypoint: ["/lambda-entrypoint.sh"],
    Cmd: [content.handler]
  })
}
