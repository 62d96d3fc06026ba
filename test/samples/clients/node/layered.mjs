import { from as fromLayer } from "in-layer"
import { from as fromScoped } from "@scope/in-sdk/part"
import { from as fromBoth } from "./layered-helper.mjs"

export const handler = async () => ({ fromLayer, fromScoped, fromBoth, fromLater: (await import("in-sdk-later")).from })

export const early = async () => ({ fromLayer, fromScoped, fromBoth })

export const missing = async () => import("no-such-package")
