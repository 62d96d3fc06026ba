/** `npm run format`: writes every file in the one style that `npm run check` asks for. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
import { runMain } from "./parts/Refusal.mjs"
import { root } from "./parts/Root.mjs"

await runMain(() => {
  const oxfmt = join(root, "node_modules/oxfmt/bin/oxfmt")
  const paths = process.argv.slice(2)
  const { status } = spawnSync(chosenNode(root), [oxfmt, ...(paths.length > 0 ? paths : ["."])], {
    cwd: root,
    stdio: "inherit"
  })
  return status ?? 1
})
