/** Functions of a stack in containers: their image in its registry, and calls as an application makes them. */
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { Effect } from "effect"
import { Agent } from "node:https"
import { patienceMs, type Project } from "./ComposeProject.ts"
import { docker } from "./DockerImages.ts"
import { eventually } from "./Eventually.ts"
import * as FunctionImage from "./FunctionImage.ts"

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

/** Waits until the function that says everything again does so with this. */
export const echoes = (call: ReturnType<typeof caller>, n: number) =>
  eventually(
    "the function answers",
    call("echo", { n }),
    (seen) => JSON.stringify(seen) === JSON.stringify({ n }),
    patienceMs
  )

const handled = (image: string, handler: string) => ({ image, handler: `index.${handler}`, timeout: 10 })

/** Of an image: to hear itself, to see what it is given, and to look around. */
export const functions = (image: string) => ({
  echo: handled(image, "echo"),
  environment: handled(image, "environment"),
  visit: handled(image, "visit")
})

/** How each service is, or the code that it ended with. */
export const wellness = ({ stack }: Project) =>
  Effect.map(stack.services, (services) => services.map(({ exitCode, health, name }) => [name, exitCode ?? health]))

/** What is told of a container by a path of what the engine knows of it. */
export const told = ({ container }: Project, service: string, path: string) =>
  docker("inspect", "--format", `{{${path}}}`, container(service))

/** The registry has it, and the engine only what it may have of its layers. */
export const pushed = Effect.fnUntraced(function* ({ registry }: Project) {
  const reference = `${registry}/esb-functions:1`
  yield* docker("tag", yield* Effect.promise(() => FunctionImage.reference()), reference)
  yield* docker("push", reference)
  yield* docker("rmi", reference)
  yield* Effect.addFinalizer(() => Effect.ignore(docker("rmi", "--force", reference)))
  return reference
})
