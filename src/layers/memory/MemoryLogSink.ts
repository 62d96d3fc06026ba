/** Log lines in memory: the newest of them, for as long as the process lives. */
import { Clock, Effect, Layer } from "effect"
import { kept, type LogQuery, type LogRecord, type StoredLogRecord } from "#domain/LogRecord"
import { LogSink, type LogRetention, maxQueriedCharacters, maxQueriedLines } from "#services/LogSink"

/** Memory is smaller than a disk. */
const defaultRetention: LogRetention = {
  maxBytes: 32 * 1024 ** 2,
  maxLines: 100_000,
  maxAgeMs: 7 * 24 * 3_600_000
}

/** What a line takes besides its message, about. */
const bytesPerLine = 256

const bytesOf = ({ message }: LogRecord) => message.length + bytesPerLine

export const layer = (retention: Partial<LogRetention> = {}) =>
  Layer.effect(
    LogSink,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const scroll = new Scroll({ ...defaultRetention, ...retention }, () => clock.currentTimeMillisUnsafe())
      return LogSink.of({
        write: (record) => scroll.write(kept(record)),
        query: (query) => Effect.sync(() => scroll.query(query)),
        // Whatever is written is stored at once; lines leave by age and number only.
        dropped: () => 0
      })
    })
  )

/** Lines in order; those before `first` have left. */
class Scroll {
  private lines: Array<StoredLogRecord> = []
  private first = 0
  private bytes = 0
  private position = 0
  private readonly retention: LogRetention
  private readonly now: () => number

  constructor(retention: LogRetention, now: () => number) {
    this.retention = retention
    this.now = now
  }

  write(record: LogRecord) {
    this.position++
    const [atUnixMs, message] = [Math.trunc(record.atUnixMs), record.message.toWellFormed()]
    this.lines.push({ ...record, atUnixMs, message, position: this.position })
    this.bytes += bytesOf(record)
    this.forget()
  }

  query({ functionName, requestId, after, sinceUnixMs, limit }: LogQuery): ReadonlyArray<StoredLogRecord> {
    const wanted = this.lines
      .slice(this.first)
      .filter(
        (line) =>
          (functionName === undefined || line.functionName === functionName) &&
          (requestId === undefined || line.requestId === requestId) &&
          (after === undefined || line.position > after) &&
          (sinceUnixMs === undefined || line.atUnixMs >= sinceUnixMs)
      )
    const inTurn = after === undefined ? wanted.toReversed() : wanted
    const chosen = inTurn.slice(0, Math.min(limit, maxQueriedLines))
    let characters = 0
    const tooMuch = chosen.findIndex(({ message }) => (characters += message.length) > maxQueriedCharacters)
    const told = tooMuch === -1 ? chosen : chosen.slice(0, Math.max(1, tooMuch))
    return after === undefined ? told.toReversed() : told
  }

  private forget() {
    const before = this.now() - this.retention.maxAgeMs
    for (let oldest = this.lines[this.first]; oldest !== undefined; oldest = this.lines[this.first]) {
      const isTooMuch = this.lines.length - this.first > this.retention.maxLines || this.bytes > this.retention.maxBytes
      if (!isTooMuch && oldest.atUnixMs >= before) break
      this.bytes -= bytesOf(oldest)
      this.first++
    }
    // Moving the rest to the front is paid for by as many lines that left.
    if (this.first > this.lines.length / 2) {
      this.lines = this.lines.slice(this.first)
      this.first = 0
    }
  }
}
