/**
 * The runtime client for Node.js: polls the Lambda Runtime API named by `AWS_LAMBDA_RUNTIME_API` and runs the function
 * named by `_HANDLER`. Runs on Node 18 and later, without dependencies, beside the user's code. AWS has two sets of rules
 * for handlers, up to Node.js 22 and from 24; the runtime that the function declares decides which one holds.
 */
import * as module from "node:module"
import { performBuffered, performStreamed, tell, type Worker } from "./Call.ts"
import { RuntimeApiGone } from "./Connection.ts"
import { patchConsole } from "./Console.ts"
import { reportCrashes } from "./Crash.ts"
import { RuntimeFault } from "./Fault.ts"
import { type Handler, loadHandler, streamifyResponse } from "./Handler.ts"
import { exposeTrace } from "./Invocation.ts"
import { installPackageFallback } from "./PackageFallback.ts"
import { HttpResponseStream } from "./ResponseStream.ts"
import { RuntimeApi } from "./RuntimeApi.ts"
import { watchStandardStreams } from "./StandardStreams.ts"

/** Of a worker that nobody can take over from whoever started it. */
const PATIENCE_SECONDS = 2

const setUp = (environment: NodeJS.ProcessEnv): Worker => {
  const endpoint = environment["AWS_LAMBDA_RUNTIME_API"]
  if (!endpoint) throw new Error("AWS_LAMBDA_RUNTIME_API says where to poll for calls, and it is not set")
  const token = environment["ESB_WORKER_TOKEN"]
  const patience = Number(environment["ESB_LISTENER_PATIENCE_SECONDS"] ?? PATIENCE_SECONDS) * 1000
  // These two are ours, not the function's.
  delete environment["ESB_WORKER_TOKEN"]
  delete environment["ESB_LISTENER_PATIENCE_SECONDS"]

  const declared = /^AWS_Lambda_nodejs(\d+)/.exec(environment["AWS_EXECUTION_ENV"] ?? "")?.[1]
  const since24 = Number(declared ?? process.versions.node.split(".")[0]) >= 24

  const api = new RuntimeApi(endpoint, token, patience)
  const lastWords = new RuntimeApi(endpoint, token, patience)
  const log = patchConsole(environment, since24 ? "-" : undefined)
  const crash = { send: (thrown: unknown) => lastWords.failInit(thrown), ending: false }
  reportCrashes(log, crash)
  watchStandardStreams()
  Object.assign(globalThis, { awslambda: { streamifyResponse, HttpResponseStream } })
  installPackageFallback(environment["NODE_PATH"])
  return { api, lastWords, log, crash, environment, since24 }
}

const rejectCallback = (handler: Handler) => {
  if (handler.streaming || handler.call.length < 3) return
  throw new RuntimeFault(
    "Runtime.CallbackHandlerDeprecated",
    "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html."
  )
}

/** The user's function, or the end of this process once the reason is told. */
const initialise = async ({ api, environment, log, since24 }: Worker): Promise<Handler> => {
  try {
    const taskRoot = environment["LAMBDA_TASK_ROOT"] ?? process.cwd()
    const handler = await loadHandler(taskRoot, environment["_HANDLER"] ?? "", environment["NODE_PATH"])
    if (since24) rejectCallback(handler)
    return handler
  } catch (thrown) {
    log.error("Init Error", thrown)
    await tell(api.failInit(thrown))
    return process.exit(1)
  }
}

/** A worker ends by a signal, so nothing is kept at its exit. What it compiled so far is worth keeping for the next one. */
const keepCompiledCode = () => {
  if (module.getCompileCacheDir?.() !== undefined) module.flushCompileCache()
}

const nobodyWaits = async () => {}

const serve = async (worker: Worker) => {
  const handler = await initialise(worker)
  const perform = handler.streaming ? performStreamed : performBuffered
  for (let calls = 0; !worker.crash.ending; calls++) {
    worker.crash.send = nobodyWaits
    const next = worker.api.next()
    if (calls === 1) keepCompiledCode()
    const invocation = await next
    exposeTrace(invocation)
    worker.log.requestId = invocation.requestId
    await perform(worker, handler, invocation)
  }
}

serve(setUp(process.env)).catch((cause: unknown) => {
  // An orphan: whoever started this worker is gone.
  if (cause instanceof RuntimeApiGone) process.exit(0)
  console.error(cause)
  process.exit(1)
})
