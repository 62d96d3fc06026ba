/** What is kept of the calls of an Agent: a line each, and figures under the names that dashboards know. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { eventually } from "#test/support/Eventually"
import * as Foreign from "#test/support/ForeignAgentClient"
import * as ForeignAgentCalls from "#test/support/ForeignAgentCalls"

const Healths = Foreign.clientClass(Foreign.servicesOf("grpc/health/v1/health.proto"), "grpc.health.v1.Health")

const functions = { echo: { handler: (event: unknown) => event } }

it.live("every call leaves one line: what it was, how and when it ended, whose it was, and from where", () =>
  ForeignAgentCalls.using({ functions }, ({ lines, port, refusal, start }) =>
    Effect.gen(function* () {
      const id = yield* start("echo")
      yield* refusal("PauseContainer", { container_id: id, owner_id: " theirs " })
      yield* refusal("ListContainers", {})
      yield* Foreign.sendRaw(port, "/esb.agent.v1.AgentService/ListContainers", Foreign.framed(Buffer.from([1, 2])))
      const told = lines.flatMap(({ annotations, level, message }) =>
        message === "call ended" ? [{ level, ...annotations }] : []
      )
      const facts = told.map((line) =>
        Object.fromEntries(Object.entries(line).filter(([name]) => name !== "durationMs" && name !== "peer"))
      )
      assert.deepStrictEqual(facts, [
        { level: "Info", method: "EnsureContainer", code: "OK", owner: "mine" },
        { level: "Info", method: "PauseContainer", code: "PermissionDenied", owner: "theirs" },
        { level: "Info", method: "ListContainers", code: "InvalidArgument", owner: "" },
        { level: "Info", method: "ListContainers", code: "InvalidArgument" }
      ])
      for (const line of told as ReadonlyArray<Record<string, unknown>>) {
        assert.match(String(line["peer"]), /^127\.0\.0\.1:\d+$/)
        assert.isAbove(Number(line["durationMs"]), 0)
        assert.isBelow(Number(line["durationMs"]), 10_000)
      }
    })
  )
)

it.live("health checks, and the lists that Gateways ask for all the time, are lines for debugging", () =>
  ForeignAgentCalls.using({ functions }, ({ call, lines, port }) =>
    Effect.gen(function* () {
      const client = yield* Foreign.connect(Healths, port)
      yield* Foreign.call(client, "Check", {})
      yield* call("ListContainers", { owner_id: "mine" })
      const told = yield* eventually(
        "the calls are recorded",
        Effect.sync(() => lines.filter(({ message }) => message === "call ended")),
        (found) => found.length === 2
      )
      assert.deepStrictEqual(
        told.map(({ annotations, level }) => [annotations["method"], annotations["code"], level]),
        [
          ["Check", "OK", "Debug"],
          ["ListContainers", "OK", "Debug"]
        ]
      )
    })
  )
)

it.live("the figures have the names and labels of go-grpc-prometheus", () =>
  ForeignAgentCalls.using({ functions }, ({ call, port, refusal, start }) =>
    Effect.gen(function* () {
      yield* start("echo")
      yield* call("ListContainers", { owner_id: "mine" })
      yield* refusal("ListContainers", {})
      const client = yield* Foreign.connect(Healths, port)
      const watch = yield* Foreign.stream(client, "Watch", {})
      yield* eventually(
        "the watch begins",
        Effect.sync(() => watch.heard.length),
        (heard) => heard === 1
      )
      const page = yield* PrometheusMetrics.format()
      const of = 'grpc_type="unary",grpc_service="esb.agent.v1.AgentService",grpc_method="ListContainers"'
      for (const line of [
        "# TYPE grpc_server_started_total counter",
        `grpc_server_started_total{${of}} 2`,
        "# TYPE grpc_server_handled_total counter",
        `grpc_server_handled_total{${of},grpc_code="OK"} 1`,
        `grpc_server_handled_total{${of},grpc_code="InvalidArgument"} 1`,
        "# TYPE grpc_server_msg_received_total counter",
        `grpc_server_msg_received_total{${of}} 2`,
        "# TYPE grpc_server_msg_sent_total counter",
        `grpc_server_msg_sent_total{${of}} 1`,
        "# TYPE grpc_server_handling_seconds histogram",
        `grpc_server_handling_seconds_bucket{${of},le="10"} 2`,
        `grpc_server_handling_seconds_bucket{${of},le="+Inf"} 2`,
        `grpc_server_handling_seconds_count{${of}} 2`,
        'grpc_server_started_total{grpc_type="server_stream",grpc_service="grpc.health.v1.Health",grpc_method="Watch"} 1',
        'grpc_server_msg_sent_total{grpc_type="server_stream",grpc_service="grpc.health.v1.Health",grpc_method="Watch"} 1'
      ]) {
        assert.include(page.split("\n"), line)
      }
      assert.match(page, new RegExp(`grpc_server_handling_seconds_sum\\{${of}\\} 0\\.\\d+`))
    })
  )
)
