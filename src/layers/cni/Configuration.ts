/** The configuration file of the stack's network: written at start, and read as the plugins' users read it. */
import { Effect, Option, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import { constants } from "node:fs"
import { access, chmod, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as BrandNetwork from "#domain/BrandNetwork"
import * as Conflist from "#domain/Conflist"
import * as Subnet from "#domain/Subnet"
import { NetworkUnavailable } from "#services/Cni"
import * as AddressFiles from "./AddressFiles.ts"
import type { CniSettings } from "./CniSettings.ts"

const List = Schema.fromJsonString(Conflist.Conflist)
const decodeList = Schema.decodeUnknownResult(List)

const attempt = <A>(what: string, action: () => Promise<A>) =>
  Effect.tryPromise({
    try: action,
    catch: (cause) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      return new NetworkUnavailable({ detail: `${what}: ${why}`, cause })
    }
  })

const writeWhole = (path: string, text: string) =>
  attempt(`writing ${path}`, async () => {
    await mkdir(dirname(path), { recursive: true })
    const fresh = `${path}.new`
    await writeFile(fresh, text)
    // Whatever the mask of this process is: those who read are others.
    await chmod(fresh, 0o644)
    await rename(fresh, path)
  })

/** The other configurations of the directory. */
const othersIn = Effect.fnUntraced(function* (directory: string, except: string) {
  const files = yield* Effect.orElseSucceed(
    attempt(directory, () => readdir(directory)),
    () => []
  )
  const others = files
    .map((file) => resolve(directory, file))
    .filter((path) => /\.(conflist|conf)$/.test(path) && path !== resolve(except))
  // One that cannot be read gives no plugin an address either.
  const texts = yield* Effect.forEach(others, (path) =>
    Effect.option(
      Effect.map(
        attempt(path, () => readFile(path, "utf8")),
        (text) => ({ path, text })
      )
    )
  )
  return texts.flatMap(Option.toArray)
})

/** Networks that they name, whatever language they are written in. */
const subnetsIn = (others: ReadonlyArray<{ readonly text: string }>) =>
  others
    .flatMap(({ text }) => [...text.matchAll(/"subnet"\s*:\s*"([^"]+)"/g)])
    .flatMap(([, subnet = ""]) => Option.toArray(Result.getSuccess(Subnet.parse(subnet))))

/** Of a stack of another brand, whose plugins would give addresses of this network a second time. */
const refuseSharing = Effect.fnUntraced(function* (
  subnet: Subnet.Subnet,
  others: ReadonlyArray<{ readonly path: string; readonly text: string }>
) {
  for (const { path, text } of others) {
    const list = Result.getOrUndefined(decodeList(text))
    const bridge = list === undefined ? undefined : Result.getOrUndefined(Conflist.bridgeOf(list))
    if (list === undefined || bridge === undefined || !Conflist.isGenerated(list)) continue
    if (!Subnet.overlap(bridge.subnet, subnet)) continue
    const inUse = yield* AddressFiles.read(join(bridge.addressDirectory, list.name))
    if (inUse.length === 0) continue
    const detail = `${Subnet.format(subnet)} is in use by ${list.name}, see ${path}: set CNI_SUBNET, to auto for example`
    return yield* new NetworkUnavailable({ detail })
  }
})

const planned = Effect.fnUntraced(function* (settings: CniSettings, path: string) {
  const { brand } = settings.identity
  const digest = createHash("md5").update(brand).digest()
  const { subnet: place = BrandNetwork.ordinary.subnet } = settings
  const isFound = place === "auto"
  const others = yield* othersIn(settings.configurationDirectory, path)
  const subnet = isFound ? BrandNetwork.subnet(digest, subnetsIn(others)) : place
  if (subnet === undefined) {
    const detail = `no network is left in 10.0.0.0/8 beside those in ${settings.configurationDirectory}`
    return yield* new NetworkUnavailable({ detail })
  }
  yield* refuseSharing(subnet, others)
  return {
    name: BrandNetwork.networkName(settings.identity),
    bridge: settings.bridge ?? (isFound ? BrandNetwork.bridgeName(brand, digest) : BrandNetwork.ordinary.bridge),
    subnet,
    nameserver: settings.nameserver ?? Subnet.firstHost(subnet),
    addressDirectory: settings.addressDirectory
  } satisfies Conflist.NetworkPlan
})

const identityText = (plan: Conflist.NetworkPlan): string =>
  Object.entries({
    CNI_NETWORK: plan.name,
    CNI_BRIDGE: plan.bridge,
    CNI_SUBNET: Subnet.format(plan.subnet),
    CNI_GW_IP: Subnet.firstHost(plan.subnet)
  })
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("")

/** What stands there; none: nothing does. */
const found = (path: string) =>
  attempt(path, () => readFile(path, "utf8")).pipe(
    Effect.asSome,
    Effect.catchIf(
      ({ cause }) => cause instanceof Error && "code" in cause && cause.code === "ENOENT",
      () => Effect.succeedNone
    )
  )

const isOurs = (text: string): boolean =>
  Result.match(decodeList(text), { onFailure: () => false, onSuccess: Conflist.isGenerated })

const read = Effect.fnUntraced(function* (path: string, text: string) {
  const list = decodeList(text)
  if (Result.isFailure(list)) return yield* new NetworkUnavailable({ detail: `${path}: ${list.failure.message}` })
  const bridge = Conflist.bridgeOf(list.success)
  if (Result.isFailure(bridge)) return yield* new NetworkUnavailable({ detail: `${path}: ${bridge.failure.message}` })
  return { list: list.success, bridge: bridge.success }
})

const programsThere = ({ pluginDirectory }: CniSettings, names: ReadonlyArray<string>) =>
  Effect.forEach(
    names,
    (name) =>
      Effect.mapError(
        attempt(name, () => access(join(pluginDirectory, name), constants.X_OK)),
        ({ cause }) =>
          new NetworkUnavailable({ detail: `no plugin ${name} in ${pluginDirectory}, see CNI_BIN_DIR`, cause })
      ),
    { discard: true }
  )

/**
 * The list that networks are made by. One of somebody else's stands where nobody says a subnet; one of ours is written anew. Fails
 * when it cannot be written or read, is not for workers, or names a plugin that is not there.
 */
export const load = Effect.fnUntraced(function* (settings: CniSettings) {
  const ordinaryName = `10-${BrandNetwork.networkName(settings.identity)}.conflist`
  const path = settings.configurationFile ?? join(settings.configurationDirectory, ordinaryName)
  const present = yield* found(path)
  const stands = settings.subnet === undefined && Option.isSome(present) && !isOurs(present.value)
  if (!stands) {
    const plan = yield* planned(settings, path)
    yield* writeWhole(path, `${JSON.stringify(Conflist.generate(plan), undefined, 2)}\n`)
    if (settings.identityFile !== undefined) yield* writeWhole(settings.identityFile, identityText(plan))
  }
  const text = stands ? present.value : yield* attempt(path, () => readFile(path, "utf8"))
  const { bridge, list } = yield* read(path, text)
  yield* programsThere(settings, [...list.plugins.map(({ type }) => type), bridge.addressPlugin])
  return { list, bridge, nameserver: settings.nameserver ?? bridge.gateway }
})
