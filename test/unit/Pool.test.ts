import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Pool from "#domain/Pool"
import type { ContainerId, OwnerId, Worker } from "#domain/Worker"

const limits: Pool.PoolLimits = {
  minCapacity: 0,
  maxCapacity: 2,
  maxWaiting: 2,
  idleTimeoutMs: 1000,
  freezeAfterMs: 100
}

const worker = (id: string, specHash = "v1"): Worker => ({
  id: id as ContainerId,
  name: id,
  functionName: "orders" as FunctionName,
  owner: "me" as OwnerId,
  specHash,
  protocol: "runtime-api",
  address: { host: "127.0.0.1", port: 1 },
  createdAtUnixSeconds: 0
})

const tags = (actions: ReadonlyArray<Pool.PoolAction>) => actions.map((action) => action._tag)

/** A pool of two whose workers `a` and `b` rest since the instants 0 and 10. */
const rested = (): Pool.PoolState => {
  let state = Pool.empty("v1", limits)
  for (const waiter of [1, 2]) {
    ;[state] = Pool.borrow(state, waiter)
  }
  ;[state] = Pool.started(state, worker("a"), 0)
  ;[state] = Pool.started(state, worker("b"), 0)
  ;[state] = Pool.giveBack(state, worker("a"), 0)
  ;[state] = Pool.giveBack(state, worker("b"), 10)
  return state
}

