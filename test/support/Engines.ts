/**
 * The optional peers of the tests. A peer that a machine lacks is a skip with its reason; when `ESB_REQUIRE` names it
 * (`ESB_REQUIRE=python,golden`), it is a failure, so that a machine meant to have it cannot pass without.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

declare module "vitest" {
  interface TaskMeta {
    /** Why this test, or every test of this suite, is skipped on this machine. */
    skipReason?: string
  }
}

/** A peer that is there, with the path of what to use of it, or the reason why it is not. */
export type Engine =
  | { readonly present: true; readonly path: string }
  | { readonly present: false; readonly reason: string }

const here = (path: string): Engine => ({ present: true, path })
const missing = (reason: string): Engine => ({ present: false, reason })

/** The absolute path of a command on the PATH. */
const command = (name: string, advice: string): Engine => {
  const { status, stdout } = spawnSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" })
  return status === 0 ? here(stdout.trim()) : missing(`no ${name} on the PATH; ${advice}`)
}

/** A directory that a variable names, or that lies where it is expected without one. */
const named = (variable: string, fallback: string | undefined, advice: string): Engine => {
  const path = process.env[variable] ?? fallback
  if (path === undefined) return missing(`${variable} is not set; ${advice}`)
  return existsSync(path) ? here(path) : missing(`nothing at ${path}; ${advice}`)
}

/** A Compose in Python takes seconds to begin where the machine has other things to do. */
const answerLimitMs = 20_000

/** An engine that has to answer a question, not just to be installed. */
const answering = (name: string, ...args: ReadonlyArray<string>): Engine => {
  const client = command(name, "install it and start its daemon")
  if (!client.present) return client
  const { status, stderr, error } = spawnSync(client.path, args, { encoding: "utf8", timeout: answerLimitMs })
  return status === 0 ? client : missing((error?.message ?? stderr).trim().split("\n").at(-1) ?? "no answer")
}

/** Either Compose will do; it needs an engine. */
const composing = (): Engine => {
  const engine = answering("docker", "version", "--format", "{{.Server.Version}}")
  if (!engine.present) return engine
  const plugin = answering("docker", "compose", "version")
  const program = answering("docker-compose", "version")
  return plugin.present || program.present ? engine : missing("no Compose; apt-get install docker-compose")
}

/** A command that a variable names, or that is on the PATH. */
const commandNamed = (variable: string, name: string, advice: string): Engine =>
  process.env[variable] === undefined
    ? command(name, `${advice}, or set ${variable}`)
    : named(variable, undefined, advice)

/** Tracing another process is a right that some containers withhold. */
const tracing = (): Engine => {
  const strace = command("strace", "apt-get install strace")
  if (!strace.present) return strace
  const { status, stderr } = spawnSync(strace.path, ["-o", "/dev/null", "true"], { encoding: "utf8" })
  return status === 0 ? strace : missing(`it may not trace here: ${stderr.trim()}`)
}

/** Plugins that make networks, and the right to have networks of one's own. */
const networking = (): Engine => {
  const plugins = named("ESB_CNI", "/usr/lib/cni", "apt-get install containernetworking-plugins, or set ESB_CNI")
  if (!plugins.present) return plugins
  const { error, status, stderr } = spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"], {
    encoding: "utf8"
  })
  return status === 0 ? plugins : missing(`no network namespaces here: ${(error?.message ?? stderr).trim()}`)
}

const besideTheCheckout = fileURLToPath(new URL("../../../shared/golden", import.meta.url))

/** Filters of both kinds in network namespaces of their own: rights of root that some containers withhold. */
const filtering = (): Engine => {
  const legacy = command("iptables-legacy", "apt-get install iptables")
  if (!legacy.present) return legacy
  const { error, status, stderr } = spawnSync("unshare", ["--net", "iptables-nft", "-S"], { encoding: "utf8" })
  return status === 0 ? legacy : missing(`no network namespaces here: ${(error?.message ?? stderr).trim()}`)
}

/** Containers are made of mounts and namespaces, which are for root. */
const containing = (daemon: Engine): Engine => {
  const runc = command("runc", "apt-get install runc")
  if (!runc.present || !daemon.present) return runc.present ? daemon : runc
  const { error, status, stderr } = spawnSync("unshare", ["--mount", "--net", "true"], { encoding: "utf8" })
  return status === 0 ? daemon : missing(`no namespaces here: ${(error?.message ?? stderr).trim()}`)
}

