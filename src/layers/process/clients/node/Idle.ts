/** The moment when user code has nothing left to do: no timer, no socket, no pending work of any kind. */

let moment: (() => void) | undefined

process.on("beforeExit", () => {
  const current = moment
  moment = undefined
  current?.()
})

/** Replaces what happens at the next such moment; with nothing set, the process ends. */
export const whenIdle = (then: (() => void) | undefined) => {
  moment = then
}
