import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { rules } from "#domain/NodeRules"
import * as Subnet from "#domain/Subnet"

const subnet = (text: string) => Result.getOrThrow(Subnet.parse(text))

const plan = {
  bridge: "esb0",
  subnet: subnet("10.77.0.0/16"),
  beside: [subnet("172.18.0.0/16"), subnet("10.89.0.0/16")],
  reach: [{ address: "10.89.0.3", port: 8443 }],
  nameserver: "10.89.0.6"
}

const texts = (table: string, of = plan as Parameters<typeof rules>[0]) =>
  rules(of)
    .filter((rule) => rule.table === table)
    .map(({ chain, words }) => `${chain} ${words.join(" ")}`)

describe("rules of a machine that runs workers", () => {
  it("let workers out behind the machine's address, wherever their network is", () => {
    assert.deepStrictEqual(texts("nat"), ["POSTROUTING -s 10.77.0.0/16 ! -d 10.77.0.0/16 -j MASQUERADE"])
    assert.deepStrictEqual(texts("filter"), ["FORWARD -i esb0 -j ACCEPT", "FORWARD -o esb0 -j ACCEPT"])
  })

  it("close the machine's own networks, but for answers, for what workers may reach, and for names", () => {
    assert.deepStrictEqual(texts("mangle"), [
      "FORWARD -i esb0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "FORWARD -i esb0 -d 10.89.0.3 -p tcp --dport 8443 -j ACCEPT",
      "FORWARD -i esb0 -d 10.89.0.6 -p udp --dport 53 -j ACCEPT",
      "FORWARD -i esb0 -d 10.89.0.6 -p tcp --dport 53 -j ACCEPT",
      "FORWARD -i esb0 -d 172.18.0.0/16 -j DROP",
      "FORWARD -i esb0 -d 10.89.0.0/16 -j DROP"
    ])
    const closed = texts("mangle", { ...plan, reach: [], nameserver: undefined })
    assert.lengthOf(
      closed.filter((text) => text.endsWith("ACCEPT")),
      1
    )
  })
})
