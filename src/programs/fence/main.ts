/** Where the fence's program begins, on a Node that is new enough. */
import { start } from "../SuitableNode.ts"

await start(() => import("./Fence.ts"))
