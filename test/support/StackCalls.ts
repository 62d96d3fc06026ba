/** Functions of a stack in containers: their image in its registry, and calls as an application makes them. */
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { Effect } from "effect"
import { Agent } from "node:https"
import type * as ComposeProject from "./ComposeProject.ts"
import { docker } from "./DockerImages.ts"
import * as FunctionImage from "./FunctionImage.ts"

type Project = Effect.Success<ReturnType<typeof ComposeProject.make>>

const clientOf = ({ authority, secrets, url }: Project) =>
  new LambdaClient({
    endpoint: url,
    region: "us-east-1",
    credentials: { accessKeyId: "esb", secretAccessKey: secrets.esb_secret_access_key },
    maxAttempts: 1,
    requestHandler: { httpsAgent: new Agent({ ca: authority }) }
  })

/** What a function answers, or the failure of the call in words. */
export const caller = (project: Project) => {
  const client = clientOf(project)
  return (name: string, event: unknown = {}) =>
    Effect.promise(async (): Promise<unknown> => {
      try {
        const command = new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) })
        const { FunctionError, Payload } = await client.send(command)
        const text = Payload?.transformToString() ?? ""
        return FunctionError === undefined ? JSON.parse(text) : { failed: text }
      } catch (cause) {
        return { failed: String(cause) }
      }
    })
}

/** The registry has it, and the engine only what it may have of its layers. */
export const pushed = Effect.fnUntraced(function* ({ registry }: Project) {
  const reference = `${registry}/esb-functions:1`
  yield* docker("tag", yield* Effect.promise(() => FunctionImage.reference()), reference)
  yield* docker("push", reference)
  yield* docker("rmi", reference)
  yield* Effect.addFinalizer(() => Effect.ignore(docker("rmi", "--force", reference)))
  return reference
})
