import { describe } from "@effect/vitest"
import * as CommonContract from "./runtime-clients/CommonContract.ts"
import * as NodeAnswerContract from "./runtime-clients/NodeAnswerContract.ts"
import * as NodeFailureContract from "./runtime-clients/NodeFailureContract.ts"
import * as NodeLoadingContract from "./runtime-clients/NodeLoadingContract.ts"
import * as NodeLogContract from "./runtime-clients/NodeLogContract.ts"
import * as NodeStreamContract from "./runtime-clients/NodeStreamContract.ts"
import * as PythonAnswerContract from "./runtime-clients/PythonAnswerContract.ts"
import * as PythonLoadingContract from "./runtime-clients/PythonLoadingContract.ts"
import * as PythonLogContract from "./runtime-clients/PythonLogContract.ts"
import { needs, pathOf } from "#test/support/Engines"
import { nodeClient, pythonClient, versionOfNode } from "#test/support/RuntimeClients"

const onNode = (interpreter: string) => {
  const version = versionOfNode(interpreter)
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const name = `Node ${version}`
  const until22 = () => nodeClient(interpreter, "nodejs22.x")
  const since24 = () => nodeClient(interpreter, "nodejs24.x")

  CommonContract.suite(name, since24)
  NodeLoadingContract.suite(name, [major, minor], until22)
  NodeAnswerContract.classic(name, until22)
  NodeAnswerContract.since24(name, since24)
  NodeStreamContract.suite(name, since24)
  NodeFailureContract.suite(name, until22)
  NodeLogContract.suite(name, until22)
}

onNode(process.execPath)

const oldNode = needs("old-node")
describe("on an older Node", oldNode, () => {
  if (!("skip" in oldNode)) onNode(pathOf("old-node"))
})

const python = needs("python")
describe("on Python", python, () => {
  if ("skip" in python) return
  CommonContract.suite("Python", async () => pythonClient("python3.13"))
  PythonLoadingContract.suite("Python")
  PythonAnswerContract.suite("Python")
  PythonLogContract.suite("Python")
})
