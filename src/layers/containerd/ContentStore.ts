/**
 * Content as containerd keeps it, by digest. What was written in part stays for a day, so that the next attempt goes on where
 * the last one ended, whoever made it.
 */
import { status } from "@grpc/grpc-js"
import { Effect, Schedule, Stream } from "effect"
import { Buffer } from "node:buffer"
import type { Descriptor } from "#domain/ImageManifest"
import { ContainerdApi } from "./ContainerdApi.ts"
import { ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Content, type Info, WriteAction } from "./generated/containerd/content_pb.ts"

export type Labels = Readonly<Record<string, string>>

/** Less than the 16 MiB that containerd takes at a time, and enough that its answers cost little. */
const pieceBytes = 1_048_576

/** Whoever wrote before us, and was killed, holds on to what it wrote until containerd has noticed. */
const lockedTries = 20
const lockedEvery = Schedule.spaced("250 millis")

export const make = Effect.gen(function* () {
  const { call, converse, listen } = yield* ContainerdApi

  const info = (digest: string): Effect.Effect<Info | undefined, ContainerdFailure> =>
    call(Content.method.info, { digest }).pipe(
      Effect.map(({ info }) => info),
      Effect.catchIf(hasCode(status.NOT_FOUND), () => Effect.undefined)
    )

  /** A document, whole; `undefined` where there is none. */
  const read = Effect.fnUntraced(function* (digest: string, limitBytes: number) {
    const known = yield* info(digest)
    if (known === undefined) return undefined
    if (known.size > limitBytes) {
      const message = `${digest} has ${known.size} bytes, which are more than ${limitBytes}`
      return yield* new ContainerdFailure({ kind: "refused", code: status.OUT_OF_RANGE, message })
    }
    const answers = yield* Stream.runCollect(listen(Content.method.read, { digest }))
    return Buffer.concat(answers.map(({ data }) => data))
  })

  const label = (digest: string, labels: Labels) => {
    const paths = Object.keys(labels).map((key) => `labels.${key}`)
    return paths.length === 0
      ? Effect.void
      : Effect.asVoid(call(Content.method.update, { info: { digest, labels }, updateMask: { paths } }))
  }

  /** The next attempt begins from nothing. */
  const forget = (digest: string) =>
    Effect.catchIf(call(Content.method.abort, { ref: digest }), hasCode(status.NOT_FOUND), () => Effect.void)

  const attempt = <E>(
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    labels: Labels,
    content: (heldBytes: number) => Stream.Stream<Uint8Array, E>
  ) =>
    Effect.gen(function* () {
      const ask = yield* converse(Content.method.write)
      const about = { ref: digest, total: BigInt(size), expected: digest }
      let { offset } = yield* ask({ ...about, action: WriteAction.STAT })

      const write = Effect.fnUntraced(function* (bytes: Uint8Array) {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          const data = bytes.subarray(at, at + pieceBytes)
          offset = (yield* ask({ ref: digest, action: WriteAction.WRITE, offset, data })).offset
        }
      })

      let gathered: Array<Uint8Array> = []
      let gatheredBytes = 0
      const flush = Effect.suspend(() => {
        const bytes = Buffer.concat(gathered)
        gathered = []
        gatheredBytes = 0
        return write(bytes)
      })
      // What another namespace has is all there at once.
      if (Number(offset) < size) {
        yield* Stream.runForEach(content(Number(offset)), (piece) => {
          gathered.push(piece)
          gatheredBytes += piece.length
          return gatheredBytes < pieceBytes ? Effect.void : flush
        })
        yield* flush
      }
      yield* ask({ ...about, action: WriteAction.COMMIT, offset, labels })
    }).pipe(
      Effect.scoped,
      Effect.retry({
        times: lockedTries,
        schedule: lockedEvery,
        while: (failure) =>
          failure instanceof ContainerdFailure && failure.code === status.UNAVAILABLE && failure.kind === "refused"
      })
    )

  /**
   * containerd has it when this returns, with these labels, and has checked its digest. `content` is asked for nothing that is
   * there already, not even by half.
   */
  const put = <E>(
    descriptor: Pick<Descriptor, "digest" | "size">,
    labels: Labels,
    content: (heldBytes: number) => Stream.Stream<Uint8Array, E>
  ): Effect.Effect<void, E | ContainerdFailure> => {
    const once = attempt(descriptor, labels, content)
    return once.pipe(
      // All of it is there, and it is something else: what an earlier attempt left was not its beginning.
      Effect.catchIf(
        (failure) => failure instanceof ContainerdFailure && hasCode(status.FAILED_PRECONDITION)(failure),
        () => Effect.andThen(forget(descriptor.digest), once)
      ),
      Effect.catchIf(
        (failure) => failure instanceof ContainerdFailure && hasCode(status.ALREADY_EXISTS)(failure),
        () => label(descriptor.digest, labels)
      )
    )
  }

  return { info, read, label, put, forget }
})
