/** Who knows the names that are not our own: whom the settings name, or whom the machine itself asks. */
import { Effect, Result } from "effect"
import { readFile } from "node:fs/promises"
import { isIP, isIPv4 } from "node:net"

export interface Nameserver {
  readonly address: string
  readonly port: number
}

const ordinaryPort = 53
const lastPort = 65_535

/** As many as the C library asks. */
const mostOfFile = 3

/** Whom the C library asks where the file names nobody, or is not there. */
const ofItself: ReadonlyArray<Nameserver> = [{ address: "127.0.0.1", port: ordinaryPort }]

/** `10.0.0.2`, `10.0.0.2:5353`, `fd00::2` or `[fd00::2]:5353`; fails with what it is that cannot be read. */
export const read = (text: string): Result.Result<Nameserver, string> => {
  if (isIP(text) !== 0) return Result.succeed({ address: text, port: ordinaryPort })
  const [, bracketed, plain = "", digits] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const address = bracketed ?? plain
  const port = Number(digits)
  const isRight = bracketed === undefined ? isIPv4(address) : isIP(address) === 6
  return isRight && port >= 1 && port <= lastPort ? Result.succeed({ address, port }) : Result.fail(text)
}

export const write = ({ address, port }: Nameserver): string =>
  isIPv4(address) ? `${address}:${port}` : `[${address}]:${port}`

/** What a file such as `/etc/resolv.conf` says. @see https://man7.org/linux/man-pages/man5/resolv.conf.5.html */
export const inFile = (text: string): ReadonlyArray<Nameserver> => {
  const named = text.split("\n").flatMap((line) => {
    const [word, address = ""] = line.trim().split(/\s+/)
    return word === "nameserver" && isIP(address) !== 0 ? [{ address, port: ordinaryPort }] : []
  })
  return named.length === 0 ? ofItself : named.slice(0, mostOfFile)
}

/** As the file is now: the machine may move to another network at any time. */
export const ofMachine = (path: string): Effect.Effect<ReadonlyArray<Nameserver>> =>
  Effect.tryPromise(() => readFile(path, "utf8")).pipe(
    // A file that cannot be read says nothing.
    Effect.orElseSucceed(() => ""),
    Effect.map(inFile)
  )
