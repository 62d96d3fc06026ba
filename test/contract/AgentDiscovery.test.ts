/** What an Agent tells of itself to whoever asks in the standard ways: whether it is well, and what it can be asked. */
import { assert, describe, it } from "@effect/vitest"
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"
import { makeClientConstructor, type ServiceDefinition, status } from "@grpc/grpc-js"
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader"
import { Effect } from "effect"
import { protoPath, service } from "grpc-health-check"
import { spawn } from "node:child_process"
import { eventually } from "#test/support/Eventually"
import { needs, pathOf } from "#test/support/Engines"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"
import type { MemoryAgentOptions } from "#test/support/MemoryAgent"

const withAgent = (test: ForeignAgentCalls.Test, options: MemoryAgentOptions = {}) =>
  ForeignAgentCalls.using({ functions: { echo: { handler: (event: unknown) => event } }, ...options }, test)

const reflecting = (test: ForeignAgentCalls.Test) => withAgent(test, { reflection: true })

describe("the health of the server", () => {
  const Healths = makeClientConstructor(service as ServiceDefinition, "grpc.health.v1.Health")

  it.live("is told under no name, under the service's, and under the one it had before", () =>
    withAgent(({ port }) =>
      Effect.gen(function* () {
        const client = yield* Foreign.connect(Healths, port)
        for (const name of ["", "esb.agent.v1.AgentService", "agent.v1.AgentService"]) {
          assert.deepStrictEqual(yield* Foreign.call(client, "Check", { service: name }), { status: "SERVING" })
        }
        assert.deepStrictEqual(yield* Foreign.refusal(client, "Check", { service: "esb.agent.v2.AgentService" }), {
          code: status.NOT_FOUND,
          details: "unknown service esb.agent.v2.AgentService"
        })
      })
    )
  )

  it.live("can be watched, that of a service nobody knows as well", () =>
    withAgent(({ port }) =>
      Effect.gen(function* () {
        const client = yield* Foreign.connect(Healths, port)
        for (const [name, state] of [
          ["esb.agent.v1.AgentService", "SERVING"],
          ["esb.agent.v2.AgentService", "SERVICE_UNKNOWN"]
        ] as const) {
          const watch = yield* Foreign.stream(client, "Watch", { service: name })
          yield* eventually(
            "the watch begins",
            Effect.sync(() => watch.heard.length),
            (heard) => heard === 1
          )
          assert.deepStrictEqual(watch.heard, [{ status: state }])
          assert.isUndefined(watch.ended)
        }
      })
    )
  )

  it.live("is understood by the .proto that grpc-health-check ships", () =>
    withAgent(({ port }) =>
      Effect.gen(function* () {
        const clients = Foreign.clientClass(Foreign.servicesOf(protoPath), "grpc.health.v1.Health")
        const client = yield* Foreign.connect(clients, port)
        assert.deepStrictEqual(yield* Foreign.call(client, "Check", {}), { status: "SERVING" })
      })
    )
  )
})

