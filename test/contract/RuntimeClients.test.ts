import { describe } from "@effect/vitest"
import * as NodeClientContract from "./NodeClientContract.ts"
import * as NodeHandlerContract from "./NodeHandlerContract.ts"
import * as PythonClientContract from "./PythonClientContract.ts"
import * as RuntimeClientContract from "./RuntimeClientContract.ts"
import { needs, pathOf } from "#test/support/Engines"
import { nodeClient, pythonClient, versionOfNode } from "#test/support/RuntimeClients"

const onNode = (interpreter: string) => {
  const version = versionOfNode(interpreter)
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const name = `Node ${version}`
  const client = (runtime: "nodejs22.x" | "nodejs24.x") => () => nodeClient(interpreter, runtime)

  RuntimeClientContract.suite(name, client("nodejs24.x"))
  NodeClientContract.suite(name, { path: interpreter, version: [major, minor] }, client("nodejs22.x"))
  NodeHandlerContract.classic(name, client("nodejs22.x"))
  NodeHandlerContract.since24(name, client("nodejs24.x"))
  NodeHandlerContract.streams(name, client("nodejs24.x"))
}

onNode(process.execPath)

const oldNode = needs("old-node")
describe("on an older Node", oldNode, () => {
  if (!("skip" in oldNode)) onNode(pathOf("old-node"))
})

const python = needs("python")
describe("on Python", python, () => {
  if ("skip" in python) return
  RuntimeClientContract.suite("Python", async () => pythonClient("python3.13"))
  PythonClientContract.suite("Python")
})
