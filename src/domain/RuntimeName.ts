/**
 * What starts the containers of a containerd, as `CONTAINERD_RUNTIME` and `CONTAINERD_RUNTIME_BINARY` name it, and what keeps their
 * files unless somebody says otherwise.
 */

/** The runtime whose containers are virtual machines. */
export const ofMachines = "aws.firecracker"

/** The snapshotter that makes disks of layers, out of a pool of the device mapper. */
export const diskSnapshotter = "devmapper"

/** The one that makes directories of them, on every Linux. */
export const directorySnapshotter = "overlayfs"

/** The one that is named; else disks for virtual machines, and directories for everything else. */
export const snapshotterOf = (runtime: string | undefined, snapshotter: string | undefined): string =>
  snapshotter ?? (runtime === ofMachines ? diskSnapshotter : directorySnapshotter)

/** Another word for what containerd does by itself. */
const containerdsOwn = "containerd"

/** The runtime that is named; `undefined`: containerd's own. */
export const named = (runtime: string | undefined): string | undefined =>
  runtime === containerdsOwn ? undefined : runtime

/**
 * What containerd looks for on its own PATH when it is told a name, or the path that it is told; `undefined`: it does not take this
 * for a name.
 */
export const shimOf = (runtime: string): string | undefined => {
  if (runtime.startsWith("/")) return runtime
  const parts = runtime.split(".")
  const [name, version] = parts.slice(-2)
  return parts.length < 2 || parts.includes("") || runtime.includes("/")
    ? undefined
    : `containerd-shim-${name}-${version}`
}

/** Shims that understand runc's options. A foreign shim that is sent them refuses to start, or takes them for something else. */
const runcShims: ReadonlySet<string> = new Set(["containerd-shim-runc-v1", "containerd-shim-runc-v2"])

/** Whether this runtime can be told to start another program in runc's place. */
export const takesProgram = (runtime: string): boolean => runcShims.has((shimOf(runtime) ?? "").split("/").at(-1) ?? "")

/** Of all three settings: containerd would say so at the first start of a worker, or start what was not meant. */
export const complaints = (
  given: string | undefined,
  program: string | undefined,
  sharesShim = false
): ReadonlyArray<string> => {
  const runtime = named(given)
  if (runtime === undefined) return []
  if (shimOf(runtime) === undefined) {
    const expected = "expected a name with a dot in it, such as aws.firecracker, or the absolute path of a shim"
    return [`CONTAINERD_RUNTIME (--containerd-runtime) is "${runtime}": ${expected}`]
  }
  if (takesProgram(runtime)) return []
  const another = `CONTAINERD_RUNTIME names another: ${runtime}`
  const ofProgram = `CONTAINERD_RUNTIME_BINARY (--containerd-runtime-binary) is "${program}": runc's shim starts it, and`
  const ofShim =
    "CONTAINERD_SHARED_SHIM (--containerd-shared-shim) is set: runc's shim can look after several workers, and"
  return [
    ...(program === undefined ? [] : [`${ofProgram} ${another}`]),
    ...(sharesShim ? [`${ofShim} ${another}`] : [])
  ]
}
