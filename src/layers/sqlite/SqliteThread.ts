/**
 * The thread that owns the SQLite files; `Sqlite.ts` starts it. Everything that has arrived for the queue becomes one
 * transaction and is answered after its commit. Log lines are written between two such transactions, a piece at a time,
 * so that they hold up no event for longer than a piece takes.
 */
import { parentPort } from "node:worker_threads"
import { Committer, failureOf } from "./Committer.ts"
import * as EventStore from "./EventStore.ts"
import * as LogStore from "./LogStore.ts"
import type {
  Answer,
  EventOperation,
  FromThread,
  LogOperation,
  Operation,
  Request,
  RequestOf,
  ThreadFailure,
  ToThread
} from "./Protocol.ts"

/** How often what is too old is looked for when nothing is written. */
const tendEveryMs = 60_000
/** Requests to the log between two commits of the queue; each carries few enough lines. */
const logRequestsAtOnce = 1

if (parentPort === null) throw new Error("SqliteThread is the entry of a worker thread")
const port = parentPort

/** A file that is open, or why it is not. */
type Opened<K extends Operation> = Committer<K> | ThreadFailure

let events: Opened<EventOperation> = failureOf("the queue", "is not open")
let logs: Opened<LogOperation> = failureOf("the log", "is not open")
let isClosing = false
let isScheduled = false

const opened = <K extends Operation>(path: string, open: () => Committer<K>): Opened<K> => {
  try {
    return open()
  } catch (error) {
    return failureOf(path, error)
  }
}

const openness = <K extends Operation>(number: number, file: Opened<K>): Answer =>
  file instanceof Committer ? { number, value: undefined } : { number, failure: file }

const add = <K extends Operation>(file: Opened<K>, request: RequestOf<K>) => {
  if (file instanceof Committer) file.add(request)
  else answer([{ number: request.number, failure: file }])
}

const receive = (request: Request) => {
  switch (request.operation) {
    case "openEvents": {
      const { path } = request.ask
      events = opened(path, () => new Committer<EventOperation>(path, EventStore.open(request.ask)))
      return answer([openness(request.number, events)])
    }
    case "openLogs": {
      const { path } = request.ask
      logs = opened(path, () => new Committer<LogOperation>(path, LogStore.open(request.ask)))
      return answer([openness(request.number, logs)])
    }
    case "append":
    case "query":
      return add(logs, request)
    default:
      return add(events, request)
  }
}

const answer = (answers: FromThread) => {
  if (answers.length > 0) port.postMessage(answers)
}

const files = () => [events, logs].filter((file) => file instanceof Committer)

const turn = () => {
  isScheduled = false
  if (events instanceof Committer) answer(events.commit(Infinity))
  if (logs instanceof Committer) answer(logs.commit(logRequestsAtOnce))
  for (const file of files()) file.tend()
  if (files().some((file) => !file.isIdle)) return schedule()
  if (isClosing) end()
}

/** After the messages that have arrived by then. */
const schedule = () => {
  if (isScheduled) return
  isScheduled = true
  setImmediate(turn)
}

const end = () => {
  clearInterval(reminder)
  for (const file of files()) file.close()
  port.close()
}

const reminder = setInterval(() => {
  for (const file of files()) file.remindToTend()
  schedule()
}, tendEveryMs)

port.on("message", (message: ToThread) => {
  if (message === "close") isClosing = true
  else message.forEach(receive)
  schedule()
})
