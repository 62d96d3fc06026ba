import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Subnet from "#domain/Subnet"
import * as WorkersBridge from "#programs/esb/WorkersBridge"

const nothing = { subnet: undefined, bridge: undefined }
const net = (text: string) => Result.getOrThrow(Subnet.parse(text))
const workers = { name: "esb-default-workers", subnet: "10.89.0.0/16" }

const chosen = (brand: string, asked: WorkersBridge.Asked, ...beside: Parameters<typeof WorkersBridge.choose>[2]) =>
  Result.getOrThrow(WorkersBridge.choose(brand, asked, beside))
const refusal = (asked: Partial<WorkersBridge.Asked>, ...beside: Parameters<typeof WorkersBridge.choose>[2]) =>
  Result.merge(WorkersBridge.choose("esb", { ...nothing, ...asked }, beside))

describe("the bridge that workers of a containerd are on", () => {
  it("is found from the brand, as an Agent would find it", () => {
    assert.deepStrictEqual(chosen("esb", nothing, workers), {
      CNI_SUBNET: "10.184.208.0/23",
      CNI_BRIDGE: "esb-esbefb03b",
      CNI_GW_IP: "10.184.208.1"
    })
    assert.strictEqual(chosen("acme", nothing, workers).CNI_SUBNET, "10.235.226.0/23")
  })

  it("makes room for the networks that the runtime node is on", () => {
    const control = { name: "esb-default-control", subnet: "10.184.0.0/16" }
    assert.strictEqual(chosen("esb", nothing, workers, control).CNI_SUBNET, "10.185.0.0/23")
  })

  it("is the one that was asked for", () => {
    assert.deepStrictEqual(chosen("esb", { subnet: net("10.88.7.7/16"), bridge: "esb0" }, workers), {
      CNI_SUBNET: "10.88.0.0/16",
      CNI_BRIDGE: "esb0",
      CNI_GW_IP: "10.88.0.1"
    })
  })

  it("is refused by name where it cannot be", () => {
    assert.strictEqual(
      refusal({ subnet: net("10.89.4.0/24") }, workers),
      "CNI_SUBNET is 10.89.4.0/24, and esb-default-workers, which the runtime node is on, has 10.89.0.0/16: choose another, or leave it out"
    )
    assert.include(String(refusal({ bridge: "a-name-of-sixteen" })), "CNI_BRIDGE (--cni-bridge) is a-name-of-sixteen")
  })
})
