/** What the kernel is told about packets before there is a worker. */
import { Effect } from "effect"
import { Machine } from "#services/Machine"
import type { RuntimeNodeSettings } from "./Settings.ts"

const switches = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/route_localnet"]

/** One that is on already may be one that nobody may write. */
const switchOn = Effect.fnUntraced(function* (path: string) {
  const { read, write } = yield* Machine
  if ((yield* read(path)).trim() !== "1") yield* write(path, "1")
})

/** Packets go from one network to another. */
export const forwardPackets = Effect.forEach(switches, switchOn, { discard: true })

const toTheEngine = /^eth\d+$/

/** Some engines' interfaces leave checksums to hardware that is not there: answers to workers would be thrown away. */
export const computeChecksums = Effect.gen(function* () {
  const { networks, run } = yield* Machine
  const names = (yield* networks).map(({ name }) => name).filter((name) => toTheEngine.test(name))
  for (const name of new Set(names)) {
    yield* run("ethtool", "--offload", name, "rx", "off", "tx", "off").pipe(
      Effect.catch(({ message }) => Effect.logWarning(`Checksums of ${name} are left as they are: ${message}`))
    )
  }
})

const tries = 30
const tryEvery = "1 second"

const gatewayByName = Effect.fnUntraced(function* (host: string) {
  const { lookUp } = yield* Machine
  for (let tried = 0; tried < tries; tried++) {
    const [address] = yield* lookUp(host)
    if (address !== undefined) return address
    yield* Effect.sleep(tryEvery)
  }
  return undefined
})

const defaultGateway = Effect.gen(function* () {
  const { run } = yield* Machine
  return /\bvia (\S+)/.exec(yield* run("ip", "-4", "route", "show", "default"))?.[1]
})

/** A route to a network behind another machine. Nobody waits for it, and workers run without. */
export const routeToControl = Effect.fn("RuntimeNode.routeToControl")(
  function* (values: RuntimeNodeSettings) {
    const { wireguardGateway, wireguardGatewayHost, wireguardNet } = values
    if (wireguardNet === undefined) return
    const { run } = yield* Machine
    const gateway = wireguardGateway ?? (yield* gatewayByName(wireguardGatewayHost)) ?? (yield* defaultGateway)
    if (gateway === undefined) {
      return yield* Effect.logWarning(`No route to ${wireguardNet}: no gateway is known, see WG_CONTROL_GW`)
    }
    yield* run("ip", "route", "replace", wireguardNet, "via", gateway)
    yield* Effect.logInfo(`${wireguardNet} is reached by ${gateway}`)
  },
  (route) => Effect.catch(route, ({ message }) => Effect.logWarning(`No route to WG_CONTROL_NET: ${message}`))
)
