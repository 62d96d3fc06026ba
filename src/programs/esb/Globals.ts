/** Flags that every command takes. */
import { Flag, GlobalFlag } from "effect/cli"

/** Results as JSON on stdout instead of text for people; nothing but results is written there either way. */
export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Print results as JSON"), Flag.withDefault(false))
})

/** The state directory, when it is not the nearest `.esb`. */
export const HomeDirectory = GlobalFlag.Setting("home")({
  flag: Flag.String("home").pipe(
    Flag.withDescription("State directory [ESB_HOME, default the nearest .esb upwards, else beside the template]"),
    Flag.withMetavar("dir"),
    Flag.optional
  )
})
