/** Brings a checkout to where a script can start: dependencies fetched, programs built, each only when out of date. */
import { bundle, isBuilt } from "./Bundle.mjs"
import { withHouseLock } from "./HouseLock.mjs"
import { install, isInstalled } from "./Installation.mjs"
import { Refusal } from "./Refusal.mjs"
import { refuseUnderRunningStack } from "./RunningStack.mjs"

/** Fetches the dependencies unless they are there. A stack that runs on one of the `homes` stops it. */
export const ensureInstalled = async (root, { withDev, homes }) => {
  if (isInstalled(root, { withDev })) return
  await withHouseLock(root, () => {
    // Whoever held the lock before may have done it.
    if (isInstalled(root, { withDev })) return
    refuseUnderRunningStack(homes, "install new dependencies")
    install(root)
  })
}

/** Builds `dist` unless it is made from these sources; `always` builds in any case. */
export const ensureBuilt = async (root, { homes, always = false }) => {
  if (!always && isBuilt(root)) return
  await withHouseLock(root, async () => {
    if (!always && isBuilt(root)) return
    refuseUnderRunningStack(homes, "build anew")
    const start = performance.now()
    const missing = await bundle(root)
    if (missing.length > 0)
      throw new Refusal(`dist is incomplete, these sources are missing:\n  ${missing.join("\n  ")}`)
    console.error(`Built dist in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
  })
}
