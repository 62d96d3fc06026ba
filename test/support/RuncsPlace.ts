/** Programs that can take runc's place, each as a script that a test can name, and runc's shim under other names. */
import { copyFileSync, existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathOf } from "./Engines.ts"
import { temporaryDirectory } from "./ProcessWorkers.ts"

/**
 * Where control groups of both versions are mounted, and the second one has a controller: crun and gVisor refuse to choose. Each
 * of their runs gets mounts of its own, without it, so that the machine stays as it is.
 */
const secondVersion = "/sys/fs/cgroup/unified"

const directory = (): string => mkdtempSync(join(temporaryDirectory(), "runtime-"))

const script = (name: string, command: string): string => {
  const path = join(directory(), name)
  const alone = `exec unshare --mount sh -c 'umount ${secondVersion} && exec "$@"' sh ${command} "$@"`
  writeFileSync(path, `#!/bin/sh\n${existsSync(secondVersion) ? alone : `exec ${command} "$@"`}\n`, { mode: 0o755 })
  return path
}

export const crun = (): string => script("crun", pathOf("crun"))

/**
 * gVisor without virtualisation, which machines of tests lack, and with the network of the container as the kernel has it: its own
 * one wants to take addresses over that a network namespace of CNI keeps.
 */
export const gVisor = (): string => script("gvisor", `${pathOf("runsc")} --platform=ptrace --network=host`)

/** The directory of a shim that is runc's in all but its name: a containerd that looks there takes it for another one. */
export const shimNamed = (name: string): string => {
  const place = directory()
  copyFileSync(join(dirname(pathOf("containerd")), "containerd-shim-runc-v2"), join(place, name))
  return place
}
