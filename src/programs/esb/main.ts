#!/usr/bin/env node
/**
 * Where the command line begins. The version is asked for often, by scripts and by people in doubt: it waits for nothing. All
 * else wants a Node that is new enough.
 */
import { version } from "../Version.ts"
import * as Output from "./Output.ts"
import * as SuitableNode from "../SuitableNode.ts"

const [first, ...others] = process.argv.slice(2)
const isVersionOnly = others.length === 0 && (first === "--version" || first === "-v")

Output.watch()

if (isVersionOnly) {
  process.stdout.write(`esb ${version}\n`)
} else {
  await SuitableNode.start(() => import("./CommandLine.ts"))
}
