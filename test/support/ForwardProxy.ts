/** A proxy on loopback that leads every host to one address, and remembers for whom it was asked. */
import { Effect } from "effect"
import { once } from "node:events"
import { createServer, request as send } from "node:http"
import { type AddressInfo, connect } from "node:net"

export interface ForwardProxy {
  readonly url: string
  /** Host and port of each request, in order. */
  readonly asked: ReadonlyArray<string>
}

/** `to` is `host:port`. */
export const make = (to: string) => {
  const [host = "", port] = to.split(":")
  const asked: Array<string> = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://nowhere")
    asked.push(url.host)
    const onward = send({
      host,
      port,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: request.headers
    })
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on("error", () => response.destroy())
    request.pipe(onward)
  })
  server.on("connect", (request, socket, head) => {
    asked.push(request.url ?? "")
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      onward.write(head)
      onward.pipe(socket)
      socket.pipe(onward)
    })
    for (const [one, other] of [
      [onward, socket],
      [socket, onward]
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy())
    }
  })
  return Effect.acquireRelease(
    Effect.promise(async (): Promise<ForwardProxy> => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
    }),
    () =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((done) => server.close(done))
      })
  )
}
