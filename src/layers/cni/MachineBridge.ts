/** The machine's end of the workers' network, there before the first worker is, so that doors can be opened at its address. */
import { Effect, Schema } from "effect"
import { type BridgePlace } from "#domain/Conflist"
import { type CommandFailed, type Place, run, succeed } from "./Command.ts"

/** There is a bridge of the name with another address, and it is not for us to take that away. */
class BridgeElsewhere extends Schema.TaggedError<BridgeElsewhere>()("BridgeElsewhere", {
  name: Schema.String,
  wanted: Schema.String,
  present: Schema.String,
  why: Schema.String,
  cure: Schema.String
}) {
  override get message() {
    return `its bridge ${this.name} has ${this.present}, not ${this.wanted}, and ${this.why}: ${this.cure}`
  }
}

/** The kernel gives a bridge the lowest address of its ports, another one whenever they change; workers remember it longer. */
const hardwareAddress = (gateway: string): string =>
  ["0a", "58", ...gateway.split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(":")

/** The columns of its one line. */
const shown = (place: Place, ...what: ReadonlyArray<string>) =>
  Effect.map(succeed(place, "ip", "-brief", ...what), (line) => line.trim().split(/\s+/))

/** Whoever made it has called it by the address it had. */
const isOurs = (hardware: string | undefined, addresses: ReadonlyArray<string>): boolean =>
  addresses.some((address) => hardware === hardwareAddress(address.split("/")[0] ?? ""))

const leaveOldPlace = Effect.fnUntraced(function* (
  place: Place,
  name: string,
  wanted: string,
  addresses: ReadonlyArray<string>
) {
  const [, , hardware] = yield* shown(place, "link", "show", "dev", name)
  const about = { name, wanted, present: addresses.join(" and ") }
  if (!isOurs(hardware, addresses)) {
    return yield* new BridgeElsewhere({
      ...about,
      why: "was made by somebody else",
      cure: "give workers another one by CNI_BRIDGE"
    })
  }
  const ports = (yield* succeed(place, "ip", "-brief", "link", "show", "master", name)).split("\n").filter(Boolean)
  if (ports.length > 0) {
    return yield* new BridgeElsewhere({
      ...about,
      why: `${ports.length} networks of workers are on it`,
      cure: "start with the former CNI_SUBNET until they are gone, or give workers another bridge by CNI_BRIDGE"
    })
  }
  yield* succeed(place, "ip", "-4", "address", "flush", "dev", name)
})

/**
 * One that is there stays as it is, but for its address: where that has changed it moves, unless it is not ours or somebody is on
 * it. Whatever else is wrong with it, the plugins say.
 */
export const ensure = Effect.fnUntraced(function* (
  place: Place,
  { gateway, name, subnet }: BridgePlace
): Effect.fn.Return<void, CommandFailed | BridgeElsewhere> {
  const wanted = `${gateway}/${subnet.prefix}`
  const { code } = yield* run(place, { program: "ip", args: ["link", "show", "dev", name] })
  if (code === 0) {
    const [, , ...addresses] = yield* shown(place, "-4", "address", "show", "dev", name)
    if (addresses.includes(wanted)) return
    if (addresses.length > 0) {
      yield* leaveOldPlace(place, name, wanted, addresses)
      yield* succeed(place, "ip", "link", "set", name, "address", hardwareAddress(gateway))
    }
  } else {
    yield* succeed(place, "ip", "link", "add", name, "address", hardwareAddress(gateway), "type", "bridge")
  }
  yield* succeed(place, "ip", "address", "add", wanted, "dev", name)
  yield* succeed(place, "ip", "link", "set", name, "up")
}, Effect.uninterruptible)
