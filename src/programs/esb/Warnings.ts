/** What layers warn of while a command runs, on stderr; what they merely tell is not for this reader. */
import { Layer, Logger, References } from "effect"
import { onStderr } from "./Voice.ts"

const logger = Logger.make<unknown, void>(({ message }) => {
  const words = Array.isArray(message) ? message.map(String).join(" ") : String(message)
  process.stderr.write(`${onStderr("yellow", "warning:")} ${words}\n`)
})

export const layer = Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Warn"))
