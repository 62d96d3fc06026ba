/** What the images of our programs are made from where no registry can be reached: files of this machine. */
import { existsSync, globSync } from "node:fs"
import * as ImageTree from "./ImageTree.ts"

/** Where iptables has its modules: beside the libraries of this machine's architecture. */
const modules = (): ImageTree.Tree => {
  const [path] = globSync("/usr/lib/*/xtables").filter((found) => existsSync(found))
  return path === undefined ? {} : ImageTree.directory(path.slice(1), path)
}

/** For `ESB_NODE_IMAGE`: Node, iptables, and a shell with the commands that put their libraries together. */
export const nodeImage = (): string =>
  ImageTree.make(
    "node",
    {
      ...ImageTree.system,
      ...ImageTree.program("usr/local/bin/node", process.execPath),
      ...ImageTree.program("usr/sbin/iptables", ImageTree.commandPath("iptables")),
      ...ImageTree.program("usr/sbin/iptables-restore", ImageTree.commandPath("iptables-restore")),
      ...modules(),
      ...ImageTree.shell("cp", "sed", "mkdir", "chmod", "dirname")
    },
    ["ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"]
  )
