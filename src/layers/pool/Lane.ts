/** The pool of one function at work: holds the state that `domain/Pool` decides on and carries out what it decides. */
import { type Clock, Effect, type Fiber } from "effect"
import * as Breaker from "#domain/Breaker"
import { PoolExhausted } from "#domain/Failure"
import type { FunctionSpec } from "#domain/FunctionSpec"
import * as Pool from "#domain/Pool"
import type { ContainerId, Worker, WorkerSpec } from "#domain/Worker"
import type { BorrowFailure } from "#services/WorkerPool"

/** One caller's claim on a worker, from its first wish until its scope ends. */
export interface Ticket {
  readonly waiter: Pool.Waiter
  /** Set from the moment a worker is assigned, whether or not the caller has noticed yet. */
  worker: Worker | undefined
  frozen: boolean
  /** The caller has got the worker and may have used it. */
  taken: boolean
  /** It is waited for no longer than this; there once it was. */
  untilMs: number | undefined
  answer: ((outcome: Effect.Effect<void, BorrowFailure>) => void) | undefined
}

/** What a lane cannot do itself. Each runs in the background and reports back by calling the lane. */
export interface Hands {
  /** Now, when a caller waits for it; else when its turn has come. */
  readonly start: (lane: Lane, spec: WorkerSpec) => void
  /** A caller has come to wait: a start that had to take turns may have to begin now. */
  readonly hurry: (lane: Lane) => void
  /** Starts that have not begun are not wanted any more. */
  readonly forget: (lane: Lane) => void
  readonly destroy: (worker: Worker) => void
  readonly freeze: (lane: Lane, worker: Worker) => void
  readonly fork: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>
}

const refusalTellingMs = 1000

/** A spec hash that no function has. */
const retired = ""

export class Lane {
  spec: FunctionSpec
  workerSpec: WorkerSpec
  state: Pool.PoolState
  breaker: Breaker.Breaker = Breaker.closed
  private lastFailure: BorrowFailure | undefined
  private readonly tickets = new Map<Pool.Waiter, Ticket>()
  private readonly hands: Hands
  private readonly clock: Clock.Clock
  private nextWaiter = 0
  private refusalToldAtMs = Number.NEGATIVE_INFINITY

  constructor(spec: FunctionSpec, workerSpec: WorkerSpec, limits: Pool.PoolLimits, hands: Hands, clock: Clock.Clock) {
    this.spec = spec
    this.workerSpec = workerSpec
    this.state = Pool.empty(workerSpec.specHash, limits)
    this.hands = hands
    this.clock = clock
  }

  ticket(): Ticket {
    return {
      waiter: this.nextWaiter++,
      worker: undefined,
      frozen: false,
      taken: false,
      untilMs: undefined,
      answer: undefined
    }
  }

  /**
   * Succeeds once the ticket holds a worker. Does not return the worker: the ticket does, so that an interruption cannot lose it.
   * Who waits again, because that worker was of no use, waits for what is left of the time.
   */
  wait(ticket: Ticket): Effect.Effect<void, BorrowFailure> {
    return Effect.callback((resume) => {
      const until = (ticket.untilMs ??= this.now() + this.spec.scaling.acquireTimeoutMs)
      let expiry: Fiber.Fiber<unknown> | undefined
      ticket.answer = (outcome) => {
        this.tickets.delete(ticket.waiter)
        ticket.answer = undefined
        expiry?.interruptUnsafe()
        resume(outcome)
      }
      this.tickets.set(ticket.waiter, ticket)
      this.perform(Pool.borrow(this.state, ticket.waiter))
      if (ticket.answer !== undefined) {
        this.hands.hurry(this)
      }
      if (ticket.answer !== undefined) {
        expiry = this.hands.fork(
          Effect.andThen(
            Effect.sleep(Math.max(0, until - this.now())),
            Effect.sync(() => this.perform(Pool.expire(this.state, ticket.waiter)))
          )
        )
      }
      return Effect.sync(() => expiry?.interruptUnsafe())
    })
  }

