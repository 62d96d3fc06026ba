/** The network of workers that a containerd starts: a bridge inside the runtime node, which is on networks of the engine itself. */
import { Result } from "effect"
import { createHash } from "node:crypto"
import * as BrandNetwork from "#domain/BrandNetwork"
import * as Subnet from "#domain/Subnet"
import type { Neighbour } from "./WorkersNet.ts"

export interface Asked {
  readonly subnet: Subnet.Subnet | undefined
  readonly bridge: string | undefined
}

/** Of an interface, as the kernel takes it. */
const namePattern = /^[A-Za-z0-9_.-]{1,15}$/

const parsed = ({ subnet }: Neighbour): ReadonlyArray<Subnet.Subnet> => {
  const read = Subnet.parse(subnet)
  return Result.isSuccess(read) ? [read.success] : []
}

/** A place that was asked for may not be that of a network which the runtime node is on: it would not reach that any more. */
const placeOf = (brandDigest: Uint8Array, asked: Subnet.Subnet | undefined, beside: ReadonlyArray<Neighbour>) => {
  if (asked === undefined) {
    const free = BrandNetwork.subnet(brandDigest, beside.flatMap(parsed))
    return free === undefined
      ? Result.fail("No network of 10.0.0.0/8 is left for workers: name one with CNI_SUBNET")
      : Result.succeed(free)
  }
  const other = beside.find((neighbour) => parsed(neighbour).some((each) => Subnet.overlap(each, asked)))
  return other === undefined
    ? Result.succeed(asked)
    : Result.fail(
        `CNI_SUBNET is ${Subnet.format(asked)}, and ${other.name}, which the runtime node is on, has ${other.subnet}: choose another, or leave it out`
      )
}

/** Values of the variables of `compose/containerd.yml`: as asked for, else found from the brand. Fails with why not. */
export const choose = (brand: string, asked: Asked, beside: ReadonlyArray<Neighbour>) => {
  const digest = createHash("md5").update(brand).digest()
  const bridge = asked.bridge ?? BrandNetwork.bridgeName(brand, digest)
  if (!namePattern.test(bridge)) {
    return Result.fail(
      `CNI_BRIDGE (--cni-bridge) is ${bridge}: expected up to 15 letters, digits, dots, dashes and underscores`
    )
  }
  return Result.map(placeOf(digest, asked.subnet, beside), (place) => ({
    CNI_SUBNET: Subnet.format(place),
    CNI_BRIDGE: bridge,
    CNI_GW_IP: Subnet.firstHost(place)
  }))
}