describe("reflection", () => {
  for (const name of ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]) {
    describe(`by the name ${name}`, () => {
      const [definition] = Object.values(
        Foreign.servicesOf("grpc/reflection/v1/reflection.proto")["grpc.reflection.v1.ServerReflection"] ?? {}
      )
      const Reflections = makeClientConstructor(
        { ServerReflectionInfo: { ...definition, path: `/${name}/ServerReflectionInfo` } } as ServiceDefinition,
        name
      )

      it.live("answers every question in its turn", () =>
        reflecting(({ port }) =>
          Effect.gen(function* () {
            const client = yield* Foreign.connect(Reflections, port)
            const answers = yield* Foreign.converse(client, "ServerReflectionInfo", [
              { host: "h", list_services: "*" },
              { file_containing_symbol: "esb.agent.v1.AgentService" },
              { file_containing_symbol: "esb.agent.v1.AgentService.InvokeWorker" },
              { file_containing_symbol: "esb.agent.v1.ContainerState" },
              { file_by_filename: "grpc/health/v1/health.proto" },
              { file_containing_symbol: "esb.agent.v2.AgentService" },
              { file_by_filename: "nowhere.proto" },
              { file_containing_extension: { containing_type: "esb.agent.v1.WorkerInfo", extension_number: 5 } },
              { all_extension_numbers_of_type: "esb.agent.v1.WorkerInfo" },
              { all_extension_numbers_of_type: "esb.agent.v1.Nothing" },
              {}
            ])
            assert.deepInclude(answers[0], { valid_host: "h" })
            const services = [
              "esb.agent.v1.AgentService",
              "grpc.health.v1.Health",
              "grpc.reflection.v1.ServerReflection"
            ]
            assert.deepStrictEqual(answers[0]?.["list_services_response"], {
              service: services.map((known) => ({ name: known }))
            })
            const filesOf = (answer: Foreign.Message) => {
              const described = answer["file_descriptor_response"]
              return (described as { readonly file_descriptor_proto: ReadonlyArray<Buffer> }).file_descriptor_proto
            }
            for (const answer of answers.slice(1, 4)) {
              assert.strictEqual(filesOf(answer).length, 1)
              // A client can do without any .proto of ours.
              const file = filesOf(answer).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
              const set = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }))
              assert.property(loadFileDescriptorSetFromBuffer(Buffer.from(set)), "esb.agent.v1.AgentService")
            }
            assert.deepStrictEqual(
              answers.slice(4, 5).map((answer) => filesOf(answer).length),
              [1]
            )
            const told = answers.slice(5).map((answer) => answer["error_response"] ?? answer["message_response"])
            assert.deepStrictEqual(told, [
              { error_code: status.NOT_FOUND, error_message: "esb.agent.v2.AgentService is not known here" },
              { error_code: status.NOT_FOUND, error_message: "nowhere.proto is not known here" },
              {
                error_code: status.NOT_FOUND,
                error_message: "an extension of esb.agent.v1.WorkerInfo is not known here"
              },
              undefined,
              { error_code: status.NOT_FOUND, error_message: "esb.agent.v1.Nothing is not known here" },
              { error_code: status.INVALID_ARGUMENT, error_message: "nothing is asked" }
            ])
            assert.deepInclude(answers[8]?.["all_extension_numbers_response"], {
              base_type_name: "esb.agent.v1.WorkerInfo"
            })
          })
        )
      )

      it.live("is not there unless it was asked for", () =>
        withAgent(({ port }) =>
          Effect.gen(function* () {
            const client = yield* Foreign.connect(Reflections, port)
            const { code } = yield* Effect.flip(
              Foreign.converse(client, "ServerReflectionInfo", [{ list_services: "*" }])
            )
            assert.strictEqual(code, status.UNIMPLEMENTED)
          })
        )
      )
    })
  }
})

describe("grpcurl", needs("grpcurl"), () => {
  /** Runs it to its end; what it says on both outputs, and its exit code. */
  const grpcurl = (...args: ReadonlyArray<string>) =>
    Effect.callback<{ readonly code: number | null; readonly said: string }>((resume) => {
      const child = spawn(pathOf("grpcurl"), ["-plaintext", ...args], { stdio: ["ignore", "pipe", "pipe"] })
      let said = ""
      for (const output of [child.stdout, child.stderr]) output.on("data", (chunk) => (said += String(chunk)))
      child.on("close", (code) => resume(Effect.succeed({ code, said })))
      return Effect.sync(() => child.kill())
    })

  it.live("lists and describes the services without a .proto", () =>
    reflecting(({ port }) =>
      Effect.gen(function* () {
        const services = yield* grpcurl(`127.0.0.1:${port}`, "list")
        assert.deepStrictEqual(services, {
          code: 0,
          said: "esb.agent.v1.AgentService\ngrpc.health.v1.Health\ngrpc.reflection.v1.ServerReflection\n"
        })
        const { said } = yield* grpcurl(`127.0.0.1:${port}`, "describe", "esb.agent.v1.InvokeWorkerRequest")
        assert.include(said, "map<string, string> headers = 5;")
      })
    )
  )

  it.live("starts a worker, calls it, and reads how a call is refused", () =>
    reflecting(({ port }) =>
      Effect.gen(function* () {
        const call = (method: string, request: unknown) =>
          grpcurl("-d", JSON.stringify(request), `127.0.0.1:${port}`, `esb.agent.v1.AgentService/${method}`)
        const { said: started } = yield* call("EnsureContainer", { functionName: "echo", ownerId: "mine", image: "i" })
        const { id } = JSON.parse(started)
        const payload = Buffer.from('{"n":1}').toString("base64")
        const answer = yield* call("InvokeWorker", { containerId: id, ownerId: "mine", payload })
        assert.deepInclude(JSON.parse(answer.said), { statusCode: 200, body: payload })
        const refused = yield* call("InvokeWorker", { containerId: id, ownerId: "theirs", payload })
        assert.notStrictEqual(refused.code, 0)
        assert.include(refused.said, "Code: PermissionDenied")
        assert.include(refused.said, "Message: owner_id does not match container")
      })
    )
  )
})
