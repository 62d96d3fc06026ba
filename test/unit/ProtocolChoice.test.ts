import { assert, describe, it } from "@effect/vitest"
import * as ProtocolChoice from "#domain/ProtocolChoice"

const { beforeStart, fromSigns, namesEmulator } = ProtocolChoice

describe("the protocol of a new worker", () => {
  it("may be an emulator's only when the entrypoint names one", () => {
    for (const words of [
      ["aws-lambda-rie"],
      ["/usr/local/bin/aws-lambda-rie", "/usr/bin/npx", "aws-lambda-ric"],
      ["/usr/bin/env", "/aws-lambda-rie-arm64", "bootstrap"],
      ["/bin/sh", "-c", 'exec /usr/local/bin/aws-lambda-rie /bootstrap "$@"'],
      ["/bin/sh", "-c", "if [ -z $X ]; then '/opt/aws-lambda-rie'; fi"],
      ["sh", "-c", "R=aws-lambda-rie;exec $R"]
    ]) {
      assert.isTrue(namesEmulator(words), words.join(" "))
    }
    for (const words of [
      [],
      ["/lambda-entrypoint.sh"],
      ["/usr/bin/npx", "aws-lambda-ric"],
      ["/opt/aws-lambda-rie/bin/server"],
      ["my-aws-lambda-rie"],
      ["/opt/extensions/lambda-adapter", "node", "server.js"]
    ]) {
      assert.isFalse(namesEmulator(words), words.join(" "))
    }
  })

  const emulated = ["/usr/local/bin/aws-lambda-rie", "/bootstrap"]
  const plain = ["/lambda-entrypoint.sh"]

  it("is what the setting says, if it says one", () => {
    for (const protocol of ["runtime-api", "rie"] as const) {
      assert.strictEqual(beforeStart(protocol, emulated, undefined), protocol)
      assert.strictEqual(beforeStart(protocol, plain, "rie"), protocol)
    }
  })

  it("is the Runtime API at once when no emulator is named, else what its image was found to speak", () => {
    assert.strictEqual(beforeStart("auto", plain, undefined), "runtime-api")
    assert.strictEqual(beforeStart("auto", plain, "rie"), "runtime-api")
    assert.isUndefined(beforeStart("auto", emulated, undefined))
    assert.strictEqual(beforeStart("auto", emulated, "rie"), "rie")
    assert.strictEqual(beforeStart("auto", emulated, "runtime-api"), "runtime-api")
  })

  it("is the Runtime API after any request at the door, whatever else it shows", () => {
    for (const silent of [true, false]) {
      for (const accepts of [true, false]) {
        assert.strictEqual(fromSigns({ contacted: true, silent, accepts }), "runtime-api")
      }
    }
  })

  it("is an emulator's when the door stayed silent and its port accepts, and open before", () => {
    assert.strictEqual(fromSigns({ contacted: false, silent: true, accepts: true }), "rie")
    assert.isUndefined(fromSigns({ contacted: false, silent: false, accepts: true }))
    assert.isUndefined(fromSigns({ contacted: false, silent: true, accepts: false }))
  })
})
