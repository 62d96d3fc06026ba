/** A command that is meant to be stopped: for it a signal is a good end. */

let isLasting = false

export const begin = (): void => {
  isLasting = true
}

export const has = (): boolean => isLasting
