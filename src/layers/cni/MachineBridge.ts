/** The machine's end of the workers' network, there before the first worker is, so that doors can be opened at its address. */
import { Effect } from "effect"
import { type BridgePlace } from "#domain/Conflist"
import { type CommandFailed, type Place, run, succeed } from "./Command.ts"

/** The kernel gives a bridge the lowest address of its ports, another one whenever they change; workers remember it longer. */
const hardwareAddress = (gateway: string): string =>
  ["0a", "58", ...gateway.split(".").map((part) => Number(part).toString(16).padStart(2, "0"))].join(":")

/** One that is there stays as it is: the plugins say what is wrong with it. */
export const ensure = Effect.fnUntraced(function* (
  place: Place,
  { gateway, name, subnet }: BridgePlace
): Effect.fn.Return<void, CommandFailed> {
  const { code } = yield* run(place, { program: "ip", args: ["link", "show", "dev", name] })
  if (code === 0) return
  yield* succeed(place, "ip", "link", "add", name, "address", hardwareAddress(gateway), "type", "bridge")
  yield* succeed(place, "ip", "address", "add", `${gateway}/${subnet.prefix}`, "dev", name)
  yield* succeed(place, "ip", "link", "set", name, "up")
}, Effect.uninterruptible)
