/** Why a machine cannot run workers, and what would have to be done about it. */
import { Schema } from "effect"

export class NodeRefused extends Schema.TaggedError<NodeRefused>()("NodeRefused", { message: Schema.String }) {}
