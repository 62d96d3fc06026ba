import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Certificates from "#programs/esb/Certificates"

describe("the certificates of a stack in containers", () => {
  it.live("get the names that its servers have besides, and are left alone where they have them", () =>
    Effect.gen(function* () {
      const directory = join(mkdtempSync(join(tmpdir(), "esb-StackCertificates-")), "certs")
      const server = () => new X509Certificate(readFileSync(join(directory, "server.crt")))
      const { authority } = yield* Certificates.ensure(directory)
      const [first, trusted] = [server(), readFileSync(authority, "utf8")]
      assert.isUndefined(first.checkIP("10.184.208.1"))
      assert.isDefined(first.checkHost("runtime-node"))

      yield* Certificates.ensure(directory, ["10.184.208.1"])
      const named = server()
      assert.isDefined(named.checkIP("10.184.208.1"))
      assert.strictEqual(readFileSync(authority, "utf8"), trusted)
      yield* Certificates.ensure(directory, ["10.184.208.1"])
      yield* Certificates.ensure(directory)
      assert.strictEqual(server().serialNumber, named.serialNumber)

      // Whoever keeps the authority's key elsewhere goes on without the name.
      rmSync(join(directory, "rootCA.key"))
      yield* Certificates.ensure(directory, ["10.0.0.1"])
      assert.strictEqual(server().serialNumber, named.serialNumber)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
