/** `esb init`: a small stack to begin with. */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { attempt } from "./Home.ts"
import { CommandFailed } from "./Refusal.ts"
import { voice } from "./Voice.ts"

export type StarterRuntime = "node" | "python"

const template = (runtime: string) => `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31

Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: hello
      CodeUri: src/
      Handler: app.handler
      Runtime: ${runtime}
      Timeout: 10
      MemorySize: 256
      Events:
        Greet:
          Type: Api
          Properties: { Path: "/hello/{name}", Method: GET }
`

const nodeHandler = `/** Answers \`GET /hello/{name}\`, and a plain call with \`{"name": …}\`. */
export const handler = async (event) => {
  const name = event.pathParameters?.name ?? event.name ?? "world"
  console.log(\`greeting \${name}\`)
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: \`Hello, \${name}!\` })
  }
}
`

const pythonHandler = `import json


def handler(event, context):
    """Answers \`GET /hello/{name}\`, and a plain call with \`{"name": ...}\`."""
    parameters = event.get("pathParameters") or {}
    name = parameters.get("name") or event.get("name") or "world"
    print(f"greeting {name}")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"Hello, {name}!"}),
    }
`

const readme = `# A stack for esb

\`\`\`console
$ esb up                                   # starts it; change a file, and the next call has the new code
$ curl http://127.0.0.1:8080/hello/Ada     # in another shell
$ esb invoke hello --event '{"name":"Ada"}' --tail
$ esb logs -f
\`\`\`
`

const filesOf = (runtime: StarterRuntime): Readonly<Record<string, string>> =>
  runtime === "node"
    ? { "template.yaml": template("nodejs24.x"), "src/app.mjs": nodeHandler, "README.md": readme }
    : { "template.yaml": template("python3.13"), "src/app.py": pythonHandler, "README.md": readme }

export const write = Effect.fnUntraced(function* (directory: string, runtime: StarterRuntime) {
  const { result } = yield* voice
  const root = resolve(directory)
  const files = filesOf(runtime)
  const present = Object.keys(files).filter((path) => existsSync(join(root, path)))
  if (present.length > 0) {
    return yield* new CommandFailed({ message: `${root} already has ${present.join(", ")}: nothing was written` })
  }
  yield* attempt(`${root} cannot be written to`, async () => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content, { flag: "wx" })
    }
  })
  yield* result({ directory: root, files: Object.keys(files) }, () =>
    [
      `Wrote ${Object.keys(files).join(", ")} to ${root}.`,
      "",
      `Start it with: ${directory === "." ? "" : `cd ${directory} && `}esb up`
    ].join("\n")
  )
})
