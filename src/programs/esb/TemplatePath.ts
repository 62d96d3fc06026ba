/** Which template a command is about. */
import { Effect, Option } from "effect"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { WrongUsage } from "./Refusal.ts"

const names = ["template.yaml", "template.yml", "template.json"]

/** The one that was named, else the first of the usual names in this directory. Absolute. */
export const find = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const wanted = Option.isSome(given) ? [given.value] : names
  const found = wanted.map((name) => resolve(name)).find(existsSync)
  if (found !== undefined) return found
  return yield* new WrongUsage({
    message: Option.isSome(given)
      ? `There is no template ${given.value}.`
      : `There is no ${names.join(", ")} here: name a template, or make one with esb init`
  })
})
