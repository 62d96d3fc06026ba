import { assert, describe, it } from "@effect/vitest"
import { FunctionName } from "#domain/FunctionName"
import * as ContainerSpec from "#layers/containerd/ContainerSpec"
import * as SystemCalls from "#layers/containerd/SystemCalls"

const plan = (given: Partial<ContainerSpec.ContainerPlan> = {}): ContainerSpec.ContainerPlan => ({
  name: "acme-dev-hello-0a1b2c3d",
  spec: {
    functionName: FunctionName.make("hello"),
    image: "registry:5010/acme-hello:1",
    environment: {},
    specHash: "5ec"
  },
  image: {
    config: { Entrypoint: ["/bin/sh", "-c"], Cmd: ["true"], Env: ["PATH=/bin", "A=image"], WorkingDir: "/var/task" }
  },
  imageUser: undefined,
  memoryMiB: 1_769,
  logStream: "1970/01/01/[$LATEST]00",
  networkNamespace: "/run/netns/acme-1",
  cgroupParent: "/acme",
  countsSwap: true,
  nameFiles: { resolver: "/run/acme/resolv.conf", hosts: "/run/acme/hosts" },
  door: { endpoint: "10.88.0.1:20001", token: "t0ken" },
  ...given
})

const withEnvironment = (environment: Readonly<Record<string, string>>) => ({ spec: { ...plan().spec, environment } })

const made = (given?: Partial<ContainerSpec.ContainerPlan>) => ContainerSpec.make(plan(given))

const mountAt = (place: string, spec: ContainerSpec.ContainerSpec) =>
  spec.mounts.find(({ destination }) => destination === place)

