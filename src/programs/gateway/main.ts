/** Where the Gateway begins, on a Node that is new enough. */
import { start } from "../SuitableNode.ts"

await start(() => import("./Gateway.ts"))
