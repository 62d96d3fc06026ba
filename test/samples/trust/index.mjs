import { request } from "node:https"

/** What a server says whose name is checked, as every client does that nobody told otherwise. */
export const look = ({ host, port, name }) =>
  new Promise((done) => {
    const asked = request({ host, port, servername: name, path: "/" }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (part) => (text += part))
      answer.on("end", () => done({ said: text }))
    })
    asked.on("error", ({ code }) => done({ refused: code }))
    asked.end()
  })
