/**
 * The pool of one function as a value: what happens in, the next state and what to do out. Whoever performs the actions
 * holds no opinion; whoever decides touches nothing.
 */
import type { ContainerId, Worker } from "./Worker.ts"

export interface PooledWorker {
  readonly worker: Worker
  readonly idleSinceMs: number
  /** Suspended, or about to be: must be thawed before a call. */
  readonly frozen: boolean
}

export interface PoolLimits {
  readonly minCapacity: number
  readonly maxCapacity: number
  /** Callers that may wait at once. */
  readonly maxWaiting: number
  readonly idleTimeoutMs: number
  /** Idle for this long: frozen. `undefined`: never. */
  readonly freezeAfterMs: number | undefined
}

/** Waiting callers are named by numbers that whoever performs the actions hands out. */
export type Waiter = number

export interface PoolState {
  /** The `specHash` every worker of this pool must have; others are on their way out. */
  readonly specHash: string
  readonly limits: PoolLimits
  /** Least recently used first. */
  readonly idle: ReadonlyArray<PooledWorker>
  /** Lent, or in a call of an earlier Gateway. */
  readonly busy: ReadonlySet<ContainerId>
  readonly starting: number
  /** In order of arrival. */
  readonly waiting: ReadonlyArray<Waiter>
}

export type PoolAction =
  | { readonly _tag: "Lend"; readonly waiter: Waiter; readonly worker: Worker; readonly frozen: boolean }
  /** Start one worker of the pool's `specHash`; answer with {@link started} or {@link startFailed}. */
  | { readonly _tag: "Start" }
  | { readonly _tag: "Refuse"; readonly waiter: Waiter }
  /** Tell this caller that the start it waited for failed. */
  | { readonly _tag: "Fail"; readonly waiter: Waiter }
  | { readonly _tag: "Freeze"; readonly worker: Worker }
  | { readonly _tag: "Destroy"; readonly worker: Worker }

export type PoolStep = readonly [next: PoolState, actions: ReadonlyArray<PoolAction>]

const nothing: ReadonlyArray<PoolAction> = []
const start: PoolAction = { _tag: "Start" }

export const empty = (specHash: string, limits: PoolLimits): PoolState => ({
  specHash,
  limits,
  idle: [],
  busy: new Set(),
  starting: 0,
  waiting: []
})

/** Workers of the current `specHash`, those on their way included. */
export const size = (state: PoolState): number => state.idle.length + state.busy.size + state.starting

/** Starts as many workers as callers wait for and the minimum asks for, within the maximum. */
const grow = (state: PoolState): PoolStep => {
  const { maxCapacity, minCapacity } = state.limits
  const room = Math.max(0, maxCapacity - size(state))
  const wanted = Math.max(state.waiting.length - state.starting, Math.min(minCapacity, maxCapacity) - size(state), 0)
  const count = Math.min(room, wanted)
  return count === 0
    ? [state, nothing]
    : [{ ...state, starting: state.starting + count }, Array.from({ length: count }, () => start)]
}

const then = ([state, before]: PoolStep, next: (state: PoolState) => PoolStep): PoolStep => {
  const [after, actions] = next(state)
  return before.length === 0 ? [after, actions] : [after, [...before, ...actions]]
}

const busyWith = (busy: ReadonlySet<ContainerId>, id: ContainerId): ReadonlySet<ContainerId> => new Set(busy).add(id)

const busyWithout = (busy: ReadonlySet<ContainerId>, id: ContainerId): ReadonlySet<ContainerId> => {
  const next = new Set(busy)
  next.delete(id)
  return next
}

/** A caller wants a worker: the most recently used one, else a new one, else a place in the queue. */
export const borrow = (state: PoolState, waiter: Waiter): PoolStep => {
  const warm = state.idle.at(-1)
  if (warm !== undefined) {
    return [
      { ...state, idle: state.idle.slice(0, -1), busy: busyWith(state.busy, warm.worker.id) },
      [{ _tag: "Lend", waiter, worker: warm.worker, frozen: warm.frozen }]
    ]
  }
  const { maxCapacity, maxWaiting } = state.limits
  const full = size(state) >= maxCapacity
  if (maxCapacity === 0 || (full && state.waiting.length - state.starting >= maxWaiting)) {
    return [state, [{ _tag: "Refuse", waiter }]]
  }
  return grow({ ...state, waiting: [...state.waiting, waiter] })
}

/** A caller stops waiting. */
export const leave = (state: PoolState, waiter: Waiter): PoolState => ({
  ...state,
  waiting: state.waiting.filter((other) => other !== waiter)
})

/** The wait of a caller is over its limit. One for whom a worker is being started is answered by that start, well or badly. */
export const expire = (state: PoolState, waiter: Waiter): PoolStep => {
  const place = state.waiting.indexOf(waiter)
  return place === -1 || place < state.starting
    ? [state, nothing]
    : [leave(state, waiter), [{ _tag: "Refuse", waiter }]]
}

/** Keeps the order of use, also for a worker that has rested elsewhere. */
const restingWith = (idle: ReadonlyArray<PooledWorker>, entry: PooledWorker): ReadonlyArray<PooledWorker> => {
  const before = idle.findLastIndex(({ idleSinceMs }) => idleSinceMs <= entry.idleSinceMs)
  return idle.toSpliced(before + 1, 0, entry)
}

