/** An Agent that somebody else wrote from the same contract is understood by its codes, and by what it leaves out. */
import { assert, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import type { Invocation } from "#domain/Invocation"
import { ContainerId, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as ForeignAgent from "#test/support/ForeignAgent"
import * as GrpcClient from "#test/support/GrpcClient"
import { owner, spec, using } from "#test/support/GrpcClient"

const { answer, refuse } = ForeignAgent

const id = ContainerId.make("0123456789ab")

const bare = { id, ipAddress: "10.88.0.7", port: 8080 }
const bareState = {
  containerId: id,
  functionName: "orders",
  containerName: "esb-dev-orders-1a2b3c4d",
  status: "RUNNING",
  lastUsedAt: 1_700_000_060,
  createdAt: 1_700_000_000,
  ownerId: owner
}

const worker: Worker = {
  ...GrpcClient.worker,
  id,
  name: id,
  protocol: "rie",
  address: { host: "10.88.0.7", port: 8080 }
}

const invocation: Invocation = {
  requestId: randomUUID(),
  functionName: spec.functionName,
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793",
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:orders",
  payload: Buffer.from('{"n":1}'),
  clientContext: '{"custom":{"a":"ä"}}',
  wantsLogTail: true
}

/** A client of one foreign Agent that answers so. */
const facing = <A, E>(
  answers: Partial<Record<ForeignAgent.Rpc, ForeignAgent.Answer>>,
  test: (agent: ForeignAgent.ForeignAgent) => Effect.Effect<A, E, ContainerRuntime | WorkerClient>
) =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(answers)
    return yield* test(agent).pipe(using([agent.address]))
  })

it.live("a worker without a name or a protocol is named by its id and spoken to as an RIE", () =>
  facing({ EnsureContainer: answer(bare) }, (agent) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const started = yield* runtime.ensure(spec, owner)
      assert.deepStrictEqual({ ...started, createdAtUnixSeconds: 0 }, { ...worker, createdAtUnixSeconds: 0 })
      assert.isAtMost(Math.abs(started.createdAtUnixSeconds - Date.now() / 1_000), 5)
      const { request } = agent.calls.find(({ rpc }) => rpc === "EnsureContainer") ?? assert.fail("nobody asked")
      assert.deepInclude(request, {
        functionName: "orders",
        image: spec.image,
        env: spec.environment,
        ownerId: owner,
        specHash: spec.specHash
      })
    })
  )
)

it.live("a list without the later fields tells of each worker what its status lets one conclude", () =>
  facing(
    {
      ListContainers: answer({
        containers: ["RUNNING", "PAUSED", "STOPPED", "UNKNOWN", "restarting"].map((status, n) => ({
          ...bareState,
          containerId: `${id}${n}`,
          status
        }))
      })
    },
    () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const states = yield* runtime.list(owner)
        assert.deepStrictEqual(
          states.map(({ phase, status }) => [status, phase]),
          [
            ["RUNNING", "idle"],
            ["PAUSED", "idle"],
            ["STOPPED", "dirty"],
            ["UNKNOWN", "init"],
            ["UNKNOWN", "init"]
          ]
        )
        assert.deepInclude(states[0], {
          name: "esb-dev-orders-1a2b3c4d",
          owner,
          specHash: "",
          protocol: "rie",
          createdAtUnixSeconds: 1_700_000_000,
          lastUsedAtUnixSeconds: 1_700_000_060
        })
      })
  )
)

it.live("a measurement arrives in the units of the contract", () =>
  facing(
    {
      GetContainerMetrics: answer({
        metrics: {
          containerId: id,
          functionName: "orders",
          containerName: "esb-dev-orders-1a2b3c4d",
          state: "STOPPED",
          memoryCurrent: 3_000_000_000,
          memoryMax: 134_217_728,
          oomEvents: 1,
          cpuUsageNs: 5_000_000_000,
          exitCode: 137,
          exitTime: 1_700_000_061,
          collectedAt: 1_700_000_062
        }
      })
    },
    () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        assert.deepStrictEqual(yield* runtime.metrics(id, owner), {
          containerId: id,
          functionName: spec.functionName,
          containerName: "esb-dev-orders-1a2b3c4d",
          status: "STOPPED",
          memoryBytes: 3_000_000_000,
          memoryLimitBytes: 134_217_728,
          oomEvents: 1,
          cpuNanoseconds: 5_000_000_000,
          exitCode: 137,
          exitedAtUnixSeconds: 1_700_000_061,
          collectedAtUnixSeconds: 1_700_000_062
        })
      })
  )
)

