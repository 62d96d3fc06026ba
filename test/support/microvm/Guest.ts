/** What a guest starts with: a kernel, and files in memory whose first program makes a machine of it for the function. */
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync, readdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"

export interface Bundle {
  readonly process: {
    readonly args: ReadonlyArray<string>
    readonly env: ReadonlyArray<string>
    readonly cwd: string
    readonly user: { readonly uid: number; readonly gid: number }
  }
  readonly hostname: string
  readonly mounts: ReadonlyArray<{
    readonly destination: string
    readonly type: string
    readonly source: string
    readonly options: ReadonlyArray<string>
  }>
  readonly linux: {
    readonly namespaces: ReadonlyArray<{ readonly type: string; readonly path?: string }>
    readonly resources: { readonly memory: { readonly limit: number } }
  }
}

export interface Address {
  /** With the length of its network: `10.88.0.5/16`. */
  readonly ip: string
  readonly gateway: string
  readonly mac: string
}

/** Drivers that the kernel does not have in itself, in the order in which they need one another. */
const drivers = "virtio_ring virtio virtio_mmio virtio_blk virtio_console failover net_failover virtio_net".split(" ")

/** A kernel lies packed in its image: an emulated processor would take half a minute to unpack it. */
const lz4Magic = Buffer.from([0x02, 0x21, 0x4c, 0x18])
const elfMagic = Buffer.from([0x7f, 0x45, 0x4c, 0x46])
const kernelLimitBytes = 256 * 1024 ** 2

const unpacked = (image: Buffer): Buffer => {
  const input = image.subarray(image.indexOf(lz4Magic))
  // It complains of what follows the kernel in the image, when it has written all of it.
  const { stdout } = spawnSync("lz4", ["-dc"], { input, maxBuffer: kernelLimitBytes })
  if (!stdout.subarray(0, elfMagic.length).equals(elfMagic)) throw new Error("no kernel came out of its image")
  return stdout
}

interface File {
  readonly mode: number
  readonly content: Buffer
}

const directory: File = { mode: 0o040755, content: Buffer.alloc(0) }
const program = (content: Buffer): File => ({ mode: 0o100755, content })

const padded = (...parts: ReadonlyArray<Buffer>): Buffer => {
  const all = Buffer.concat(parts)
  return Buffer.concat([all, Buffer.alloc((4 - (all.length % 4)) % 4)])
}

/** The kernel unpacks one archive after the other. @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html */
const archive = (files: Readonly<Record<string, File>>): Buffer => {
  const entries = Object.entries({ ...files, "TRAILER!!!": { mode: 0, content: Buffer.alloc(0) } })
  const written = entries.map(([path, { content, mode }], number) => {
    const name = Buffer.from(`${path}\0`)
    const numbers = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0]
    const header = `070701${numbers.map((value) => value.toString(16).padStart(8, "0")).join("")}`
    return Buffer.concat([padded(Buffer.from(header), name), padded(content)])
  })
  return Buffer.concat(written)
}

export const kernelFile = "vmlinux"
const commonFile = "common.cpio"

/** Puts what all guests have in common into a directory: `parts` is one into which a kernel's Debian package was unpacked. */
export const prepare = (parts: string, place: string): void => {
  const only = (path: string, pattern: RegExp): string => {
    const name = readdirSync(path).find((each) => pattern.test(each))
    if (name === undefined) throw new Error(`nothing like ${pattern} in ${path}`)
    return join(path, name)
  }
  const modules = only(join(parts, "lib/modules"), /-cloud-amd64$/)
  const paths = readdirSync(modules, { recursive: true, encoding: "utf8" })
  const driver = (name: string): File => {
    const path = paths.find((each) => basename(each) === `${name}.ko`)
    if (path === undefined) throw new Error(`no driver ${name} in ${modules}`)
    return program(readFileSync(join(modules, path)))
  }
  const busybox = execFileSync("/bin/sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim()
  const common = {
    ...Object.fromEntries(["bin", "dev", "drivers", "proc", "root", "sys"].map((path) => [path, directory])),
    "bin/busybox": program(readFileSync(busybox)),
    ...Object.fromEntries(drivers.map((name) => [`drivers/${name}.ko`, driver(name)]))
  }
  writeFileSync(join(place, commonFile), archive(common))
  writeFileSync(join(place, kernelFile), unpacked(readFileSync(only(join(parts, "boot"), /^vmlinuz-.*-cloud-amd64$/))))
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The guest's first program. Its disk is read only; what the container has in memory, it has in memory. */
const init = ({ hostname, mounts, process }: Bundle, { gateway, ip, mac }: Address): string => {
  const { args, cwd, env, user } = process
  const inMemory = mounts.filter(({ type }) => type === "tmpfs" || type === "devpts")
  const options = (all: ReadonlyArray<string>): string => all.filter((option) => option !== "newinstance").join()
  return [
    "#!/bin/busybox sh",
    "/bin/busybox mount -t proc proc /proc && /bin/busybox --install -s /bin",
    "export PATH=/bin",
    "mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev",
    `for driver in ${drivers.join(" ")}; do insmod /drivers/$driver.ko; done`,
    "mount -o ro /dev/vda /root",
    "mount -t proc proc /root/proc; mount -t sysfs -o ro sysfs /root/sys; mount -t devtmpfs dev /root/dev",
    ...inMemory
      .filter(({ destination }) => destination !== "/dev")
      .map(
        ({ destination, options: given, type }) =>
          `mkdir -p /root${destination}; mount -t ${type} -o ${quoted(options(given))} ${type} /root${destination}`
      ),
    `hostname ${quoted(hostname)}; ip link set lo up; ip link set eth0 address ${mac} up`,
    `ip addr add ${ip} dev eth0; ip route add default via ${gateway}`,
    `output=$(echo /dev/vport*p1); told=$(echo /dev/vport*p2)`,
    `env -i ${env.map(quoted).join(" ")} /bin/setpriv --nnp /bin/nsenter -r/root ${quoted(`-w/root${cwd}`)} -S ${user.uid} -G ${user.gid} \\`,
    `  ${args.map(quoted).join(" ")} >$output 2>&1 </dev/null`,
    "echo $? >$told; poweroff -f",
    ""
  ].join("\n")
}

/** The files in memory of one guest. */
export const memory = (place: string, bundle: Bundle, address: Address): Buffer =>
  Buffer.concat([readFileSync(join(place, commonFile)), archive({ init: program(Buffer.from(init(bundle, address))) })])
