/** How long does the first call of a Node function take, beside the start of Node itself? */
import { spawn } from "node:child_process"
import * as DrivenStack from "./parts/DrivenStack.ts"
import { figure, heading, tell, timed } from "./parts/Figures.ts"

const rounds = 30

const run = (...args: ReadonlyArray<string>) =>
  new Promise((resolve) => spawn(process.execPath, args, { env: {}, stdio: "ignore" }).once("exit", resolve))

heading("cold start of a Node function, process runtime")
const stack = await DrivenStack.start(DrivenStack.template(Array.from({ length: rounds }, () => 1)))
const boot: Array<number> = []
const listen: Array<number> = []
const cold: Array<number> = []
for (let round = 0; round < rounds; round++) {
  boot.push(await timed(() => run("-e", "0")))
  listen.push(await timed(() => run("-e", "require('http').createServer().listen(0,()=>process.exit())")))
  cold.push(await timed(() => stack.invoke(`f${round}`, "{}")))
}
tell(figure("floor: node -e 0", boot))
tell(figure("floor: node that listens", listen))
tell(figure("first call through the Gateway", cold))
await stack.stop()
