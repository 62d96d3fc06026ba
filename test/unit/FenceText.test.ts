import { assert, describe, it } from "@effect/vitest"
import type { WorkerFence } from "#domain/WorkerFence"
import * as FenceText from "#layers/iptables/FenceText"

const stack = { brand: "acme", environment: "dev" }

const fence: WorkerFence = {
  stack,
  bridge: "br-0a1b2c",
  entry: "DOCKER-USER",
  doors: { address: "10.89.0.1", ports: { first: 20_000, last: 29_999 }, of: "machine" },
  reach: [{ address: "10.89.0.3", port: 443 }]
}

const bare = ["-P INPUT ACCEPT", "-P FORWARD DROP", "-N DOCKER-USER", "-A FORWARD -j DOCKER-USER"].join("\n")

/** With the fence of an earlier network, and that of another stack. */
const fenced = [
  bare,
  "-N acme-175ccea4-host",
  "-N acme-175ccea4-pass",
  "-N acme-00000000-pass",
  "-A INPUT -i br-old -j acme-175ccea4-host",
  "-A DOCKER-USER -i br-old -j acme-175ccea4-pass",
  "-A DOCKER-USER -i br-other -j acme-00000000-pass",
  "-A acme-175ccea4-host -j REJECT --reject-with icmp-port-unreachable"
].join("\n")

const linesOf = (text: string | undefined): ReadonlyArray<string> => (text ?? "").split("\n")

describe("a fence in the language of iptables-restore", () => {
  it("fills its own chains, and leads into them before all else", () => {
    assert.deepStrictEqual(linesOf(FenceText.raised(bare, fence)), [
      "*filter",
      ":acme-175ccea4-pass - [0:0]",
      ":acme-175ccea4-host - [0:0]",
      "-A acme-175ccea4-pass -d 169.254.0.0/16 -p udp --dport 53:53 -j RETURN",
      "-A acme-175ccea4-pass -d 169.254.0.0/16 -p tcp --dport 53:53 -j RETURN",
      "-A acme-175ccea4-pass -d 169.254.0.0/16 -j REJECT",
      "-A acme-175ccea4-pass ! -o br-0a1b2c -j RETURN",
      "-A acme-175ccea4-pass -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A acme-175ccea4-pass -d 10.89.0.3 -p tcp --dport 443:443 -j ACCEPT",
      "-A acme-175ccea4-host -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A acme-175ccea4-host -p udp --dport 53:53 -j ACCEPT",
      "-A acme-175ccea4-host -p tcp --dport 53:53 -j ACCEPT",
      "-A acme-175ccea4-host -d 10.89.0.1 -p tcp --dport 20000:29999 -j ACCEPT",
      "-A acme-175ccea4-host -d 10.89.0.3 -p tcp --dport 443:443 -j ACCEPT",
      "-A acme-175ccea4-host -j REJECT",
      "-I DOCKER-USER 1 -i br-0a1b2c -j acme-175ccea4-pass",
      "-I INPUT 1 -i br-0a1b2c -j acme-175ccea4-host",
      "COMMIT",
      ""
    ])
  })

  it("leads answers back as well where no engine does, and takes that away for the next fence that needs it not", () => {
    const alone = linesOf(FenceText.raised(bare, { ...fence, entry: "FORWARD" }))
    assert.includeMembers(
      [...alone],
      [
        ":acme-175ccea4-back - [0:0]",
        "-A acme-175ccea4-pass -p tcp -m conntrack --ctorigdst 10.89.0.3 --ctorigdstport 443 -j ACCEPT",
        "-A acme-175ccea4-pass -o br-0a1b2c -j REJECT",
        "-A acme-175ccea4-pass -m conntrack --ctstate DNAT -j REJECT",
        "-A acme-175ccea4-pass -o br-+ -j RETURN",
        "-A acme-175ccea4-back -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-I FORWARD 1 -o br-0a1b2c -j acme-175ccea4-back"
      ]
    )
    const jump = "-A FORWARD -o br-0a1b2c -j acme-175ccea4-back"
    const next = linesOf(FenceText.raised([bare, "-N acme-175ccea4-back", jump].join("\n"), fence))
    assert.includeMembers([...next], ["-D FORWARD -o br-0a1b2c -j acme-175ccea4-back", "-X acme-175ccea4-back"])
  })

  it("takes away what led into its chains before, and nothing of another stack", () => {
    const deletions = linesOf(FenceText.raised(fenced, fence)).filter((line) => line.startsWith("-D"))
    const former = ["-D INPUT -i br-old -j acme-175ccea4-host", "-D DOCKER-USER -i br-old -j acme-175ccea4-pass"]
    assert.deepStrictEqual(deletions, former)
    assert.deepStrictEqual(linesOf(FenceText.lowered(fenced, stack)), [
      "*filter",
      ...former,
      "-F acme-175ccea4-pass",
      "-F acme-175ccea4-host",
      "-X acme-175ccea4-pass",
      "-X acme-175ccea4-host",
      "COMMIT",
      ""
    ])
  })

  it("is nothing to lower where there is none", () => {
    assert.isUndefined(FenceText.lowered(bare, stack))
  })

  it("knows chains that the machine has, its own ones included", () => {
    for (const chain of ["DOCKER-USER", "FORWARD", "INPUT"]) assert.isTrue(FenceText.hasChain(bare, chain), chain)
    for (const chain of ["DOCKER", "OUTPUT", "acme-175ccea4-pass"])
      assert.isFalse(FenceText.hasChain(bare, chain), chain)
  })
})
