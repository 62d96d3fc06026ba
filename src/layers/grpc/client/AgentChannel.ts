/**
 * One connection to an Agent, and the calls on it. grpc-js makes it; how long that may take is decided here, because grpc-js
 * has no limit for a handshake: it would wait for an Agent that accepts connections and then says nothing.
 */
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf"
import { type ChannelCredentials, type ChannelOptions, Client, connectivityState, Metadata } from "@grpc/grpc-js"
import { type Clock, Effect } from "effect"
import { type AgentFailure, AgentRefusal, AgentUnreachable } from "./AgentFailure.ts"
import { ofMethod } from "../Definition.ts"
import { RememberingCredentials } from "../peer/RememberingCredentials.ts"

export interface ChannelLimits {
  /** From the first packet to the Agent's first word of HTTP/2, its certificate checked on the way. */
  readonly connectLimitMs: number
  /** A connection on which nothing was heard for so long is tried with a ping, calls on it or none … */
  readonly keepAliveMs: number
  /** … and broken, with every call on it, when the answer takes longer than this. */
  readonly keepAliveLimitMs: number
  /** An event of the greatest size, and room for its headers. */
  readonly maxRequestBytes: number
  /** More than an Agent's own limit for answers, and more than a list of ten thousand workers. */
  readonly maxAnswerBytes: number
}

export const defaultLimits: ChannelLimits = {
  connectLimitMs: 2_000,
  keepAliveMs: 10_000,
  keepAliveLimitMs: 5_000,
  maxRequestBytes: 8 * 1024 ** 2,
  maxAnswerBytes: 64 * 1024 ** 2
}

const optionsOf = (limits: ChannelLimits): ChannelOptions => ({
  "grpc.keepalive_time_ms": limits.keepAliveMs,
  "grpc.keepalive_timeout_ms": limits.keepAliveLimitMs,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_send_message_length": limits.maxRequestBytes,
  "grpc.max_receive_message_length": limits.maxAnswerBytes,
  // A new channel is a new connection, with the certificates of now and without the last one's backoff.
  "grpc.use_local_subchannel_pool": 1,
  // What a program's environment says of proxies is about the world outside, not about Agents.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_channelz": 0
})

/** grpc-js tells why there is no connection only to a call that needs one. Any method will do; this one harms nobody. */
const harmlessMethod = "/grpc.health.v1.Health/Check"
const nothing = () => Buffer.alloc(0)

/** All that grpc-js says of a connection that was closed before the Agent's first word. */
const closedAtOnce = "Failed to connect"

/** The reason in what grpc-js says around it. */
const reasonIn = (details: string): string => {
  const [, reason = details] = /Last error: (?:Error: )?(.+?)(?: \([^)]*\))?\. Resolution note/s.exec(details) ?? []
  return reason === closedAtOnce ? "it closes the connection: one side wants TLS, or another certificate" : reason
}

export class AgentChannel {
  readonly #address: string
  readonly #limits: ChannelLimits
  readonly #clock: Clock.Clock
  readonly #credentials: RememberingCredentials
  readonly #client: Client
  #calls = 0
  #retired = false
  #closed = false

  constructor(address: string, credentials: ChannelCredentials, limits: ChannelLimits, clock: Clock.Clock) {
    this.#address = address
    this.#limits = limits
    this.#clock = clock
    this.#credentials = new RememberingCredentials(credentials)
    this.#client = new Client(address, this.#credentials, optionsOf(limits))
  }

  #after(durationMs: number): number {
    return this.#clock.currentTimeMillisUnsafe() + durationMs
  }

  #state(connect: boolean): connectivityState {
    return this.#client.getChannel().getConnectivityState(connect)
  }

  #isConnected(): boolean {
    return this.#state(false) === connectivityState.READY
  }

  /** A call can be sent now. */
  isReady(): boolean {
    return !this.#retired && this.#isConnected()
  }

  /** Connects, unless it is connected. After a failure the channel is of no more use. */
  readonly connect: Effect.Effect<void, AgentUnreachable> = Effect.suspend(() =>
    this.isReady() ? Effect.void : Effect.tapError(this.#attempt, () => Effect.sync(() => this.#abandon()))
  )

  readonly #attempt: Effect.Effect<void, AgentUnreachable> = Effect.callback<void, AgentUnreachable>((resume) => {
    const deadline = this.#after(this.#limits.connectLimitMs)
    const fail = (detail: string) => resume(Effect.fail(new AgentUnreachable({ address: this.#address, detail })))
    const look = () => {
      const state = this.#state(false)
      if (state === connectivityState.READY) return resume(Effect.void)
      if (state === connectivityState.SHUTDOWN) return fail("the connection is closed")
      if (state === connectivityState.TRANSIENT_FAILURE) return this.#whyNot(fail)
      this.#state(true)
      this.#client
        .getChannel()
        .watchConnectivityState(state, deadline, (late) =>
          late === undefined ? look() : fail(`no answer within ${this.#limits.connectLimitMs} ms`)
        )
    }
    look()
  })

  #whyNot(told: (reason: string) => void): void {
    const deadline = this.#after(this.#limits.connectLimitMs)
    this.#client.makeUnaryRequest(harmlessMethod, nothing, nothing, undefined, { deadline }, (error) =>
      told(error === null ? "the connection was lost" : reasonIn(error.details))
    )
  }

  /**
   * One call. Only a connection that stands is used: whatever fails from then on may have been sent, and is told as
   * {@link AgentRefusal}. What the Agent itself turned away unread, because it is stopping, grpc-js sends once more. Interrupting
   * cancels the call on the other side.
   */
  send<M extends DescMethodUnary>(
    method: M,
    fields: MessageInitShape<M["input"]>,
    deadlineMs: number
  ): Effect.Effect<MessageShape<M["output"]>, AgentFailure> {
    const { path, requestSerialize, responseDeserialize } = ofMethod(method)
    return Effect.callback<MessageShape<M["output"]>, AgentFailure>((resume) => {
      if (!this.isReady()) {
        return resume(Effect.fail(new AgentUnreachable({ address: this.#address, detail: "the connection was lost" })))
      }
      this.#calls += 1
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        fields,
        new Metadata(),
        { deadline: this.#after(deadlineMs) },
        (error, answer) => {
          this.#calls -= 1
          if (this.#retired) this.retire()
          resume(
            error === null
              ? Effect.succeed(answer as MessageShape<M["output"]>)
              : Effect.fail(new AgentRefusal({ address: this.#address, error }))
          )
        }
      )
      return Effect.sync(() => call.cancel())
    })
  }

  /** Takes no new call, and closes when its last one has ended. */
  retire(): void {
    this.#retired = true
    if (this.#calls > 0) return
    if (this.#isConnected()) this.#close()
    else this.#abandon()
  }

  /** Ends the attempt to connect. */
  #abandon(): void {
    this.#close()
    this.#credentials.giveUp()
  }

  #close(): void {
    if (!this.#closed) this.#client.close()
    this.#closed = true
  }
}
