/** What layers warn of while a command runs, on stderr; what they merely tell is not for this reader. */
import { Layer, Logger, References } from "effect"
import { onStderr } from "./Voice.ts"

/** How many are remembered; the Gateway may repeat what came after. */
const mostRemembered = 100

const told = new Set<string>()

/** Whether a layer has warned of this here, so that the same from the Gateway, made of the same layers, is nothing new. */
export const wasTold = (warning: string): boolean => told.has(warning)

const logger = Logger.make<unknown, void>(({ message }) => {
  const words = Array.isArray(message) ? message.map(String).join(" ") : String(message)
  if (told.size < mostRemembered) told.add(words)
  process.stderr.write(`${onStderr("yellow", "warning:")} ${words}\n`)
})

export const layer = Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Warn"))
