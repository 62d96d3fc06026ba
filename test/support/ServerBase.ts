/** What the images of our programs are made from where no registry can be reached: files of this machine. */
import { existsSync, globSync } from "node:fs"
import { pathOf } from "./Engines.ts"
import * as ImageTree from "./ImageTree.ts"

/** Where iptables has its modules: beside the libraries of this machine's architecture. */
const modules = (): ImageTree.Tree => {
  const [path] = globSync("/usr/lib/*/xtables").filter((found) => existsSync(found))
  return path === undefined ? {} : ImageTree.directory(path.slice(1), path)
}

const filter = (): ImageTree.Tree => ({
  ...ImageTree.program("usr/sbin/iptables", ImageTree.commandPath("iptables")),
  ...ImageTree.program("usr/sbin/iptables-save", ImageTree.commandPath("iptables-save")),
  ...ImageTree.program("usr/sbin/iptables-restore", ImageTree.commandPath("iptables-restore")),
  ...modules()
})

const base = (name: string, tree: ImageTree.Tree, ...commands: ReadonlyArray<string>): string =>
  ImageTree.make(
    name,
    {
      ...ImageTree.system,
      ...ImageTree.program("usr/local/bin/node", process.execPath),
      ...filter(),
      ...tree,
      ...ImageTree.shell("cp", "sed", "mkdir", "chmod", "dirname", ...commands)
    },
    ["ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"]
  )

/** For `ESB_NODE_IMAGE`: Node, iptables, and a shell with the commands that put their libraries together. */
export const nodeImage = (): string => base("node", {})

const installed = ["containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "ethtool", "dmsetup"]

/** The same for the runtime node, with what it would install: containerd, and all that it and the plugins of networks run. */
export const runtimeImage = (): string =>
  base(
    "runtime",
    {
      ...Object.assign(
        {},
        ...installed.map((name) => ImageTree.program(`usr/bin/${name}`, ImageTree.commandPath(name)))
      ),
      ...ImageTree.directory("usr/lib/cni", pathOf("cni"))
    },
    "find",
    "ln",
    "mkfifo",
    "mount",
    "rm"
  )
