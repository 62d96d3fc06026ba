// Handlers of the time before promises. Each names in the event what it should do.
exports.callback = (event, context, callback) => {
  if ("waits" in event) context.callbackWaitsForEmptyEventLoop = event.waits
  if (event.pendingMs) setTimeout(() => console.log("timer fired"), event.pendingMs)
  if (event.delayMs) setTimeout(() => callback(event.error ?? null, event.result), event.delayMs)
  else callback(event.error ?? null, event.result)
}

exports.errors = (event, context, callback) => callback(new RangeError(event.message))

exports.twice = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false
  callback(null, "first")
  callback(null, "second")
}

exports.silent = () => {}

exports.context = (event, context) => {
  if (event.way === "done") context.done(null, "done")
  if (event.way === "done with error") context.done(new Error("done badly"))
  if (event.way === "succeed") context.succeed("succeeded")
  if (event.way === "fail") context.fail("a string")
  if (event.way === "fail with nothing") context.fail()
}
