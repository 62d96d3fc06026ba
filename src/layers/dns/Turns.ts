/** Places that clients share: so many in all, and of these so many for one client. */

export interface Turns {
  /** False: there is no place for this client now. */
  readonly enter: (client: string) => boolean
  /** Once for every time that it entered. */
  readonly leave: (client: string) => void
}

export const make = (limit: { readonly inAll: number; readonly ofOneClient: number }): Turns => {
  const held = new Map<string, number>()
  let all = 0
  return {
    enter: (client) => {
      const own = held.get(client) ?? 0
      if (all >= limit.inAll || own >= limit.ofOneClient) return false
      all += 1
      held.set(client, own + 1)
      return true
    },
    leave: (client) => {
      all -= 1
      const own = (held.get(client) ?? 0) - 1
      if (own > 0) held.set(client, own)
      else held.delete(client)
    }
  }
}
