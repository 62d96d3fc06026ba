import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as HostProcessTable from "#layers/process/HostProcessTable"
import { parseStat } from "#layers/process/LinuxProcessTable"
import { parseLine } from "#layers/process/PsProcessTable"

const units = { pageBytes: 4_096, tickNanoseconds: 10_000_000 }
const statOf = (state: string, threads: number) =>
  `4711 (a ) (b) ${state} 1 4700 4700 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 ${threads} 0 123456 1000000 500 18446744073709551615 1 1`

const ofThisHost = HostProcessTable.make()

describe("the table of processes", () => {
  it("is read from /proc whatever a process is called", () => {
    assert.deepStrictEqual(parseStat(4_711, statOf("S", 11), units), {
      pid: 4_711,
      group: 4_700,
      startTime: "123456",
      ended: false,
      residentBytes: 500 * 4_096,
      cpuNanoseconds: 26 * 10_000_000
    })
  })

  it("has those for ended whose last thread has ended, and nobody else", () => {
    const ended = (state: string, threads: number) => parseStat(4_711, statOf(state, threads), units).ended
    assert.deepStrictEqual([ended("Z", 1), ended("X", 0), ended("Z", 2), ended("T", 1)], [true, true, false, false])
  })

  it("is read from ps where there is no /proc", () => {
    const line = " 4711  4700 Ss    2048  1-02:03:04.50 Sat Nov 21 20:42:50 2026"
    assert.deepStrictEqual(parseLine(line), [
      {
        pid: 4_711,
        group: 4_700,
        startTime: "Sat Nov 21 20:42:50 2026",
        ended: false,
        residentBytes: 2_097_152,
        cpuNanoseconds: 93_784.5 * 1_000_000_000
      }
    ])
    assert.isTrue(parseLine("1 1 Z 0 0:00.01 Sat Nov 21 20:42:50 2026")[0]?.ended)
    assert.deepStrictEqual(parseLine(""), [])
  })

  it.live("knows this process, and nobody by a variable that nobody has", () =>
    Effect.gen(function* () {
      const [own] = yield* ofThisHost.some([process.pid])
      assert.strictEqual(own?.pid, process.pid)
      assert.isAbove(own?.residentBytes ?? 0, 10_000_000)
      assert.isTrue((yield* ofThisHost.all).some(({ pid }) => pid === process.pid))
      assert.deepStrictEqual(yield* ofThisHost.marked(`ESB_NOBODY=${process.hrtime.bigint()}`), [])
    })
  )
})
