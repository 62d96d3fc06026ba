/**
 * Ports that nobody listens on, for servers that are told theirs or come back to where they were. They lie below those that a
 * system chooses by itself: no connection and no other server comes upon one before it is used. And below those of workers' doors,
 * which fences leave open.
 */
import { createServer } from "node:net"
import * as OwnShare from "./OwnShare.ts"

/** At any address of this machine. */
const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })

export const find = OwnShare.finder({ from: 10_000, to: 20_000 })(isFree)