/** A worker is free: the first waiting caller gets it, else it rests. An outdated one goes. */
const free = (state: PoolState, entry: PooledWorker): PoolStep => {
  const { frozen, worker } = entry
  if (worker.specHash !== state.specHash) {
    return then([state, [{ _tag: "Destroy", worker }]], grow)
  }
  const [first, ...others] = state.waiting
  return first === undefined
    ? [{ ...state, idle: restingWith(state.idle, entry) }, nothing]
    : [
        { ...state, waiting: others, busy: busyWith(state.busy, worker.id) },
        [{ _tag: "Lend", waiter: first, worker, frozen }]
      ]
}

/** A start from before a function was changed and changed back is not among those counted. */
const oneStartLess = (state: PoolState): PoolState => ({ ...state, starting: Math.max(0, state.starting - 1) })

export const started = (state: PoolState, worker: Worker, nowMs: number): PoolStep =>
  free(worker.specHash === state.specHash ? oneStartLess(state) : state, { worker, idleSinceMs: nowMs, frozen: false })

/** A start came to nothing: the caller who has waited longest is told, nobody else. */
export const startFailed = (state: PoolState, specHash: string): PoolStep => {
  if (specHash !== state.specHash) {
    return grow(state)
  }
  const [first, ...others] = state.waiting
  const left = oneStartLess(state)
  return first === undefined
    ? [left, nothing]
    : then([{ ...left, waiting: others }, [{ _tag: "Fail", waiter: first }]], growForWaiting)
}

/** After a failed start the minimum is not tried again at once: the next {@link tidy} does. */
const growForWaiting = (state: PoolState): PoolStep =>
  state.waiting.length > state.starting ? grow(state) : [state, nothing]

/** A lent worker comes back, able to take another call. */
export const giveBack = (state: PoolState, worker: Worker, nowMs: number): PoolStep =>
  free({ ...state, busy: busyWithout(state.busy, worker.id) }, { worker, idleSinceMs: nowMs, frozen: false })

/** Whether one more worker with this hash belongs here. */
const hasRoomFor = (state: PoolState, { specHash }: Worker): boolean =>
  specHash === state.specHash && size(state) < state.limits.maxCapacity

/**
 * A worker that an earlier Gateway started is in a call of that time, or not yet ready: it counts as lent, until it is
 * {@link adopt}ed, {@link disclaim}ed or {@link lose lost}. An outdated one, or one too many, does not count.
 */
export const claim = (state: PoolState, worker: Worker): PoolState =>
  hasRoomFor(state, worker) && !state.busy.has(worker.id) ? { ...state, busy: busyWith(state.busy, worker.id) } : state

/** A worker that was claimed is out of sight: nobody waits for it any longer. */
export const disclaim = (state: PoolState, id: ContainerId): PoolStep =>
  growForWaiting({ ...state, busy: busyWithout(state.busy, id) })

/** A worker that an earlier Gateway started can take a call. It goes when it is outdated, or one too many. */
export const adopt = (state: PoolState, entry: PooledWorker): PoolStep => {
  const unclaimed = { ...state, busy: busyWithout(state.busy, entry.worker.id) }
  return hasRoomFor(unclaimed, entry.worker)
    ? free(unclaimed, entry)
    : then([unclaimed, [{ _tag: "Destroy", worker: entry.worker }]], growForWaiting)
}

/** A worker is of no more use, wherever it was. The caller who had it asks again, if at all. */
export const lose = (state: PoolState, worker: Worker): PoolStep =>
  then(
    [
      {
        ...state,
        busy: busyWithout(state.busy, worker.id),
        idle: state.idle.filter((other) => other.worker.id !== worker.id)
      },
      [{ _tag: "Destroy", worker }]
    ],
    growForWaiting
  )

/** The function changed: idle workers go now, busy ones when they come back, and what is starting will be sent away. */
export const change = (state: PoolState, specHash: string, limits: PoolLimits): PoolStep => {
  if (specHash === state.specHash) {
    return grow({ ...state, limits })
  }
  const retired = state.idle.map(({ worker }): PoolAction => ({ _tag: "Destroy", worker }))
  return then([{ ...empty(specHash, limits), waiting: state.waiting }, retired], grow)
}

/** Time has passed: workers idle for too long go (never below the minimum), others freeze, the minimum is filled up. */
export const tidy = (state: PoolState, nowMs: number): PoolStep => {
  const { freezeAfterMs, idleTimeoutMs, minCapacity } = state.limits
  let spare = Math.max(0, size(state) - minCapacity)
  const actions: Array<PoolAction> = []
  const idle: Array<PooledWorker> = []
  for (const entry of state.idle) {
    const restedMs = nowMs - entry.idleSinceMs
    if (spare > 0 && restedMs >= idleTimeoutMs) {
      spare -= 1
      actions.push({ _tag: "Destroy", worker: entry.worker })
    } else if (!entry.frozen && freezeAfterMs !== undefined && restedMs >= freezeAfterMs) {
      actions.push({ _tag: "Freeze", worker: entry.worker })
      idle.push({ ...entry, frozen: true })
    } else {
      idle.push(entry)
    }
  }
  return then([actions.length === 0 ? state : { ...state, idle }, actions], grow)
}
