/** Starts of workers by a foreign client: what `proto/agent.proto` says of EnsureContainer. */
import { assert, describe, it } from "@effect/vitest"
import { create } from "@bufbuild/protobuf"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { RuntimeUnsupported } from "#domain/Failure"
import { OwnerId } from "#domain/Worker"
import { EnsureContainerRequestSchema } from "#layers/grpc/generated/agent_pb"
import { type MemoryFunction, MemoryWorkers } from "#layers/memory/MemoryWorkers"
import * as Requests from "#programs/agent/Requests"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import { invalid } from "#test/support/ForeignAgentCalls"
import { dataPort, type MemoryAgentOptions, ofEmulators } from "#test/support/MemoryAgent"

const functions: Readonly<Record<string, MemoryFunction>> = { echo: { handler: (event) => event } }

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions = {}) =>
  ForeignAgentCalls.using({ functions, ...options }, test)

const internal = (details: string) => ({ code: status.INTERNAL, details })

describe("EnsureContainer", () => {
  it.live("wants a name, an owner and an image, in this order, and then a name that is one", () =>
    withAgent(({ refusal }) =>
      Effect.gen(function* () {
        const asked = (request: Foreign.Message) => refusal("EnsureContainer", request)
        assert.deepStrictEqual(yield* asked({}), invalid("function_name is required"))
        assert.deepStrictEqual(yield* asked({ function_name: "f" }), invalid("owner_id is required"))
        assert.deepStrictEqual(
          yield* asked({ function_name: "f", owner_id: "mine", image: "  " }),
          invalid("image is required")
        )
        assert.deepStrictEqual(
          yield* asked({ function_name: "no name", owner_id: "mine" }),
          invalid("image is required")
        )
        const complete = { function_name: "no name", owner_id: "mine", image: "i" }
        assert.deepStrictEqual(
          yield* asked(complete),
          invalid("function_name must be 1 to 64 characters of A-Z, a-z, 0-9, - and _")
        )
        for (const env of [{ "": "x" }, { "A=B": "x" }, { "A\0": "x" }, { A: "x\0" }]) {
          assert.deepStrictEqual(
            yield* asked({ ...complete, function_name: "echo", env }),
            invalid("env must have names without = and NUL, and values without NUL")
          )
        }
      })
    )
  )

  it.effect("takes the image of the function's name where there are images and none is named", () =>
    Effect.gen(function* () {
      const imageOf = (name: string): string => `registry:5010/esb-${name}:latest`
      const asked = (image: string) =>
        Requests.start(create(EnsureContainerRequestSchema, { functionName: "echo", ownerId: "mine", image }), imageOf)
      const derived = yield* asked(" ")
      assert.strictEqual(derived.spec.image, "registry:5010/esb-echo:latest")
      assert.strictEqual((yield* asked("echo:7")).spec.image, "echo:7")
      assert.notStrictEqual((yield* asked("echo:7")).spec.specHash, derived.spec.specHash)
    })
  )

  it.live("starts a new worker every time and tells how it is reached", () =>
    withAgent(({ call }) =>
      Effect.gen(function* () {
        const request = {
          function_name: "echo",
          owner_id: " mine ",
          image: " an-image ",
          env: { A: "1" },
          spec_hash: "5ec"
        }
        const first = yield* call("EnsureContainer", request)
        assert.match(String(first["name"]), /^esb-test-echo-[0-9a-f]{8}$/)
        const { id, name } = first
        assert.deepStrictEqual(first, {
          id,
          name,
          ip_address: "127.0.0.1",
          port: dataPort,
          protocol: "runtime-api"
        })
        assert.notStrictEqual((yield* call("EnsureContainer", request))["id"], id)
        const { workers } = yield* MemoryWorkers
        const [held] = workers.values()
        assert.deepInclude(held?.worker, { owner: OwnerId.make("mine"), specHash: "5ec" })
      })
    )
  )

  it.live("points at the data door by the name by which the client came", () =>
    withAgent(({ port }) =>
      Effect.gen(function* () {
        for (const [authority, host] of [
          ["agent:50051", "agent"],
          ["agent", "agent"],
          ["[::1]:50051", "::1"],
          ["[fd00::7]", "fd00::7"]
        ] as const) {
          const channel = { "grpc.default_authority": authority }
          const client = yield* Foreign.connect(ForeignAgentCalls.Agents, port, { channel })
          const start = { function_name: "echo", owner_id: "mine", image: "i" }
          assert.deepInclude(yield* Foreign.call(client, "EnsureContainer", start), {
            ip_address: host,
            port: dataPort
          })
        }
      })
    )
  )

  it.live("points at the data door by the name it was told, where it was told one", () =>
    withAgent(
      ({ call }) =>
        Effect.gen(function* () {
          const info = yield* call("EnsureContainer", { function_name: "echo", owner_id: "mine", image: "i" })
          assert.deepInclude(info, { ip_address: "agent.internal", port: dataPort })
        }),
      { dataHost: "agent.internal" }
    )
  )

  it.live("points at the worker itself when an emulator is in it", () =>
    withAgent(
      ({ call }) =>
        Effect.gen(function* () {
          const info = yield* call("EnsureContainer", { function_name: "echo", owner_id: "mine", image: "i" })
          assert.deepInclude(info, { ip_address: "10.88.0.7", port: 8_080, protocol: "rie" })
        }),
      { engine: (memory) => ofEmulators(memory, "10.88.0.7") }
    )
  )

  it.live("computes a digest where none is given, the same for the same worker", () =>
    withAgent(({ call }) =>
      Effect.gen(function* () {
        for (const env of [
          { B: "2", A: "1" },
          { A: "1", B: "2" }
        ]) {
          yield* call("EnsureContainer", { function_name: "echo", owner_id: "mine", image: "i", env })
        }
        const { workers } = yield* MemoryWorkers
        const variables = [
          ["A", "1"],
          ["B", "2"]
        ]
        const digest = createHash("sha256")
          .update(JSON.stringify(["echo", "i", variables]))
          .digest("hex")
        assert.deepStrictEqual(
          [...workers.values()].map(({ worker }) => worker.specHash),
          [digest, digest]
        )
      })
    )
  )

  it.live("tells why a worker could not be started, as text and as itself", () =>
    withAgent(
      ({ failure, refusal }) =>
        Effect.gen(function* () {
          const request = { function_name: "echo", owner_id: "mine", image: "i" }
          assert.deepStrictEqual(
            yield* refusal("EnsureContainer", request),
            internal("failed to ensure container: Runtime cobol cannot run here: nobody knows it")
          )
          assert.deepStrictEqual(
            yield* failure("EnsureContainer", request),
            new RuntimeUnsupported({ runtime: "cobol", detail: "nobody knows it" })
          )
        }),
      {
        engine: (memory) => ({
          ...memory,
          ensure: () => Effect.fail(new RuntimeUnsupported({ runtime: "cobol", detail: "nobody knows it" }))
        })
      }
    )
  )
})
