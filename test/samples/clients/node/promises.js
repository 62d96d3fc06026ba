// CommonJS handlers that return: one export per way of ending a call.
class TooHot extends TypeError {
  constructor(message) {
    super(message)
    this.name = "TooHot"
    this.degrees = 451
  }
}

exports.plain = (event) => ({ plain: event })

exports.golden = async (event) => {
  throw new Error(`Error: ${event.error_msg}`)
}

exports.throwsAtOnce = () => {
  throw new TooHot("at once")
}

exports.rejects = (event) => Promise.reject(event)

exports.throwsHostile = async () => {
  throw new Proxy({}, { get: () => { throw new Error("no") } })
}

exports.ring = async () => {
  const ring = {}
  ring.ring = ring
  return ring
}

exports.bigNumber = async () => ({ n: 10n })

exports.aFunction = async () => () => {}

exports.never = async () => new Promise(() => {})

exports.unhandled = async () => {
  Promise.reject(new Error("nobody catches"))
  await new Promise((resolve) => setTimeout(resolve, 1000))
}

exports.uncaught = async () => {
  setTimeout(() => {
    throw new TooHot("in a timer")
  }, 1)
  await new Promise((resolve) => setTimeout(resolve, 1000))
}

exports.answersTooLate = () =>
  new Promise((resolve) => {
    setTimeout(() => {
      setImmediate(() => resolve("too late"))
      throw new TooHot("in a timer")
    }, 1)
  })

exports.unhandledButAnswers = async () => {
  Promise.reject(new Error("nobody catches"))
  return "answered"
}

exports.afterwards = async () => {
  setTimeout(() => {
    throw new Error("after the answer")
  }, 20)
  return "answered"
}

exports.nested = { deeper: { handler: async () => "nested" } }

exports.notAFunction = 42