  /**
   * The ticket's scope has ended. A worker whose call ended well goes back, and so does one that was never taken, unless it was
   * being thawed: nobody knows whether it runs.
   */
  close(ticket: Ticket, endedWell: boolean): void {
    if (ticket.worker === undefined) {
      this.tickets.delete(ticket.waiter)
      this.state = Pool.leave(this.state, ticket.waiter)
    } else if (ticket.taken ? endedWell : !ticket.frozen) {
      this.perform(Pool.giveBack(this.state, ticket.worker, this.now()))
    } else {
      this.lose(ticket.worker)
    }
  }

  started(worker: Worker): void {
    this.perform(Pool.started(this.state, worker, this.now()))
  }

  startFailed(specHash: string, failure: BorrowFailure): void {
    this.lastFailure = failure
    this.perform(Pool.startFailed(this.state, specHash))
  }

  lose(worker: Worker): void {
    this.perform(Pool.lose(this.state, worker))
  }

  claim(worker: Worker): void {
    this.state = Pool.claim(this.state, worker)
  }

  disclaim(id: ContainerId): void {
    this.perform(Pool.disclaim(this.state, id))
  }

  adopt(entry: Pool.PooledWorker): void {
    this.perform(Pool.adopt(this.state, entry))
  }

  /** The `specHash` of workers that are wanted here; a retired function has none. */
  get wantedHash(): string | undefined {
    return this.state.specHash === retired ? undefined : this.state.specHash
  }

  change(spec: FunctionSpec, workerSpec: WorkerSpec, limits: Pool.PoolLimits): void {
    // What failed was the code or the configuration that went.
    if (workerSpec.specHash !== this.workerSpec.specHash) {
      this.breaker = Breaker.closed
      this.hands.forget(this)
    }
    this.spec = spec
    this.workerSpec = workerSpec
    this.perform(Pool.change(this.state, workerSpec.specHash, limits))
  }

  /** The function is gone: idle workers go at once, busy ones when their call ends, callers in the queue are still served. */
  retire(): void {
    this.change(
      this.spec,
      { ...this.workerSpec, specHash: retired },
      {
        ...this.state.limits,
        minCapacity: 0,
        idleTimeoutMs: 0
      }
    )
  }

  /** Retired, with nothing left to wait for. */
  isSpent(): boolean {
    return this.state.specHash === retired && Pool.size(this.state) === 0 && this.state.waiting.length === 0
  }

  tidy(): void {
    this.perform(Pool.tidy(this.state, this.now()))
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  private perform([next, actions]: Pool.PoolStep): void {
    this.state = next
    for (const action of actions) {
      switch (action._tag) {
        case "Lend": {
          const ticket = this.tickets.get(action.waiter)
          if (ticket === undefined) {
            break
          }
          ticket.worker = action.worker
          ticket.frozen = action.frozen
          ticket.answer?.(Effect.void)
          break
        }
        case "Refuse":
          this.tickets.get(action.waiter)?.answer?.(Effect.fail(this.exhausted()))
          this.tellRefusal()
          break
        case "Fail":
          this.tickets.get(action.waiter)?.answer?.(Effect.fail(this.lastFailure ?? this.exhausted()))
          break
        case "Start":
          this.hands.start(this, this.workerSpec)
          break
        case "Freeze":
          this.hands.freeze(this, action.worker)
          break
        case "Destroy":
          this.hands.destroy(action.worker)
          break
      }
    }
  }

  /** Says in the log what would help, once a second at most. */
  private tellRefusal(): void {
    const { maxCapacity } = this.state.limits
    if (this.now() - this.refusalToldAtMs < refusalTellingMs) {
      return
    }
    this.refusalToldAtMs = this.now()
    this.hands.fork(
      Effect.logWarning(
        `${this.spec.name}: calls are refused, because no worker of at most ${maxCapacity} became free in time; ` +
          "ReservedConcurrentExecutions, max_capacity or DEFAULT_MAX_CAPACITY allow more"
      )
    )
  }

  private exhausted(): PoolExhausted {
    return new PoolExhausted({
      functionName: this.spec.name,
      maxCapacity: this.state.limits.maxCapacity,
      waiting: this.state.waiting.length,
      retryAfterSeconds: Math.max(1, Math.ceil(this.spec.scaling.acquireTimeoutMs / 1000))
    })
  }
}
