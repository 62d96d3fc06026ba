/** The rules of the packet filter that let workers out: there for as long as this program runs. */
import { Effect, Option, Result } from "effect"
import { parseEnv } from "node:util"
import * as NodeRules from "#domain/NodeRules"
import * as Subnet from "#domain/Subnet"
import { Machine } from "#services/Machine"
import type { RuntimeNodeSettings } from "./Settings.ts"

/** The Agent writes there what it has found from its brand. */
const identityFile = "/var/lib/cni/esb-cni.env"
const lookEvery = "2 seconds"

/** Others write to the same tables: how many seconds a command waits for its turn. */
const wait = ["--wait", "5"]

interface Place {
  readonly bridge: string
  readonly subnet: Subnet.Subnet
}

/** What the Agent has written; none when it has not, or not all of it. */
const writtenPlace = Effect.gen(function* () {
  const { read } = yield* Machine
  const text = yield* Effect.orElseSucceed(read(identityFile), () => "")
  const { CNI_BRIDGE: bridge, CNI_SUBNET: net = "" } = parseEnv(text)
  const subnet = Subnet.parse(net)
  return bridge !== undefined && Result.isSuccess(subnet)
    ? Option.some<Place>({ bridge, subnet: subnet.success })
    : Option.none()
})

const untilWritten = Effect.gen(function* () {
  for (let told = false; ; told = true) {
    const place = yield* writtenPlace
    if (Option.isSome(place)) return place.value
    if (!told) yield* Effect.logWarning(`Workers do not get out until an Agent has written ${identityFile}`)
    yield* Effect.sleep(lookEvery)
  }
})

type Act = "--check" | "--append" | "--delete"

const iptables = (act: Act, { chain, table, words }: NodeRules.NodeRule) =>
  Effect.flatMap(Machine, ({ run }) => run("iptables", ...wait, "--table", table, act, chain, ...words))

const isThere = (rule: NodeRules.NodeRule) => Effect.isSuccess(iptables("--check", rule))

/** Nothing is done where all of them are there: their order is what they mean. */
const raise = Effect.fnUntraced(function* (rules: ReadonlyArray<NodeRules.NodeRule>) {
  const there = yield* Effect.filter(rules, isThere)
  if (there.length === rules.length) return
  yield* Effect.forEach(there, (rule) => iptables("--delete", rule), { discard: true })
  yield* Effect.forEach(rules, (rule) => iptables("--append", rule), { discard: true })
})

/** Who took one away before us has done what was to be done. */
const lower = (rules: ReadonlyArray<NodeRules.NodeRule>) =>
  Effect.forEach(rules, (rule) => Effect.ignore(iptables("--delete", rule)), { discard: true })

const openTo = Effect.fnUntraced(function* (
  place: Place,
  { nameserver, reach }: Pick<NodeRules.NodeNetwork, "nameserver" | "reach">
) {
  const { networks } = yield* Machine
  const others = (yield* networks).filter(({ name }) => name !== place.bridge).map(({ subnet }) => subnet)
  const rules = NodeRules.rules({ ...place, nameserver, reach, beside: others })
  // Rules of one that fails halfway would stay.
  const raised = Effect.onError(raise(rules), () => lower(rules))
  yield* Effect.acquireRelease(raised, () => lower(rules))
  yield* Effect.logInfo(`Workers of ${Subnet.format(place.subnet)} get out by ${place.bridge}`)
})

/** Until the scope ends. Where the place is not known yet, it is opened once it is. */
export const open = Effect.fn("RuntimeNode.openForwarding")(function* (values: RuntimeNodeSettings) {
  const plan = { nameserver: values.cniDnsServer, reach: values.workerReach }
  const { cniBridge: bridge, cniSubnet: subnet } = values
  if (subnet !== undefined && subnet !== "auto") return yield* openTo({ bridge, subnet }, plan)
  yield* untilWritten.pipe(
    Effect.flatMap((place) => openTo(place, plan)),
    Effect.catch(({ message }) => Effect.logError(`Workers do not get out: ${message}`)),
    Effect.forkScoped
  )
})
