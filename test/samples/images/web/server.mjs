/** A plain web server, which knows of no Lambda. */
import { createServer } from "node:http"

createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  if (request.url === "/leave") process.exit(3)
  response.setHeader("content-type", "application/json")
  response.end(
    JSON.stringify({
      method: request.method,
      url: request.url,
      body: Buffer.concat(chunks).toString(),
      host: request.headers["x-forwarded-for"] ?? null,
      id: JSON.parse(request.headers["x-amzn-lambda-context"] ?? "{}").request_id ?? null
    })
  )
}).listen(8080)