/** A containerd beside the machine's own: `ESB_CONTAINERD=1.7=/opt/one/usr/bin,2=/opt/other/usr/bin`. */
const containerdOf = (series: string): Engine => {
  const advice = `name the directory of one: ESB_CONTAINERD=${series}=/opt/containerd/usr/bin`
  const named = (process.env["ESB_CONTAINERD"] ?? "").split(",").find((entry) => entry.startsWith(`${series}=`))
  if (named === undefined) return missing(`ESB_CONTAINERD has no entry ${series}; ${advice}`)
  const path = join(named.slice(series.length + 1), "containerd")
  return existsSync(path) ? here(path) : missing(`nothing at ${path}; ${advice}`)
}

/** QEMU needs no rights but those of networks, and a kernel that is not the machine's. */
const emulating = (): Engine => {
  const absent = [
    command("qemu-system-x86_64", "apt-get install qemu-system-x86"),
    command("lz4", "apt-get install lz4"),
    command("mke2fs", "apt-get install e2fsprogs"),
    existsSync("/dev/net/tun") ? here("/dev/net/tun") : missing("there is no /dev/net/tun")
  ].find((it) => !it.present)
  return (
    absent ??
    named("ESB_GUEST_KERNEL", undefined, "name a directory of dpkg -x with the package linux-image-*-cloud-amd64 in it")
  )
}

/** Disks of a kernel that has them, which not every kernel of a machine for tests does. */
const mapping = (): Engine => {
  const dmsetup = command("dmsetup", "apt-get install dmsetup")
  if (!dmsetup.present) return dmsetup
  const { stderr, stdout } = spawnSync(dmsetup.path, ["targets"], { encoding: "utf8" })
  return stdout.includes("thin-pool") ? dmsetup : missing(stderr.trim().split("\n")[0] || "modprobe dm-thin-pool")
}

/** The first `node` on the PATH that is older than the project's. */
const oldNode = (): Engine => {
  const candidates = (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, "node"))
  const old = candidates.find((path) => {
    const { status, stdout } = spawnSync(path, ["-p", "process.versions.node"], { encoding: "utf8" })
    return status === 0 && Number.parseInt(stdout) < 24
  })
  return old === undefined ? missing("every node on the PATH is new enough for the project") : here(old)
}