it.live("an answer that the contract does not allow is the Agent's fault, and names it", () =>
  facing({ EnsureContainer: answer({ ...bare, id: "" }), GetContainerMetrics: answer({}) }, (agent) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const failures = [yield* Effect.flip(runtime.ensure(spec, owner)), yield* Effect.flip(runtime.metrics(id, owner))]
      for (const failure of failures) {
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.include(failure.message, agent.address)
      }
    })
  )
)

const codes = [
  [status.NOT_FOUND, "ContainerNotFound"],
  [status.PERMISSION_DENIED, "NotOwner"],
  [status.INTERNAL, "RuntimeUnavailable"],
  [status.UNAVAILABLE, "RuntimeUnavailable"],
  [status.UNIMPLEMENTED, "RuntimeUnavailable"],
  [status.DEADLINE_EXCEEDED, "RuntimeUnavailable"],
  [status.INVALID_ARGUMENT, "RuntimeUnavailable"],
  [status.UNKNOWN, "RuntimeUnavailable"]
] as const

it.live("a refusal to touch a worker is known by its code, and what is no refusal names the Agent and its words", () =>
  facing({}, (agent) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      for (const [code, tag] of codes) {
        const refusal = refuse(code, "its own words")
        agent.says({ PauseContainer: refusal, ResumeContainer: refusal, GetContainerMetrics: refusal })
        const attempts = [
          runtime.suspend(id, owner),
          runtime.resume(id, owner),
          runtime.touch(id, owner),
          runtime.metrics(id, owner)
        ]
        for (const attempt of attempts) {
          const failure = yield* Effect.flip(Effect.asVoid(attempt))
          assert.strictEqual(failure._tag, tag)
          if (failure._tag === "RuntimeUnavailable") {
            assert.include(failure.message, agent.address)
            assert.include(failure.message, "its own words")
          }
        }
      }
    })
  )
)

it.live("a start that fails is no other Agent's business, whatever the code", () =>
  facing({}, (agent) =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      for (const [code] of codes) {
        agent.says({ EnsureContainer: refuse(code, "no such image") })
        const failure = yield* Effect.flip(runtime.ensure(spec, owner))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.match(failure.message, /^Failed to start container orders: Agent 127.*no such image/)
      }
    })
  )
)

it.live("what is not there is destroyed", () =>
  facing({ DestroyContainer: refuse(status.NOT_FOUND) }, () =>
    Effect.flatMap(ContainerRuntime, (runtime) => runtime.destroy(id, owner))
  )
)

it.live("a collection destroys what has stopped, and counts it", () =>
  facing(
    {
      ListContainers: answer({ containers: [bareState, { ...bareState, containerId: "ended", status: "STOPPED" }] }),
      DestroyContainer: answer({ success: true })
    },
    (agent) =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        assert.strictEqual(yield* runtime.gc(() => true), 1)
        const destroyed = agent.calls.filter(({ rpc }) => rpc === "DestroyContainer")
        assert.deepStrictEqual(
          destroyed.map(({ request }) => request["containerId"]),
          ["ended"]
        )
      })
  )
)

it.live("a call carries its payload byte by byte, and all else in headers", () =>
  facing({ InvokeWorker: answer({ statusCode: 200, headers: {}, body: Buffer.from([0, 255, 10]) }) }, (agent) =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      yield* client.ready(worker)
      const result = yield* client.send(worker, invocation)
      assert.deepStrictEqual([...result.payload], [0, 255, 10])
      assert.isUndefined(result.errorType)
      const { request } = agent.calls.find(({ rpc }) => rpc === "InvokeWorker") ?? assert.fail("nobody called")
      assert.deepInclude(request, { containerId: id, ownerId: owner })
      assert.strictEqual(Buffer.from(request["payload"] as Uint8Array).toString(), '{"n":1}')
      assert.deepInclude(request["headers"], {
        "x-amzn-requestid": invocation.requestId,
        "x-amzn-trace-id": invocation.traceId,
        "x-amz-log-type": "Tail"
      })
    })
  )
)

