/** Who has which address, as the files of `host-local` tell it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as AddressFiles from "#layers/cni/AddressFiles"

describe("files of addresses", () => {
  it.live("are all read although one of them goes meanwhile", () =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "addresses-"))
      writeFileSync(join(directory, "10.88.0.2"), "one\r\neth0")
      writeFileSync(join(directory, "10.88.0.4"), "other\r\neth0")
      writeFileSync(join(directory, "last_reserved_ip.0"), "10.88.0.4")
      // It is listed, and is not there when it is opened.
      symlinkSync("gone", join(directory, "10.88.0.3"))
      assert.deepStrictEqual(yield* AddressFiles.read(directory), [
        { path: join(directory, "10.88.0.2"), holder: "one" },
        { path: join(directory, "10.88.0.4"), holder: "other" }
      ])
    })
  )

  it.live("are none where no address was ever given", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* AddressFiles.read("/run/esb-test-nobody"), [])
    })
  )
})
