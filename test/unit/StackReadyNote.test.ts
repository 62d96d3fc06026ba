import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import type { Stack } from "#domain/Stack"
import * as ReadyNote from "#programs/esb/ReadyNote"

const secret = Redacted.make("secret")

const stack = {
  functions: [],
  routes: [{ method: "GET", path: "/hello/{name}", functionName: "hello", authorization: undefined }]
} as unknown as Stack

const told = (home: string): string =>
  ReadyNote.human({
    authority: `${home}/certs/rootCA.crt`,
    url: "https://localhost",
    home,
    region: "us-east-1",
    access: {
      accessKeyId: "ESBA",
      secretAccessKey: secret,
      jwtSecretKey: secret,
      apiKey: secret,
      authUser: "admin",
      authPass: secret,
      storeSecret: secret,
      token: secret
    },
    stack,
    areRoutesClosed: false
  })

describe("what is said of a stack that is ready", () => {
  it("has a command to try that a shell takes as it is", () => {
    assert.include(told("/srv/.esb"), "Try: curl --cacert /srv/.esb/certs/rootCA.crt https://localhost/hello/world\n")
    assert.include(told("/Ada's home"), String.raw`curl --cacert '/Ada'\''s home/certs/rootCA.crt' https://localhost`)
  })
})