describe("the specification of a container", () => {
  it("starts what the image says, where it says, in the prepared network", () => {
    const { linux, process } = made()
    assert.deepStrictEqual(process.args, ["/bin/sh", "-c", "true"])
    assert.strictEqual(process.cwd, "/var/task")
    assert.strictEqual(made({ image: {} }).process.cwd, "/")
    assert.deepInclude(linux.namespaces, { type: "network", path: "/run/netns/acme-1" })
    assert.strictEqual(linux.cgroupsPath, "/acme/acme-dev-hello-0a1b2c3d")
  })

  it("puts the function's variables over the image's, and the platform's over both", () => {
    const { process } = made(withEnvironment({ A: "a=b", TZ: "Asia/Tokyo", AWS_LAMBDA_RUNTIME_API: "elsewhere" }))
    assert.deepStrictEqual(process.env.toSorted(), [
      "A=a=b",
      "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/hello",
      "AWS_LAMBDA_LOG_STREAM_NAME=1970/01/01/[$LATEST]00",
      "AWS_LAMBDA_RUNTIME_API=10.88.0.1:20001",
      "ESB_WORKER_TOKEN=t0ken",
      "PATH=/bin",
      "TZ=Asia/Tokyo"
    ])
  })

  it("says where commands are, where nobody else does, and tells of no door where none is told", () => {
    const { env } = made({ image: { config: { Env: ["EMPTY"] } }, door: undefined }).process
    assert.include(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    assert.include(env, "EMPTY=")
    assert.deepStrictEqual(
      env.filter((variable) => /^(AWS_LAMBDA_RUNTIME_API|ESB_WORKER_TOKEN)=/.test(variable)),
      []
    )
  })

  it("takes every right away, and the root file system's, but for /tmp", () => {
    const spec = made()
    const { capabilities, noNewPrivileges, rlimits, user } = spec.process
    assert.deepStrictEqual(new Set(Object.values(capabilities).flat()), new Set())
    assert.isTrue(noNewPrivileges)
    assert.isTrue(spec.root.readonly)
    assert.deepStrictEqual(user, { uid: 993, gid: 990 })
    assert.deepInclude(rlimits, { type: "RLIMIT_CORE", soft: 0, hard: 0 })
    assert.includeMembers(mountAt("/tmp", spec)?.options.slice() ?? [], [
      "rw",
      "nosuid",
      "nodev",
      "size=536870912",
      "uid=993",
      "gid=990"
    ])
    const places = spec.mounts.filter(({ type }) => type === "bind")
    for (const { options } of places) assert.includeMembers(options.slice(), ["ro", "nosuid", "nodev"])
  })

  it("names AWS's user unless the image names one, or the function wants to be root", () => {
    assert.deepStrictEqual(made({ imageUser: { uid: 5, gid: 6 } }).process.user, { uid: 5, gid: 6 })
    assert.deepStrictEqual(made(withEnvironment({ RUN_AS_ROOT: "1" })).process.user, { uid: 0, gid: 0 })
    assert.deepStrictEqual(made(withEnvironment({ RUN_AS_ROOT: "0" })).process.user, { uid: 993, gid: 990 })
  })

  it("limits memory without swap, processes and open files, and weighs a processor by memory", () => {
    const { resources } = made().linux
    assert.deepStrictEqual(resources.memory, { limit: 1_769 * 1_048_576, swap: 1_769 * 1_048_576 })
    assert.deepStrictEqual(resources.cpu, { shares: 1_024 })
    assert.deepStrictEqual(resources.pids, { limit: 1_024 })
    assert.deepStrictEqual(made({ memoryMiB: 128 }).linux.resources.cpu, { shares: 74 })
    assert.deepStrictEqual(made({ memoryMiB: 1 }).linux.resources.cpu, { shares: 2 })
    assert.deepStrictEqual(made({ memoryMiB: 1, countsSwap: false }).linux.resources.memory, { limit: 1_048_576 })
  })

  it("asks for no more than a process without rights over others' limits may have", () => {
    const { oomScoreAdj, rlimits } = made().process
    assert.isAtLeast(oomScoreAdj, 0)
    for (const { hard } of rlimits) assert.isAtMost(hard, 1_024)
  })

  it("shows whom to believe, in files that can only be read, unless the function says it", () => {
    const given = { trustDirectory: "/state/worker-ca", ...withEnvironment({ SSL_CERT_FILE: "/var/task/own.pem" }) }
    const spec = made(given)
    assert.strictEqual(mountAt("/etc/esb", spec)?.source, "/state/worker-ca")
    assert.includeMembers(spec.process.env.slice(), [
      "AWS_CA_BUNDLE=/etc/esb/ca.pem",
      "SSL_CERT_FILE=/var/task/own.pem"
    ])
    assert.isUndefined(mountAt("/etc/esb", made()))
  })

  it("lets containers share who looks after them only where that is asked for", () => {
    assert.notProperty(made(), "annotations")
    assert.deepStrictEqual(made({ shimGroup: "acme" }).annotations, { "io.containerd.runc.v2.group": "acme" })
  })
})

describe("the filter of system calls", () => {
  const rulesOf = (name: string) => SystemCalls.filter.syscalls.filter(({ names }) => names.includes(name))

  it("has one word on every call, but for those whose arguments decide", () => {
    const names = SystemCalls.filter.syscalls.flatMap(({ names }) => names)
    const repeated = new Set(names.filter((name, place) => names.indexOf(name) !== place))
    assert.deepStrictEqual(repeated, new Set(["personality"]))
  })

  it("refuses what changes the machine, reads others, or makes and leaves namespaces", () => {
    for (const name of ["mount", "ptrace", "setns", "unshare", "bpf", "keyctl", "init_module", "process_vm_readv"]) {
      assert.deepStrictEqual(
        rulesOf(name).map(({ action, errnoRet }) => [action, errnoRet]),
        [["SCMP_ACT_ERRNO", 1]]
      )
    }
    for (const name of ["io_uring_setup", "clone3"]) {
      assert.isFalse(rulesOf(name).some(({ action }) => action === "SCMP_ACT_ALLOW"))
    }
    const [clone] = rulesOf("clone")
    const made = clone?.args?.[0]
    for (const flag of [0x2_00_00, 0x1000_0000, 0x2000_0000, 0x4000_0000]) {
      assert.notStrictEqual((made?.value ?? 0) & flag, 0)
    }
  })
})
