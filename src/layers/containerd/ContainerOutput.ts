/**
 * What containers write, through a pipe with a name: containerd opens it by its name, and so does, after a restart, the next
 * Agent. What is written while nobody reads waits in the pipe, and the worker with it once that is full.
 */
import { Deferred, Effect, type Scope } from "effect"
import { closeSync, constants, openSync } from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { Socket } from "node:net"
import { join } from "node:path"
import { RuntimeUnavailable } from "#domain/Failure"
import * as PipeStock from "./PipeStock.ts"

/** The reading side of a container's output. */
export interface CapturedOutput {
  /** Path of the pipe, for standard output and error. */
  readonly path: string
  /** The container has opened its side: from now on, when nobody has it open any more, everything was read. */
  readonly handedOver: () => void
  /** Everything it wrote has been read. */
  readonly ended: Effect.Effect<void>
}

const failed = (name: string) => (cause: unknown) =>
  new RuntimeUnavailable({
    detail: `the output of ${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })

/** Without a writer a reader is at the end at once, so that there is one until the container has come. */
const openBothSides = (path: string) => {
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) }
  } catch (cause) {
    closeSync(reader)
    throw cause
  }
}

/** `directory` holds the pipes, each under the name of its container; `stock` those of none, on the same file system. */
export const make = Effect.fnUntraced(function* (directory: string, stock: string) {
  const pipes = yield* PipeStock.make(stock)
  yield* Effect.tryPromise({
    try: () => mkdir(directory, { recursive: true, mode: 0o700 }),
    catch: failed("containers")
  })
  const pathOf = (name: string): string => join(directory, name)

  /** Reads a pipe that is there, for as long as the scope lives. */
  const follow = Effect.fnUntraced(function* (
    name: string,
    take: (chunk: Uint8Array) => void
  ): Effect.fn.Return<CapturedOutput, RuntimeUnavailable, Scope.Scope> {
    const path = pathOf(name)
    const ended = yield* Deferred.make<void>()
    const sides = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const { reader, writer } = openBothSides(path)
          let isOpen = true
          const handedOver = (): void => {
            if (isOpen) closeSync(writer)
            isOpen = false
          }
          return { socket: new Socket({ fd: reader, readable: true, writable: false }), handedOver }
        },
        catch: failed(name)
      }),
      ({ handedOver, socket }) =>
        Effect.sync(() => {
          handedOver()
          socket.destroy()
        })
    )
    sides.socket
      .on("data", take)
      // A pipe that breaks has nothing more to say.
      .on("error", () => undefined)
      .on("close", () => Deferred.doneUnsafe(ended, Effect.void))
    return { path, handedOver: sides.handedOver, ended: Deferred.await(ended) }
  })

  const remove = (name: string): Effect.Effect<void> => Effect.promise(() => rm(pathOf(name), { force: true }))

  /** A new pipe, which stays when the scope ends: what it holds is the next reader's. */
  const create = (name: string): Effect.Effect<void, RuntimeUnavailable> => pipes.place(pathOf(name))

  return { create, follow, remove }
})
