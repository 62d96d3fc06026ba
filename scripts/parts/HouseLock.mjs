/**
 * One installer or builder at a time in one checkout. The lock is a file that holds its owner's pid; one whose owner
 * is gone is taken over, so a `kill -9` leaves nothing to clean up.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Refusal } from "./Refusal.mjs"

const pollMs = 200
const longestWaitMs = 10 * 60_000

/** Whether a process has this pid. One that belongs to another user is alive, too. */
export const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

/** What the lock says; undefined when it is gone. */
const readHolder = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (error.code === "ENOENT") return undefined
    throw error
  }
}

const isHeld = (holder) => /^[1-9]\d*$/.test(holder) && isAlive(Number(holder))

/** Creates the lock with its content in one step: a reader never sees an empty one. */
const claim = (path) => {
  const own = `${path}.${process.pid}`
  writeFileSync(own, String(process.pid))
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (error.code === "EEXIST") return false
    throw error
  } finally {
    rmSync(own, { force: true })
  }
}

/** Puts a dead owner's lock aside. When another process was quicker, what was moved is its live lock: it goes back. */
const clear = (path, seen) => {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
    if (readHolder(aside) !== seen) linkSync(aside, path)
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

/** Runs `body` while holding the lock of the checkout at `root`; waits for another holder and says so once. */
export const withHouseLock = async (root, body) => {
  const path = join(root, ".house.lock")
  const deadline = Date.now() + longestWaitMs
  let told = false
  while (!claim(path)) {
    const holder = readHolder(path)
    if (holder === undefined) continue
    if (!isHeld(holder)) {
      clear(path, holder)
      continue
    }
    if (Date.now() > deadline) throw new Refusal(`Process ${holder} has been installing or building here for too long.`)
    if (!told) console.error(`Waiting for process ${holder}, which installs or builds here.`)
    told = true
    await sleep(pollMs)
  }
  try {
    return await body()
  } finally {
    rmSync(path, { force: true })
  }
}