const probes = {
  /** A Python 3 that runs functions; `path` is the interpreter. */
  python: () => command("python3", "install Python 3"),
  /** Traces system calls; `path` is the command. */
  strace: tracing,
  /** Looks at certificates with eyes that are not ours; `path` is the command. */
  openssl: () => command("openssl", "install OpenSSL"),
  /** Answers recorded from AWS; `path` is their directory. */
  golden: () => named("ESB_GOLDEN", besideTheCheckout, "set ESB_GOLDEN to the directory of recorded answers"),
  /** AWS's own runtime client for Node, unmodified; `path` is the directory that holds its `node_modules`. */
  "ric-node": () => named("ESB_RIC_NODE", undefined, "name a directory in which `npm install aws-lambda-ric` was run"),
  /** AWS's own runtime client for Python, unmodified; `path` is the directory to put on PYTHONPATH. */
  "ric-python": () => named("ESB_RIC_PYTHON", undefined, "name a directory of `pip install --target DIR awslambdaric`"),
  /** AWS's Runtime Interface Emulator, unmodified; `path` is the program. */
  rie: () =>
    named("ESB_RIE", undefined, "name AWS's emulator, such as aws-lambda-rie-x86_64 in the wheel of aws-sam-cli"),
  /** AWS's own runtime client for Java, unmodified; `path` is the directory that holds it and all it needs. */
  "ric-java": () =>
    named(
      "ESB_RIC_JAVA",
      undefined,
      "name a directory with the jars of com.amazonaws:aws-lambda-java-runtime-interface-client:2.9.0 and its dependencies"
    ),
  /** A Java Development Kit, which makes small runtimes and classes; `path` is its `jlink`. */
  java: () => command("jlink", "apt-get install openjdk-17-jdk-headless"),
  /** The Lambda Web Adapter, unmodified; `path` is the program. */
  lwa: () => commandNamed("ESB_LWA", "lambda-adapter", "cargo install lambda_web_adapter --version 0.9.1 --locked"),
  /** The right to change packet filters, and their commands; `path` is the old filter's. */
  "packet-filter": filtering,
  /** A Node that the project does not run on, as many machines have one; `path` is the interpreter. */
  "old-node": oldNode,
  /** Asks gRPC servers what they are, by reflection; `path` is the command. */
  grpcurl: () =>
    commandNamed("ESB_GRPCURL", "grpcurl", "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"),
  /** A server of the S3 API that is nobody's here, lifecycle rules included; `path` is the command. */
  minio: () =>
    commandNamed("ESB_MINIO", "minio", "go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"),
  /** VictoriaLogs itself; `path` is the program. */
  victorialogs: () =>
    commandNamed(
      "ESB_VICTORIALOGS",
      "victoria-logs",
      "build app/victoria-logs of github.com/VictoriaMetrics/VictoriaMetrics"
    ),
  /** CoreDNS itself, with the plugins that its makers give it; `path` is the program. */
  coredns: () => commandNamed("ESB_COREDNS", "coredns", "go install github.com/coredns/coredns@v1.14.7"),
  /** A Docker daemon; `path` is the client. */
  docker: () => answering("docker", "version", "--format", "{{.Server.Version}}"),
  /** Compose, as the docker client's plugin or as a program of its own, and an engine for it; `path` is the docker client. */
  compose: composing,
  /** A registry of images, as Debian packages the reference one; `path` is the program. */
  registry: () => command("docker-registry", "apt-get install docker-registry"),
  /** Plugins of the Container Network Interface, and root's rights to run them; `path` is their directory. */
  cni: networking,
  /** A containerd of the tests' own, and the rights to run containers in it; `path` is the daemon. */
  containerd: () => containing(command("containerd", "apt-get install containerd")),
  /** The same of series that the machine does not run, each with its own client and shims beside it. */
  "containerd-1.7": () => containing(containerdOf("1.7")),
  "containerd-2": () => containing(containerdOf("2")),
  /** What a runtime node sets network cards by; `path` is the command. */
  ethtool: () => command("ethtool", "apt-get install ethtool"),
  /** What a runtime node looks for disks with; `path` is the command. */
  dmsetup: () => command("dmsetup", "apt-get install dmsetup"),
  /** Pools of the device mapper, of which containerd can make disks; `path` is the command that makes them. */
  "thin-pool": mapping,
  /** Another program in runc's place; `path` is the program. */
  crun: () => command("crun", "apt-get install crun"),
  /** gVisor, whose containers talk to a kernel of its own; `path` is the program. */
  runsc: () => command("runsc", "apt-get install runsc"),
  /** Virtual machines without a processor's help, and a kernel for them; `path` is where a kernel's package is unpacked. */
  microvm: emulating
} satisfies Record<string, () => Engine>

export type EngineName = keyof typeof probes

const probed = new Map<EngineName, Engine>()

/** Looks for a peer, once per test file. */
export const engine = (name: EngineName): Engine => {
  const known = probed.get(name) ?? probes[name]()
  probed.set(name, known)
  return known
}

const required = (process.env["ESB_REQUIRE"] ?? "").split(",").flatMap((name) => name.trim() || [])

/**
 * The options of a test or a suite that cannot do without some peers: `describe("…", needs("python", "strace"), …)`
 * or, last, `it.live("…", () => …, needs("golden"))`. Throws when a missing one is required.
 */
export const needs = (...names: ReadonlyArray<EngineName>) => {
  const unknown = required.filter((name) => !(name in probes))
  if (unknown.length > 0) throw new Error(`ESB_REQUIRE names ${unknown.join(", ")}, which no test knows`)
  const absent = names.flatMap((name) => {
    const peer = engine(name)
    return peer.present ? [] : [{ name, told: `${name}: ${peer.reason}` }]
  })
  const fatal = absent.filter(({ name }) => required.includes(name))
  if (fatal.length > 0) throw new Error(`required by ESB_REQUIRE, ${fatal.map(({ told }) => told).join("; ")}`)
  return absent.length === 0 ? {} : { skip: true, meta: { skipReason: absent.map(({ told }) => told).join("; ") } }
}

/** The path of a peer inside a test that `needs` it. */
export const pathOf = (name: EngineName): string => {
  const peer = engine(name)
  if (!peer.present) throw new Error(`${name}: ${peer.reason}`)
  return peer.path
}
