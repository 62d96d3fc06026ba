/** Functions that behave, and functions that do what a worker must survive. */
import { spawn } from "node:child_process"
import { lookup, Resolver } from "node:dns/promises"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { once } from "node:events"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

export const echo = async (event) => event

export const environment = async () => process.env

export const where = async () => ({ directory: process.cwd(), arguments: process.execArgv, pid: process.pid })

/** A file of wherever it runs. */
export const read = async ({ path }) => ({ text: readFileSync(path, "utf8") })

export const fail = async () => {
  throw new TypeError("boom")
}

export const exit = async ({ code = 0 }) => process.exit(code)

export const abort = async () => process.abort()

export const hang = async () => {
  for (;;) await sleep(60_000)
}

export const spin = async ({ ms }) => {
  const end = Date.now() + ms
  while (Date.now() < end);
  return ms
}

/** Lines before, and one in the moment of the answer. */
export const talk = async ({ lines = 1, width = 10 }) => {
  for (let line = 0; line < lines; line++) console.log("x".repeat(width))
  return lines
}

/** Writes as fast as it can, around every convenience. */
export const flood = async ({ megabytes }) => {
  const chunk = Buffer.from(`${"y".repeat(1_023)}\n`.repeat(1_024))
  for (let written = 0; written < megabytes; written++) {
    if (!process.stdout.write(chunk)) await once(process.stdout, "drain")
  }
  return megabytes
}

export const large = async ({ bytes }) => "z".repeat(bytes - 2)

/** Takes memory that no heap limit sees. */
export const hoard = async ({ megabytes }) => {
  const hoarded = []
  for (let taken = 0; taken < megabytes; taken += 8) {
    hoarded.push(Buffer.alloc(8 * 1_048_576, 1))
    await sleep(5)
  }
  await sleep(5_000)
  return hoarded.length
}

/** Closes every connection under its own runtime client. */
export const cut = async () => {
  for (const handle of process._getActiveHandles()) {
    if (handle.constructor.name === "Socket" && handle.remotePort !== undefined) handle.destroy()
  }
  await sleep(60_000)
}

/** Starts a process in its own group, and one that leaves it. */
export const family = async () => {
  const near = spawn("/bin/sleep", ["600"], { stdio: "ignore" })
  const far = spawn("/bin/sleep", ["600"], { stdio: "ignore", detached: true })
  far.unref()
  return { near: near.pid, far: far.pid }
}

/** Knocks at a port of this host. */
export const knock = async ({ port }) => {
  const socket = connect(port, "127.0.0.1")
  await once(socket, "connect")
  socket.destroy()
  return true
}

/** Uses a module that only a layer has. */
export const greet = async ({ name }) => createRequire(import.meta.url)("greeting").hello(name)

/** How many bytes come back from a place in the network, up to the first. */
export const visit = ({ host, port, path }) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_500 })
    const end = (bytes) => {
      socket.destroy()
      resolve({ bytes })
    }
    socket.on("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`))
    socket.on("data", () => end(1))
    for (const event of ["close", "error", "timeout"]) socket.on(event, () => end(0))
  })

const orCode = ({ code }) => code

/** What the C library makes of names: their first address, or the code of why there is none. */
export const names = async ({ names }) =>
  Promise.all(names.map((name) => lookup(name).then(({ address }) => address, orCode)))

/** Texts of a name, by a client that asks a name server itself: one of its own choice, or whom everybody asks. */
export const texts = async ({ name, server }) => {
  const resolver = new Resolver({ timeout: 1_500, tries: 1 })
  if (server !== undefined) resolver.setServers([server])
  return resolver.resolveTxt(name).then(([texts]) => texts.length, orCode)
}

/** Answers after a while in which it does nothing. */
export const rest = async ({ ms = 0 }) => sleep(ms, ms)
