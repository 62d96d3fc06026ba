/**
 * How many workers are made ahead, and for whom: some for each that was asked for lately, first for whoever was asked for last,
 * and never more in all than there may be.
 */

/** Workers that are all alike. */
export interface Demand {
  readonly lastAskedAtMs: number
  /** Made, and taken by nobody yet. */
  readonly ready: number
}

export interface StockLimits {
  readonly perSpec: number
  readonly total: number
  /** Nothing is made ahead for what nobody has asked for in so long. */
  readonly idleMs: number
}

export interface StockStep<D> {
  /** Nobody asks for these any more: they and all that is ready of them go. */
  readonly forget: ReadonlyArray<D>
  /** Too many are ready of these, by so many. */
  readonly drop: ReadonlyArray<{ readonly of: D; readonly count: number }>
  /** One more of this is to be made, once the others are gone. */
  readonly make: D | undefined
}

export const next = <D extends Demand>(demands: ReadonlyArray<D>, limits: StockLimits, nowMs: number): StockStep<D> => {
  const isIdle = ({ lastAskedAtMs }: D): boolean => nowMs - lastAskedAtMs >= limits.idleMs
  let left = limits.total
  const shares = demands
    .filter((demand) => !isIdle(demand))
    .toSorted((one, other) => other.lastAskedAtMs - one.lastAskedAtMs)
    .map((demand) => {
      const share = Math.min(limits.perSpec, left)
      left -= share
      return { of: demand, count: demand.ready - share }
    })
  return {
    forget: demands.filter(isIdle),
    drop: shares.filter(({ count }) => count > 0),
    make: shares.find(({ count }) => count < 0)?.of
  }
}
