/** Where the command line begins. The version is asked for often, by scripts and by people in doubt: it waits for nothing. */
import { version } from "../Version.ts"

const [first, ...others] = process.argv.slice(2)
const isVersionOnly = others.length === 0 && (first === "--version" || first === "-v")

if (isVersionOnly) process.stdout.write(`esb ${version}\n`)
else await import("./CommandLine.ts")
