/** Four numbers, as every engine's bridge has them by default. */
import { Schema } from "effect"

export const Ipv4Address = Schema.String.check(
  Schema.isPattern(/^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/)
)
