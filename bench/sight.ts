/** What does it cost the Gateway that a warm call's record and its operations are sent to VictoriaLogs? */
import { createServer } from "node:http"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import * as DrivenStack from "./parts/DrivenStack.ts"
import { cpuSeconds, heading, tellNumber } from "./parts/Figures.ts"

const payload = JSON.stringify({ text: "x".repeat(1000) })
const rounds = 15
const callsPerRound = 1_000
const callers = 8

/** A store that takes everything, and only counts the lines. */
let lines = 0
const store = createServer((request, response) => {
  request.on("data", (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1
  })
  request.on("end", () => response.end())
})
store.listen(0, "127.0.0.1")
await once(store, "listening")
const VICTORIALOGS_URL = `http://127.0.0.1:${(store.address() as AddressInfo).port}`

const variants = [
  ["nothing is sent, no access log", { ACCESS_LOG: "0" }],
  ["nothing is sent", {}],
  ["records are sent", { VICTORIALOGS_URL, TRACE_SAMPLE_RATE: "0" }],
  ["records, and operations of 5 % of the calls", { VICTORIALOGS_URL, TRACE_SAMPLE_RATE: "0.05" }],
  ["records, and operations of every call", { VICTORIALOGS_URL, TRACE_SAMPLE_RATE: "1" }]
] as const

const flood = async (stack: DrivenStack.DrivenStack, calls: number): Promise<void> => {
  let left = calls
  const caller = async () => {
    while (left-- > 0) await stack.invoke("f0", payload)
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

heading("CPU of the Gateway in a warm call, its door included: Node function, 1 KiB, process runtime, INVOKE_AUTH=none")
const stacks = []
for (const [name, environment] of variants) {
  const micros: Array<number> = []
  stacks.push({ name, stack: await DrivenStack.start(DrivenStack.template([1]), environment), micros, lines: 0 })
}
for (let round = -1; round < rounds; round += 1) {
  for (const each of stacks) {
    const [before, linesBefore] = [cpuSeconds(each.stack.gatewayPid), lines]
    await flood(each.stack, callsPerRound)
    // What was written is on its way after this.
    await new Promise((resolve) => setTimeout(resolve, 700))
    if (round < 0) continue
    each.micros.push(((cpuSeconds(each.stack.gatewayPid) - before) / callsPerRound) * 1e6)
    each.lines += (lines - linesBefore) / callsPerRound / rounds
  }
}
const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
/** The second of them; what else the machine does falls on both sides of each of these ratios. */
const plain = stacks[1]?.micros ?? []
for (const each of stacks) {
  const ratio = median(each.micros.map((value, round) => value / (plain[round] ?? value)))
  const told = `${median(each.micros).toFixed(1)} µs a call, ${ratio.toFixed(2)} of what it is when nothing is sent`
  tellNumber(each.name, `${told}; ${each.lines.toFixed(2)} lines`)
}
for (const { stack } of stacks) await stack.stop()
store.close()
