import type { IncomingMessage } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Hosts from "#programs/gateway/Hosts"

const hosts = (options: Partial<Parameters<typeof Hosts.make>[0]> = {}) =>
  Hosts.make({ listensOn: "127.0.0.1", allowedHosts: [], trustedProxies: [], ...options })

const from = (remoteAddress: string, forwardedFor?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }
  }) as unknown as IncomingMessage

describe("Hosts", () => {
  it("answers for loopback names only, when listening on a loopback address", () => {
    const { allows } = hosts()
    for (const name of ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "api.localhost", "127.0.0.2"]) {
      assert.isTrue(allows(name), name)
    }
    for (const name of ["example.com", "localhost.example.com", "10.0.0.1:8080", "", undefined]) {
      assert.isFalse(allows(name), String(name))
    }
  })

  it("answers for the names it is told to", () => {
    const { allows } = hosts({ allowedHosts: ["Dev.Example.com"] })
    assert.isTrue(allows("dev.example.com:443"))
    assert.isFalse(allows("example.com"))
  })

  it("answers for every name on a public address", () => {
    assert.isTrue(hosts({ listensOn: "0.0.0.0" }).allows("example.com"))
  })

  it("believes X-Forwarded-For from trusted proxies only", () => {
    const { clientAddress } = hosts({ trustedProxies: ["10.0.0.0/8", "192.168.1.1"] })
    assert.strictEqual(clientAddress(from("203.0.113.7", "1.2.3.4")), "203.0.113.7")
    assert.strictEqual(clientAddress(from("10.1.1.1", "1.2.3.4")), "1.2.3.4")
    assert.strictEqual(clientAddress(from("192.168.1.1", "9.9.9.9, 1.2.3.4, 10.2.2.2")), "1.2.3.4")
    assert.strictEqual(clientAddress(from("::ffff:10.1.1.1", "1.2.3.4")), "1.2.3.4")
  })

  it("tells the peer when there is nothing else to tell", () => {
    assert.strictEqual(hosts({ trustedProxies: ["10.0.0.0/8"] }).clientAddress(from("10.1.1.1")), "10.1.1.1")
  })
})
