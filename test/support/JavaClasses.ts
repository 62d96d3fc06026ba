/** Sources of Java, compiled by the tools of the machine. */
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathOf } from "./Engines.ts"

const tool = (name: string): string => join(dirname(realpathSync(pathOf("java"))), name)

/** Compiles all sources of a directory into another one, beside what AWS's client brings. */
export const compile = (from: string, to: string, ...classPath: ReadonlyArray<string>): void => {
  const sources = readdirSync(from, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".java"))
  mkdirSync(to, { recursive: true })
  const path = [...classPath, `${pathOf("ric-java")}/*`].join(":")
  execFileSync(tool("javac"), ["-d", to, "-cp", path, ...sources.map((name) => join(from, name))])
}

/** An archive of all that is in a directory. */
export const archive = (path: string, directory: string): void =>
  void execFileSync(tool("jar"), ["--create", "--file", path, "-C", directory, "."])
