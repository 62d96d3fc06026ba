/** Where the runtime node begins, on a Node that is new enough. */
import { start } from "../SuitableNode.ts"

await start(() => import("./RuntimeNode.ts"))
