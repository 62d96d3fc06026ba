import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as RuntimeProtocol from "#domain/RuntimeProtocol"

type Step = Result.Result<RuntimeProtocol.DoorState, RuntimeProtocol.Refusal>

const agreed = (step: Step) => Result.getOrThrow(step)
const refused = (step: Step) => Result.getOrThrow(Result.flip(step))

const opened = RuntimeProtocol.opened([])
const idle = agreed(RuntimeProtocol.runtimePolls(opened))
const running = RuntimeProtocol.handOver(idle, "call-1")
const answering = agreed(RuntimeProtocol.answerBegins(running, "call-1", "InvocationResponse"))
const answered = RuntimeProtocol.answerEnds(answering)

const agent = { id: "ext-1", name: "agent", events: ["INVOKE", "SHUTDOWN"] }
const withAgent = agreed(RuntimeProtocol.extensionRegisters(RuntimeProtocol.opened(["agent"]), agent))

describe("a worker without extensions", () => {
  it("goes through init, idle and busy, and is idle again when it polls again", () => {
    const phases = [opened, idle, running, answering, answered].map(RuntimeProtocol.phaseOf)
    assert.deepStrictEqual(phases, ["init", "idle", "busy", "busy", "busy"])
    assert.isFalse(RuntimeProtocol.canTakeCall(answered))
    assert.isTrue(RuntimeProtocol.canTakeCall(agreed(RuntimeProtocol.runtimePolls(answered))))
  })

  it("may poll twice while it waits", () => {
    assert.isTrue(RuntimeProtocol.canTakeCall(agreed(RuntimeProtocol.runtimePolls(idle))))
  })

  it("is not free while the connection of its poll is lost, and back in init when it never had a call", () => {
    const lost = RuntimeProtocol.runtimePollLost(idle)
    assert.isFalse(RuntimeProtocol.canTakeCall(lost))
    assert.strictEqual(RuntimeProtocol.phaseOf(lost), "busy")
    assert.isTrue(RuntimeProtocol.canTakeCall(agreed(RuntimeProtocol.runtimePolls(lost))))
  })

  it("may answer with an error instead", () => {
    const step = RuntimeProtocol.answerBegins(running, "call-1", "InvocationErrorResponse")
    assert.strictEqual(RuntimeProtocol.answerEnds(agreed(step)).runtime, "ResponseSent")
  })

  it("is refused an answer to another call, and goes on with its own", () => {
    const refusal = refused(RuntimeProtocol.answerBegins(running, "call-2", "InvocationResponse"))
    assert.deepStrictEqual(refusal, {
      status: 400,
      errorType: "InvalidRequestID",
      errorMessage: "Invalid request ID",
      fault: false
    })
  })

  it("is refused a second answer to the same call, which is a fault", () => {
    const refusal = refused(RuntimeProtocol.answerBegins(answered, "call-1", "InvocationResponse"))
    assert.deepStrictEqual(refusal, {
      status: 403,
      errorType: "InvalidStateTransition",
      errorMessage:
        "State transition from ResponseSent to InvocationResponse failed for runtime. Error: State transition is not allowed",
      fault: true
    })
  })

  it("may poll before its answer has ended, and is free when it has", () => {
    for (const owing of [running, answering]) {
      const early = agreed(RuntimeProtocol.runtimePolls(owing))
      assert.isFalse(RuntimeProtocol.canTakeCall(early))
      const begun =
        early.runtime === "Running" ? RuntimeProtocol.answerBegins(early, "call-1", "InvocationResponse") : early
      const ended = RuntimeProtocol.answerEnds(Result.isResult(begun) ? agreed(begun) : begun)
      assert.isTrue(RuntimeProtocol.canTakeCall(ended))
      assert.strictEqual(RuntimeProtocol.answerEnds(RuntimeProtocol.runtimePollLost(early)).runtime, "ResponseSent")
    }
  })

  it("has forgotten its call when it polls and does not begin to answer, which is a fault", () => {
    const early = agreed(RuntimeProtocol.runtimePolls(running))
    const refusal = refused(RuntimeProtocol.answerOverdue(early))
    assert.deepInclude(refusal, { status: 403, errorType: "InvalidStateTransition", fault: true })
    const begun = agreed(RuntimeProtocol.answerBegins(early, "call-1", "InvocationResponse"))
    assert.strictEqual(agreed(RuntimeProtocol.answerOverdue(begun)), begun)
    assert.strictEqual(agreed(RuntimeProtocol.answerOverdue(running)), running)
  })

  it("reports an init error only before its first poll", () => {
    const failed = agreed(RuntimeProtocol.initFails(opened))
    assert.strictEqual(RuntimeProtocol.phaseOf(failed), "init")
    assert.isFalse(RuntimeProtocol.canTakeCall(failed))
    assert.deepInclude(refused(RuntimeProtocol.initFails(failed)), { status: 403, fault: false })
    assert.deepInclude(refused(RuntimeProtocol.initFails(idle)), { status: 403, errorType: "InvalidStateTransition" })
    assert.deepInclude(refused(RuntimeProtocol.runtimePolls(failed)), { status: 403, fault: false })
  })

  it("takes no call once it is spoilt, and keeps the first reason", () => {
    const spoilt = RuntimeProtocol.spoil(RuntimeProtocol.spoil(idle, "first"), "second")
    assert.isFalse(RuntimeProtocol.canTakeCall(spoilt))
    assert.strictEqual(RuntimeProtocol.phaseOf(spoilt), "dirty")
    assert.strictEqual(spoilt.spoilt, "first")
  })
})

