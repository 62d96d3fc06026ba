/** Lines on their way to the store: a bounded buffer, so that writing costs its caller next to nothing. */
import { Exit } from "effect"
import type { LogRecord } from "#domain/LogRecord"

/** Lines wait this long for company. */
const flushEveryMs = 100
/** More lines or characters than this travel as several messages, so that none holds up the queue for long. */
const linesPerMessage = 500
const charactersPerMessage = 1024 ** 2
/** Lines that were written and are not stored yet; more are dropped. */
const maxLines = 65_536
/** Characters of those lines, counting {@link charactersPerLine} for what a line has besides its message. */
const maxCharacters = 32 * 1024 ** 2
const charactersPerLine = 256
/** After the store failed, lines that were dropped are told about no sooner than this. */
const retryAfterMs = 1_000

/** Takes lines and says later whether they are stored. */
export type Store = (lines: ReadonlyArray<LogRecord>, answered: (exit: Exit.Exit<void, unknown>) => void) => void

const weightOf = ({ message }: LogRecord) => message.length + charactersPerLine

export class LineBuffer {
  /** Lines that were dropped since the start. */
  dropped = 0
  private readonly store: Store
  private readonly now: () => number
  private lines: Array<LogRecord> = []
  private characters = 0
  /** Lines, and their characters, that wait here or travel. */
  private heldLines = 0
  private heldCharacters = 0
  /** Dropped lines that the log does not tell of yet. */
  private untold = 0
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(store: Store, now: () => number) {
    this.store = store
    this.now = now
  }

  write(record: LogRecord) {
    const weight = weightOf(record)
    if (this.isClosed || this.heldLines >= maxLines || this.heldCharacters + weight > maxCharacters) {
      this.dropped++
      this.untold++
      return
    }
    this.hold(record, weight)
    if (this.lines.length >= linesPerMessage || this.characters >= charactersPerMessage) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), flushEveryMs)
  }

  /** Hands every line over now. */
  flush() {
    clearTimeout(this.timer)
    this.timer = undefined
    const told = this.hasRoomToTell() ? this.untold : 0
    if (told > 0) {
      const record = droppedRecord(told, this.now())
      this.hold(record, weightOf(record))
      this.untold = 0
    }
    const { lines, characters } = this
    if (lines.length === 0) return
    this.lines = []
    this.characters = 0
    this.store(lines, (exit) => this.settled(exit, lines.length, characters, told))
  }

  /** Hands over what there is and takes no more. */
  close() {
    this.flush()
    this.isClosed = true
  }

  private hold(record: LogRecord, weight: number) {
    this.lines.push(record)
    this.characters += weight
    this.heldLines++
    this.heldCharacters += weight
  }

  /** Half of the buffer is free again: the burst is over, and one line tells of all that was lost in it. */
  private hasRoomToTell() {
    return this.heldLines < maxLines / 2 && this.heldCharacters < maxCharacters / 2
  }

  private settled(exit: Exit.Exit<void, unknown>, lines: number, characters: number, told: number) {
    this.heldLines -= lines
    this.heldCharacters -= characters
    if (Exit.isFailure(exit)) {
      // The line that told of others was one of these.
      const lost = told > 0 ? lines - 1 : lines
      this.dropped += lost
      this.untold += lost + told
    }
    if (this.untold > 0 && !this.isClosed) {
      this.timer ??= setTimeout(() => this.flush(), Exit.isFailure(exit) ? retryAfterMs : flushEveryMs)
    }
  }
}

const droppedRecord = (count: number, atUnixMs: number): LogRecord => ({
  atUnixMs,
  source: "system",
  level: "WARNING",
  message: `${count} log lines were dropped`,
  functionName: undefined,
  containerName: undefined,
  requestId: undefined,
  traceId: undefined
})
