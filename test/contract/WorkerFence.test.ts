/** The fence's program and a packet filter of its own, as an engine leaves it. What it keeps out is in WorkersReach. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { WorkerFence } from "#domain/WorkerFence"
import { needs } from "#test/support/Engines"
import * as PacketFilter from "#test/support/PacketFilter"

const stack = { brand: "acme", environment: "dev" }

const described: WorkerFence = {
  stack,
  bridge: "br-0a1b2c",
  entry: "DOCKER-USER",
  doors: { address: "10.89.0.2", ports: { first: 20_000, last: 29_999 }, of: "agent" },
  reach: [{ address: "10.89.0.3", port: 443 }]
}

const fence = (changed: Partial<WorkerFence> = {}): string => JSON.stringify({ ...described, ...changed })

const wordsOf = (rules: string): ReadonlyArray<string> => rules.trim().split("\n")

describe("the fence by iptables", needs("packet-filter"), () => {
  it.live("is raised ten times and stands once, before the rules of others, none of which is touched", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine()
      const before = wordsOf(yield* filter.rules())
      for (let time = 0; time < 10; time++) {
        assert.deepStrictEqual(yield* filter.fence("raise", fence()), { code: 0, stderr: "" })
      }
      const after = wordsOf(yield* filter.rules())
      assert.strictEqual(new Set(after).size, after.length)
      assert.deepStrictEqual(
        after.filter((rule) => before.includes(rule)),
        before
      )
      const first = (chain: string) => after.find((rule) => rule.startsWith(`-A ${chain} `))
      assert.strictEqual(first("DOCKER-USER"), "-A DOCKER-USER -i br-0a1b2c -j acme-175ccea4-pass")
      assert.strictEqual(first("INPUT"), "-A INPUT -i br-0a1b2c -j acme-175ccea4-host")
      assert.include(after, "-A acme-175ccea4-pass -d 10.89.0.3/32 -p tcp -m tcp --dport 443 -j ACCEPT")
    })
  )

  it.live("takes the place of the one that the stack had, and leaves that of another stack", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine()
      const other = { brand: "acme", environment: "prod" }
      yield* filter.fence("raise", fence({ stack: other, bridge: "br-other" }))
      const before = wordsOf(yield* filter.rules())
      yield* filter.fence("raise", fence())
      yield* filter.fence("raise", fence({ bridge: "br-new", reach: [] }))
      const rules = yield* filter.rules()
      assert.notInclude(rules, "br-0a1b2c")
      assert.include(rules, "-A INPUT -i br-new ")
      for (const rule of before) assert.include(wordsOf(rules), rule)
      yield* filter.fence("lower", JSON.stringify(stack))
      assert.sameMembers([...wordsOf(yield* filter.rules())], [...before])
    })
  )

  it.live("leaves nothing when it is lowered, and is lowered twice without complaint", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine()
      const before = yield* filter.rules()
      yield* filter.fence("raise", fence())
      for (let time = 0; time < 2; time++) {
        assert.deepStrictEqual(yield* filter.fence("lower", JSON.stringify(stack)), { code: 0, stderr: "" })
        assert.strictEqual(yield* filter.rules(), before)
      }
    })
  )

  it.live(
    "refuses a machine whose engine has no place for it, and asks the old filter nothing where nobody uses it",
    () =>
      Effect.gen(function* () {
        const filter = yield* PacketFilter.make
        const { code, stderr } = yield* filter.fence("raise", fence())
        assert.strictEqual(code, 1)
        assert.include(stderr, "no chain DOCKER-USER")
        assert.strictEqual(yield* filter.run("cat", "/proc/net/ip_tables_names"), "")
      })
  )

  it.live("stands in the old filter where the engine's chains are there only", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine("iptables-legacy")
      const before = yield* filter.rules("iptables-legacy")
      assert.deepStrictEqual(yield* filter.fence("raise", fence()), { code: 0, stderr: "" })
      assert.include(yield* filter.rules("iptables-legacy"), "-A DOCKER-USER -i br-0a1b2c -j acme-175ccea4-pass")
      assert.notInclude(yield* filter.rules(), "acme")
      assert.strictEqual((yield* filter.fence("lower", JSON.stringify(stack))).code, 0)
      assert.strictEqual(yield* filter.rules("iptables-legacy"), before)
    })
  )

  it.live("stands where an engine has its chains as well, when it is asked for in one that every filter has", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine("iptables-legacy")
      assert.deepStrictEqual(yield* filter.fence("raise", fence({ entry: "FORWARD" })), { code: 0, stderr: "" })
      assert.include(yield* filter.rules("iptables-legacy"), "-A FORWARD -i br-0a1b2c -j acme-175ccea4-pass")
      assert.notInclude(yield* filter.rules(), "acme")
    })
  )

  it.live("refuses what is no fence with exit code 2, and says what is wrong with it", () =>
    Effect.gen(function* () {
      const filter = yield* PacketFilter.ofAnEngine()
      const before = yield* filter.rules()
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["raise", fence({ bridge: "br 0" })], "bridge"],
        [["raise", fence({ reach: [{ address: "everything", port: 1 }] })], "reach"],
        [["raise", "{"], "JSON"],
        [["raise"], "fence"],
        [["lower", JSON.stringify({ brand: "acme" })], "environment"],
        [["rise"], "rise"]
      ]
      for (const [args, told] of wrong) {
        const { code, stderr } = yield* filter.fence(...args)
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, told)
      }
      assert.strictEqual(yield* filter.rules(), before)
    })
  )
})
