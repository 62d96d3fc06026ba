/**
 * Images whose file system is a list of files of this machine, so that no registry is needed. Each is named after its
 * content: it is made once, and kept between runs.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { temporaryDirectory } from "./ProcessWorkers.ts"

/**
 * A file as one of this machine is, a file with a text, a link, a directory with nothing in it, or one that a tool makes in
 * its place, told apart by a key.
 */
type Entry =
  | { readonly from: string }
  | { readonly text: string; readonly mode?: number }
  | { readonly link: string }
  | { readonly empty: true }
  | { readonly make: (place: string) => void; readonly key: string }

/** By its path in the image, without a slash at the beginning. */
export type Tree = Readonly<Record<string, Entry>>

/**
 * In no list of what a program needs: loaded by name when names are looked up, or by programs of others, which name parts of
 * the C library that are one today.
 */
const besideC = [
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libresolv.so.2",
  "librt.so.1",
  "libpthread.so.0",
  "libdl.so.2"
]

/** The shared libraries of programs, and of other libraries, where the loader will look for them. */
export const librariesOf = (...binaries: ReadonlyArray<string>): Tree => {
  const { stdout } = spawnSync("/bin/sh", ["-c", 'ldd "$@"', "sh", ...binaries], { encoding: "utf8" })
  const paths = [...stdout.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? [])
  const c = paths.find((path) => path.includes("/libc.so"))
  const beside = c === undefined ? [] : besideC.map((name) => join(dirname(c), name)).filter(existsSync)
  return Object.fromEntries([...paths, ...beside].map((path) => [path.slice(1), { from: path }]))
}

/** A program with all it loads. */
export const program = (path: string, from: string): Tree => ({ [path]: { from }, ...librariesOf(from) })

/** A command of this machine. */
export const commandPath = (name: string): string =>
  realpathSync(execFileSync("/bin/sh", ["-c", `command -v '${name}'`], { encoding: "utf8" }).trim())

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** Every file of a directory whose path in it is wanted. */
export const directory = (path: string, from: string, isWanted: (path: string) => boolean = () => true): Tree => {
  const paths = readdirSync(from, { recursive: true, encoding: "utf8" }).filter(isWanted)
  const files = paths.filter((inside) => isFile(join(from, inside)))
  return Object.fromEntries(files.map((inside) => [join(path, inside), { from: join(from, inside) }]))
}

/** A shell and a few commands. */
export const shell = (...commands: ReadonlyArray<string>): Tree => ({
  "bin/busybox": { from: commandPath("busybox") },
  ...Object.fromEntries(["sh", ...commands].map((name) => [`bin/${name}`, { link: "busybox" }]))
})

export const script = (text: string): Entry => ({ text, mode: 0o755 })

/** What every system has: users, names, and places to mount on. */
export const system: Tree = {
  "etc/passwd": {
    text: "root:x:0:0::/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
  },
  "etc/group": { text: "root:x:0:\nsbx:x:990:\n" },
  "etc/nsswitch.conf": { text: "hosts: files dns\n" },
  "etc/resolv.conf": { text: "" },
  "etc/hosts": { text: "" },
  ...Object.fromEntries(["tmp", "proc", "sys", "dev"].map((path) => [path, { empty: true }]))
}

/** Files of a tree in their places below a directory. */
export const layOut = (root: string, tree: Tree): void => {
  for (const [path, entry] of Object.entries(tree)) {
    const place = join(root, path)
    mkdirSync("empty" in entry ? place : dirname(place), { recursive: true })
    if ("from" in entry) copyFileSync(entry.from, place)
    else if ("link" in entry) symlinkSync(entry.link, place)
    else if ("make" in entry) entry.make(place)
    else if ("text" in entry) {
      writeFileSync(place, entry.text)
      chmodSync(place, entry.mode ?? 0o644)
    }
  }
}

/** Of every file by its place, so that what is different has another name. */
const digestOf = (tree: Tree, settings: string): string => {
  const hash = createHash("sha256").update(settings)
  for (const [path, entry] of Object.entries(tree).toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    hash.update(`\0${path}\0`)
    if ("from" in entry) hash.update(String(statSync(entry.from).mode)).update(readFileSync(entry.from))
    else hash.update(JSON.stringify(entry))
  }
  return hash.digest("hex").slice(0, 16)
}

const docker = (args: ReadonlyArray<string>) => {
  const { status, stderr } = spawnSync("docker", args, { encoding: "utf8" })
  return { isDone: status === 0, stderr }
}

const isThere = (reference: string): boolean => docker(["image", "inspect", reference]).isDone

/** Lays a tree out for as long as it is used. */
const laidOut = (tree: Tree, use: (root: string) => { readonly isDone: boolean; readonly stderr: string }): void => {
  const root = mkdtempSync(join(temporaryDirectory(), "tree-"))
  layOut(root, tree)
  const { isDone, stderr } = use(root)
  rmSync(root, { recursive: true })
  if (!isDone) throw new Error(`an image of the tests was not made: ${stderr}`)
}

/** The reference of an image of nothing but a tree, once the engine has it; `settings` are lines of a Dockerfile. */
export const make = (repository: string, tree: Tree, settings: ReadonlyArray<string>): string => {
  const reference = `esb-test/${repository}:${digestOf(tree, settings.join("\n"))}`
  if (!isThere(reference)) {
    laidOut(tree, (root) => {
      const changes = settings.map((line) => `--change '${line}'`).join(" ")
      const command = `tar -C '${root}' --owner=0 --group=0 -c . | docker import ${changes} - '${reference}'`
      const { status, stderr } = spawnSync("/bin/sh", ["-c", command], { encoding: "utf8" })
      return { isDone: status === 0, stderr }
    })
  }
  return reference
}

/** The reference of an image that adds a tree to another one. */
export const extend = (repository: string, base: string, tree: Tree, settings: ReadonlyArray<string>): string => {
  const dockerfile = [`FROM ${base}`, "COPY root/ /", ...settings, ""].join("\n")
  const reference = `esb-test/${repository}:${digestOf(tree, dockerfile)}`
  if (!isThere(reference)) {
    const context = Object.fromEntries(Object.entries(tree).map(([path, entry]) => [`root/${path}`, entry]))
    laidOut({ root: { empty: true }, ...context, Dockerfile: { text: dockerfile } }, (root) =>
      docker(["build", "--quiet", "--tag", reference, root])
    )
  }
  return reference
}