describe("a worker with extensions", () => {
  it("is in init until every external extension has registered and polled", () => {
    const polled = agreed(RuntimeProtocol.runtimePolls(RuntimeProtocol.opened(["agent"])))
    assert.strictEqual(RuntimeProtocol.phaseOf(polled), "init")
    const registered = agreed(RuntimeProtocol.extensionRegisters(polled, agent))
    assert.strictEqual(RuntimeProtocol.phaseOf(registered), "init")
    assert.strictEqual(RuntimeProtocol.phaseOf(agreed(RuntimeProtocol.extensionPolls(registered, "ext-1"))), "idle")
  })

  it("is free for the next call when the runtime and every extension have polled again", () => {
    const ready = agreed(RuntimeProtocol.extensionPolls(agreed(RuntimeProtocol.runtimePolls(withAgent)), "ext-1"))
    const called = RuntimeProtocol.handOver(ready, "call-1")
    const step = RuntimeProtocol.answerBegins(called, "call-1", "InvocationResponse")
    const polled = agreed(RuntimeProtocol.runtimePolls(RuntimeProtocol.answerEnds(agreed(step))))
    assert.isFalse(RuntimeProtocol.canTakeCall(polled))
    assert.isTrue(RuntimeProtocol.canTakeCall(agreed(RuntimeProtocol.extensionPolls(polled, "ext-1"))))
  })

  it("does not wait for an extension that wants no INVOKE", () => {
    const quiet = { ...agent, events: ["SHUTDOWN"] }
    const registered = agreed(RuntimeProtocol.extensionRegisters(RuntimeProtocol.opened(["agent"]), quiet))
    const ready = agreed(RuntimeProtocol.extensionPolls(agreed(RuntimeProtocol.runtimePolls(registered)), "ext-1"))
    const called = RuntimeProtocol.handOver(ready, "call-1")
    assert.deepStrictEqual(
      called.extensions.map(({ state }) => state),
      ["Ready"]
    )
  })

  it("loses an extension's poll with its connection", () => {
    const ready = agreed(RuntimeProtocol.extensionPolls(agreed(RuntimeProtocol.runtimePolls(withAgent)), "ext-1"))
    assert.isFalse(RuntimeProtocol.canTakeCall(RuntimeProtocol.extensionPollLost(ready, "ext-1")))
    assert.strictEqual(RuntimeProtocol.extensionPollLost(ready, "nobody"), ready)
  })

  it("is spoilt by an extension that gives up", () => {
    const failed = agreed(RuntimeProtocol.extensionFails(withAgent, "ext-1", "InitError"))
    assert.strictEqual(RuntimeProtocol.phaseOf(failed), "dirty")
    assert.deepInclude(refused(RuntimeProtocol.extensionPolls(failed, "ext-1")), {
      errorType: "Extension.InvalidExtensionState"
    })
  })

  it("refuses unknown identifiers, unknown events, doubles, late comers and the eleventh", () => {
    const typeOf = (step: Step) => refused(step).errorType
    assert.strictEqual(typeOf(RuntimeProtocol.extensionPolls(opened, "nobody")), "Extension.UnknownExtensionIdentifier")
    const inside = { id: "ext-2", name: "inside", events: ["INVOKE"] }
    const register = (state: RuntimeProtocol.DoorState, changed: Partial<typeof inside> = {}) =>
      RuntimeProtocol.extensionRegisters(state, { ...inside, ...changed })
    assert.strictEqual(typeOf(register(opened, { events: ["BIRTHDAY"] })), "Extension.InvalidEventType")
    assert.strictEqual(typeOf(register(opened, { events: ["SHUTDOWN"] })), "Extension.InvalidEventType")
    assert.strictEqual(typeOf(register(agreed(register(opened)))), "Extension.InvalidExtensionState")
    assert.strictEqual(typeOf(register(idle)), "Extension.RegistrationClosed")
    const names = Array.from({ length: RuntimeProtocol.mostExtensions }, (_, index) => `inside-${index}`)
    const full = names.reduce((state, name) => agreed(register(state, { id: name, name })), opened)
    assert.strictEqual(typeOf(register(full)), "Extension.TooManyExtensions")
  })
})
