/** `npm run build`: bundles every program into `dist`. Installs first when it has to, like every script here. */
import { ensureBuilt, ensureInstalled } from "./parts/Readiness.mjs"
import { runMain } from "./parts/Refusal.mjs"
import { root } from "./parts/Root.mjs"

await runMain(async () => {
  await ensureInstalled(root, { withDev: false, homes: [] })
  await ensureBuilt(root, { homes: [], always: true })
})