describe("Pool", () => {
  it("starts a worker for the first caller and lends it when it is there", () => {
    const [asked, first] = Pool.borrow(Pool.empty("v1", limits), 1)
    assert.deepStrictEqual(first, [{ _tag: "Start" }])
    const [served, second] = Pool.started(asked, worker("a"), 0)
    assert.deepStrictEqual(second, [{ _tag: "Lend", waiter: 1, worker: worker("a"), frozen: false }])
    assert.deepStrictEqual([...served.busy], ["a"])
  })

  it("lends the most recently used worker", () => {
    const [, actions] = Pool.borrow(rested(), 3)
    assert.deepStrictEqual(actions, [{ _tag: "Lend", waiter: 3, worker: worker("b"), frozen: false }])
  })

  it("serves callers in order of arrival, whichever worker is free first", () => {
    let [state] = Pool.borrow(rested(), 3)
    ;[state] = Pool.borrow(state, 4)
    ;[state] = Pool.borrow(state, 5)
    ;[state] = Pool.borrow(state, 6)
    const [, actions] = Pool.giveBack(state, worker("a"), 20)
    assert.deepStrictEqual(actions, [{ _tag: "Lend", waiter: 5, worker: worker("a"), frozen: false }])
  })

  it("refuses a caller when the queue is full", () => {
    let state = rested()
    for (const waiter of [3, 4, 5, 6]) {
      ;[state] = Pool.borrow(state, waiter)
    }
    assert.deepStrictEqual(Pool.borrow(state, 7)[1], [{ _tag: "Refuse", waiter: 7 }])
  })

  it("refuses every caller of a function that may have no worker", () => {
    const [, actions] = Pool.borrow(Pool.empty("v1", { ...limits, maxCapacity: 0 }), 1)
    assert.deepStrictEqual(actions, [{ _tag: "Refuse", waiter: 1 }])
  })

  it("does not refuse a caller for whom a worker is being started", () => {
    const [state] = Pool.borrow(Pool.empty("v1", limits), 1)
    assert.deepStrictEqual(Pool.expire(state, 1), [state, []])
  })

  it("refuses a caller who waited too long for somebody else's worker", () => {
    let [state] = Pool.borrow(rested(), 3)
    ;[state] = Pool.borrow(state, 4)
    ;[state] = Pool.borrow(state, 5)
    const [after, actions] = Pool.expire(state, 5)
    assert.deepStrictEqual(actions, [{ _tag: "Refuse", waiter: 5 }])
    assert.deepStrictEqual(after.waiting, [])
  })

  it("tells one caller of a failed start and starts again for the next", () => {
    let [state] = Pool.borrow(Pool.empty("v1", { ...limits, maxCapacity: 1 }), 1)
    ;[state] = Pool.borrow(state, 2)
    const [after, actions] = Pool.startFailed(state, "v1")
    assert.deepStrictEqual(actions, [{ _tag: "Fail", waiter: 1 }, { _tag: "Start" }])
    assert.strictEqual(after.starting, 1)
  })

  it("replaces a lost worker when somebody waits for it", () => {
    let state = rested()
    for (const waiter of [3, 4, 5]) {
      ;[state] = Pool.borrow(state, waiter)
    }
    assert.deepStrictEqual(tags(Pool.lose(state, worker("a"))[1]), ["Destroy", "Start"])
  })

  it("sends idle workers of an outdated function away at once and busy ones when they come back", () => {
    const [lent] = Pool.borrow(rested(), 3)
    const [changed, atOnce] = Pool.change(lent, "v2", limits)
    assert.deepStrictEqual(atOnce, [{ _tag: "Destroy", worker: worker("a") }])
    assert.deepStrictEqual(Pool.giveBack(changed, worker("b"), 20)[1], [{ _tag: "Destroy", worker: worker("b") }])
  })

  it("calls nobody back who waits while the function changes: new workers are started for them", () => {
    let [state] = Pool.borrow(rested(), 3)
    ;[state] = Pool.borrow(state, 4)
    ;[state] = Pool.borrow(state, 5)
    const [changed, actions] = Pool.change(state, "v2", limits)
    assert.deepStrictEqual(tags(actions), ["Start"])
    assert.deepStrictEqual(changed.waiting, [5])
  })

  it("freezes a worker that has rested for a while and destroys one that has rested too long", () => {
    const [frozen, first] = Pool.tidy(rested(), 105)
    assert.deepStrictEqual(first, [{ _tag: "Freeze", worker: worker("a") }])
    const [, second] = Pool.tidy(frozen, 1005)
    assert.deepStrictEqual(second, [
      { _tag: "Destroy", worker: worker("a") },
      { _tag: "Freeze", worker: worker("b") }
    ])
  })

  it("says of a frozen worker that it must be thawed", () => {
    const [frozen] = Pool.tidy(rested(), 500)
    assert.deepStrictEqual(Pool.borrow(frozen, 3)[1], [{ _tag: "Lend", waiter: 3, worker: worker("b"), frozen: true }])
  })

  it("starts the minimum and never prunes below it", () => {
    const kept = { ...limits, minCapacity: 2 }
    const [starting, actions] = Pool.tidy(Pool.empty("v1", kept), 0)
    assert.deepStrictEqual(tags(actions), ["Start", "Start"])
    let [state] = Pool.started(starting, worker("a"), 0)
    ;[state] = Pool.started(state, worker("b"), 0)
    assert.notInclude(tags(Pool.tidy(state, 1e6)[1]), "Destroy")
  })

  it("takes over a worker of an earlier Gateway, frozen as it is, in the order of use", () => {
    const [state, actions] = Pool.adopt(
      Pool.adopt(Pool.empty("v1", limits), { worker: worker("b"), frozen: false, idleSinceMs: 10 })[0],
      { worker: worker("a"), frozen: true, idleSinceMs: 5 }
    )
    assert.deepStrictEqual(actions, [])
    assert.deepStrictEqual(
      state.idle.map((entry) => [entry.worker.id, entry.frozen]),
      [
        ["a", true],
        ["b", false]
      ]
    )
  })

  it("gives a worker that it takes over to the caller who has waited longest", () => {
    let [state] = Pool.borrow(Pool.empty("v1", limits), 1)
    ;[state] = Pool.borrow(state, 2)
    ;[state] = Pool.startFailed(state, "v1")
    const [after, actions] = Pool.adopt(state, { worker: worker("a"), frozen: true, idleSinceMs: 0 })
    assert.deepStrictEqual(actions, [{ _tag: "Lend", waiter: 2, worker: worker("a"), frozen: true }])
    assert.deepStrictEqual([...after.busy], ["a"])
  })

  it("takes over no worker that is outdated or one too many", () => {
    const entry = { worker: worker("c"), frozen: false, idleSinceMs: 0 }
    assert.deepStrictEqual(Pool.adopt(rested(), entry), [rested(), [{ _tag: "Destroy", worker: worker("c") }]])
    const outdated = { ...entry, worker: worker("c", "v0") }
    const [state, actions] = Pool.adopt(Pool.empty("v1", limits), outdated)
    assert.deepStrictEqual(actions, [{ _tag: "Destroy", worker: outdated.worker }])
    assert.strictEqual(Pool.size(state), 0)
  })

  it("counts a worker in a call of an earlier Gateway as lent until its call has ended", () => {
    const one = { ...limits, minCapacity: 1, maxCapacity: 1 }
    const claimed = Pool.claim(Pool.empty("v1", one), worker("a"))
    assert.deepStrictEqual(Pool.tidy(claimed, 0)[1], [])
    const [waiting, asked] = Pool.borrow(claimed, 1)
    assert.deepStrictEqual(asked, [])
    assert.deepStrictEqual(Pool.adopt(waiting, { worker: worker("a"), frozen: false, idleSinceMs: 0 })[1], [
      { _tag: "Lend", waiter: 1, worker: worker("a"), frozen: false }
    ])
    assert.deepStrictEqual(tags(Pool.lose(waiting, worker("a"))[1]), ["Destroy", "Start"])
    assert.deepStrictEqual(tags(Pool.disclaim(waiting, worker("a").id)[1]), ["Start"])
  })

  it("does not count a worker in a call of an earlier Gateway that is outdated or one too many", () => {
    assert.strictEqual(Pool.size(Pool.claim(rested(), worker("c"))), 2)
    assert.strictEqual(Pool.size(Pool.claim(Pool.empty("v1", limits), worker("c", "v0"))), 0)
  })

  const Move = Schema.Struct({
    kind: Schema.Literals([
      "borrow",
      "leave",
      "expire",
      "start",
      "fail",
      "back",
      "lose",
      "tidy",
      "change",
      "claim",
      "adopt",
      "give up"
    ]),
    pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
  })

  it.effect.prop("keeps its promises whatever happens in whatever order", [Schema.Array(Move)], ([moves]) =>
    Effect.sync(() => {
      let state = Pool.empty("0", { ...limits, maxCapacity: 3, maxWaiting: 4, minCapacity: 1 })
      let generation = 0
      let next = 0
      let nowMs = 0
      const starts: Array<string> = []
      const lent = new Map<ContainerId, Worker>()
      const found = new Map<ContainerId, Worker>()
      const destroyed = new Set<ContainerId>()
      const asked = new Set<number>()
      const apply = ([after, actions]: Pool.PoolStep) => {
        state = after
        for (const action of actions) {
          switch (action._tag) {
            case "Start":
              starts.push(state.specHash)
              break
            case "Lend":
              assert.isTrue(asked.delete(action.waiter), "only who asked is served, once")
              assert.isFalse(lent.has(action.worker.id), "a worker is lent to one caller at a time")
              assert.isFalse(destroyed.has(action.worker.id), "a destroyed worker is not lent")
              lent.set(action.worker.id, action.worker)
              break
            case "Refuse":
            case "Fail":
              assert.isTrue(asked.delete(action.waiter), "only who asked is answered, once")
              break
            case "Destroy":
              assert.isFalse(destroyed.has(action.worker.id), "a worker is destroyed once")
              destroyed.add(action.worker.id)
              lent.delete(action.worker.id)
              break
            case "Freeze":
              break
          }
        }
      }
      const pickOf = <A>(all: ReadonlyArray<A>, pick: number): A | undefined => all[pick % Math.max(1, all.length)]
      for (const { kind, pick } of moves) {
        nowMs += pick
        const out = pickOf([...lent.values()], pick)
        const who = pickOf([...asked], pick)
        const known = pickOf([...found.values()], pick)
        if (kind === "borrow") {
          asked.add(next)
          apply(Pool.borrow(state, next++))
        } else if (kind === "leave" && who !== undefined) {
          asked.delete(who)
          state = Pool.leave(state, who)
        } else if (kind === "expire" && who !== undefined) {
          apply(Pool.expire(state, who))
        } else if (kind === "start" && starts.length > 0) {
          apply(Pool.started(state, worker(`w${next++}`, starts.shift() ?? ""), nowMs))
        } else if (kind === "fail" && starts.length > 0) {
          apply(Pool.startFailed(state, starts.shift() ?? ""))
        } else if (kind === "back" && out !== undefined) {
          lent.delete(out.id)
          apply(Pool.giveBack(state, out, nowMs))
        } else if (kind === "lose" && out !== undefined) {
          apply(Pool.lose(state, out))
        } else if (kind === "tidy") {
          apply(Pool.tidy(state, nowMs))
        } else if (kind === "claim") {
          const id = `w${next++}`
          found.set(id as ContainerId, worker(id, pick % 5 === 0 ? "outdated" : state.specHash))
          state = [...found.values()].reduce(Pool.claim, state)
        } else if (kind === "adopt" && known !== undefined) {
          found.delete(known.id)
          apply(Pool.adopt(state, { worker: known, frozen: pick % 2 === 0, idleSinceMs: nowMs - pick }))
        } else if (kind === "give up" && known !== undefined) {
          found.delete(known.id)
          apply(pick % 2 === 0 ? Pool.lose(state, known) : Pool.disclaim(state, known.id))
        } else if (kind === "change") {
          apply(Pool.change(state, String(++generation), state.limits))
        }
        assert.isAtMost(Pool.size(state), 3, "no more workers than allowed")
        assert.isAtLeast(state.starting, 0)
        assert.strictEqual(state.starting, starts.filter((hash) => hash === state.specHash).length)
        assert.deepStrictEqual(
          state.waiting.toSorted((a, b) => a - b),
          [...asked].toSorted((a, b) => a - b),
          "nobody is forgotten"
        )
        if (state.waiting.length > 0) {
          assert.isTrue(
            Pool.size(state) === 3 || state.starting >= state.waiting.length,
            "who waits, waits for something"
          )
          assert.strictEqual(state.idle.length, 0, "nobody waits while a worker rests")
        }
      }
    })
  )
})
