/** Where the Provisioner begins, on a Node that is new enough. */
import { start } from "../SuitableNode.ts"

await start(() => import("./Provisioner.ts"))
