import { setTimeout as sleep } from "node:timers/promises"
import { pipeline } from "node:stream/promises"
import { Readable } from "node:stream"

const { streamifyResponse, HttpResponseStream } = globalThis.awslambda

export const chunks = streamifyResponse(async (event, stream) => {
  stream.setContentType("text/plain")
  for (const chunk of event.chunks) {
    stream.write(chunk)
    await sleep(5)
  }
  stream.end()
})

export const http = streamifyResponse(async (event, stream) => {
  const response = HttpResponseStream.from(stream, event.metadata)
  for (const chunk of event.chunks) response.write(chunk)
  response.end()
})

export const piped = streamifyResponse(async (event, stream) => {
  await pipeline(Readable.from(event.chunks), stream)
})

export const failsMidway = streamifyResponse(async (_event, stream) => {
  stream.write("first ")
  stream.write("second")
  throw new RangeError("midway")
})

export const failsAtOnce = streamifyResponse(async () => {
  throw new RangeError("at once")
})

export const crashesMidway = streamifyResponse(async (_event, stream) => {
  stream.write("first")
  setTimeout(() => {
    throw new RangeError("in a timer")
  }, 10)
  await sleep(1000)
})

export const neverEnds = streamifyResponse(async (_event, stream) => {
  stream.write("first")
})

export const endsLater = streamifyResponse(async (_event, stream) => {
  setTimeout(() => stream.end("late"), 20)
})

export const notAsync = streamifyResponse((_event, stream) => {
  stream.end("x")
})

export const returnsAValue = streamifyResponse(async (_event, stream) => {
  stream.end("x")
  return "ignored"
})

/** Writes chunks of 64 KiB, waiting whenever it is told to, and says how many it has written. */
export const fills = streamifyResponse(async (event, stream) => {
  const chunk = Buffer.alloc(64 * 1024, "x")
  for (let written = 1; written <= event.chunks; written++) {
    const room = stream.write(chunk)
    console.log(`written ${written}`)
    if (!room) await new Promise((resolve) => stream.once("drain", resolve))
  }
  stream.end()
})
