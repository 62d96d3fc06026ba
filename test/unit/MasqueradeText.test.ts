import { assert, describe, it } from "@effect/vitest"
import * as MasqueradeText from "#layers/cni/MasqueradeText"

const saved = `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [1:60]
:CNI-1111 - [0:0]
:CNI-2222 - [0:0]
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"esb-net\\" id: \\"esb-1-a\\"" -j CNI-1111
-A POSTROUTING -s 10.88.0.3/32 -m comment --comment "name: \\"esb-net\\" id: \\"esb-1-b\\"" -j CNI-2222
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A CNI-1111 -d 10.88.0.0/16 -m comment --comment "name: \\"esb-net\\" id: \\"esb-1-a\\"" -j ACCEPT
-A CNI-1111 ! -d 224.0.0.0/4 -m comment --comment "name: \\"esb-net\\" id: \\"esb-1-a\\"" -j MASQUERADE
COMMIT
`

describe("rules of translation that plugins left", () => {
  it("tell whose they are", () => {
    assert.deepStrictEqual(MasqueradeText.ids(saved), ["esb-1-a", "esb-1-b"])
  })

  it("are removed with the chain they lead to, and nobody else's", () => {
    const rule = `POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"esb-net\\" id: \\"esb-1-a\\"" -j CNI-1111`
    assert.strictEqual(
      MasqueradeText.removal(saved, (id) => id === "esb-1-a"),
      ["*nat", `-D ${rule}`, "-F CNI-1111", "-X CNI-1111", "COMMIT", ""].join("\n")
    )
  })

  it("are not touched when none is of somebody who is gone", () => {
    assert.isUndefined(MasqueradeText.removal(saved, () => false))
    assert.isUndefined(MasqueradeText.removal("", () => true))
  })
})
