/** Servers in the networks of their machine that workers may use: what `WORKER_REACH` tells each program that guards workers. */
import { readEndpoint } from "#domain/WorkerFence"
import * as Setting from "./Setting.ts"

export const Endpoints = Setting.ListOf({
  expected: "an address and a port, such as 10.89.0.3:443",
  read: readEndpoint,
  write: ({ address, port }) => `${address}:${port}`
})
