// What both clients are asked to do in the same words; see python/common.py.
exports.echo = async (event) => event

exports.nothing = async () => {}

exports.context = async (_event, context) => ({
  requestId: context.awsRequestId,
  functionName: context.functionName,
  version: context.functionVersion,
  memory: context.memoryLimitInMB,
  logGroup: context.logGroupName,
  logStream: context.logStreamName,
  arn: context.invokedFunctionArn,
  remainingMs: context.getRemainingTimeInMillis(),
  custom: context.clientContext?.custom ?? null,
  env: context.clientContext?.env ?? null,
  appTitle: context.clientContext?.client?.app_title ?? null,
  identityId: context.identity?.cognitoIdentityId ?? null,
  trace: process.env._X_AMZN_TRACE_ID ?? null,
  token: process.env.ESB_WORKER_TOKEN ?? null,
  patience: process.env.ESB_LISTENER_PATIENCE_SECONDS ?? null
})

exports.throws = async (event) => {
  throw new TypeError(event.error_msg)
}

exports.oddError = async () => {
  throw Object.assign(new Error("odd"), { name: "Naïve\r\nX-Injected: 1" })
}

exports.exits = async (event) => process.exit(event.code)

exports.sleeps = async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return "slept"
}

exports.repeats = async ({ times }) => "ü".repeat(times)

exports.prints = async ({ lines }) => {
  for (let line = 1; line <= lines; line++) process.stdout.write(`line ${line}\n`)
  process.stdout.write("and a rest")
}