it.live("an error of the function is an answer when the headers say so", () =>
  facing(
    {
      InvokeWorker: answer({
        statusCode: 200,
        headers: {
          "x-amz-function-error": "Unhandled",
          "esb-error-type": "TypeError",
          "esb-duration-ms": "1.5",
          "x-amz-log-result": Buffer.from("END").toString("base64")
        },
        body: Buffer.from('{"errorType":"TypeError","errorMessage":"no"}')
      })
    },
    () =>
      Effect.gen(function* () {
        const client = yield* WorkerClient
        const result = yield* client.send(worker, invocation)
        assert.deepInclude(result, { errorType: "TypeError" })
        assert.strictEqual(Buffer.from(result.logTail).toString(), "END")
        assert.strictEqual(result.report.durationMs, 1.5)
        assert.isTrue(client.isAlive(worker))
      })
  )
)

const emulated = [
  [200, '{"n":1}', undefined],
  [200, '{"errorType":"ValueError","errorMessage":"no","stackTrace":[]}', "ValueError"]
] as const

it.live("an emulator's answer that is handed on without a word is read as what it is", () =>
  facing({}, (agent) =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      for (const [statusCode, body, errorType] of emulated) {
        agent.says({
          InvokeWorker: answer({ statusCode, headers: { "content-type": "text/plain" }, body: Buffer.from(body) })
        })
        const result = yield* client.send(worker, invocation)
        assert.strictEqual(result.errorType, errorType)
        assert.strictEqual(Buffer.from(result.payload).toString(), body)
      }
      const { request } = agent.calls.find(({ rpc }) => rpc === "InvokeWorker") ?? assert.fail("nobody called")
      const headers = request["headers"] as Readonly<Record<string, string>>
      assert.deepStrictEqual(JSON.parse(Buffer.from(headers["x-amz-client-context"] ?? "", "base64").toString()), {
        custom: { a: "ä", trace_id: invocation.traceId, aws_request_id: invocation.requestId }
      })
    })
  )
)

it.live("an emulator whose runtime has ended is an end of its worker", () =>
  facing({ InvokeWorker: answer({ statusCode: 502, headers: {}, body: Buffer.alloc(0) }) }, () =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      assert.strictEqual((yield* Effect.flip(client.send(worker, invocation)))._tag, "InitFailed")
      assert.isFalse(client.isAlive(worker))
    })
  )
)

const ends = [
  [status.INVALID_ARGUMENT, "WorkerUnreachable"],
  [status.NOT_FOUND, "WorkerUnreachable"],
  [status.PERMISSION_DENIED, "WorkerUnreachable"],
  [status.FAILED_PRECONDITION, "WorkerUnreachable"],
  [status.UNIMPLEMENTED, "WorkerUnreachable"],
  // These may hide a connection that broke behind the event.
  [status.UNAVAILABLE, "WorkerExited"],
  [status.INTERNAL, "WorkerExited"],
  [status.ABORTED, "WorkerExited"],
  [status.CANCELLED, "WorkerExited"],
  [status.RESOURCE_EXHAUSTED, "WorkerExited"],
  [status.UNKNOWN, "WorkerExited"],
  [status.DEADLINE_EXCEEDED, "InvocationTimedOut"]
] as const

it.live("a call is said to have reached nobody only by codes that mean it", () =>
  facing({}, (agent) =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      for (const [code, tag] of ends) {
        agent.says({ InvokeWorker: refuse(code, "its own words") })
        const failure = yield* Effect.flip(client.send(worker, invocation))
        assert.strictEqual(failure._tag, tag, status[code])
        if (failure._tag === "WorkerExited") {
          assert.deepStrictEqual(JSON.parse(Buffer.from(failure.payload).toString()), {
            errorType: "Sandbox.Failure",
            errorMessage: `RequestId: ${invocation.requestId} Error: Agent ${agent.address} did not do it: its own words (${status[code]})`
          })
        }
        assert.isFalse(client.isAlive(worker))
      }
    })
  )
)
