/**
 * Names of images, as Docker and everybody after it writes them: `host[:port]/repository[:tag][@digest]`.
 * @see https://pkg.go.dev/github.com/distribution/reference
 */
import { Result } from "effect"
import { InvalidParameter } from "./Failure.ts"

export interface ImageReference {
  /** Host and port of the registry: `docker.io`, `127.0.0.1:5010`, `[::1]:5000`. */
  readonly host: string
  /** `library/node` */
  readonly repository: string
  readonly tag: string | undefined
  /** `sha256:<64 hex>`; it decides where there is a tag, too. */
  readonly digest: string | undefined
}

const defaultHost = "docker.io"
const officialImages = "library/"
const defaultTag = "latest"

/** Of host and repository together. */
const mostNameCharacters = 255

const hostPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/
const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/
const digestPattern = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/
const imageIdPattern = /^[a-f0-9]{64}$/

export const isDigest = (text: string): boolean => digestPattern.test(text)

/** The first part names a host only when no part of a repository could look like it. */
const looksLikeHost = (part: string): boolean => /[.:[\]A-Z]/.test(part) || part === "localhost"

const splitHost = (name: string): readonly [host: string, repository: string] => {
  const slash = name.indexOf("/")
  const first = name.slice(0, Math.max(slash, 0))
  if (slash === -1 || !looksLikeHost(first)) return [defaultHost, name]
  return [first === "index.docker.io" ? defaultHost : first, name.slice(slash + 1)]
}

/** Whether a name says which registry it is of; others are Docker's, or an engine's own. */
export const namesRegistry = (text: string): boolean => {
  const slash = text.indexOf("/")
  return slash !== -1 && looksLikeHost(text.slice(0, slash))
}

/** Whether a host is this machine, where nobody is in between. */
export const isLoopback = (host: string): boolean => /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d+)?$/i.test(host)

/** A colon behind the last slash begins a tag; one before it belongs to a port. */
const splitTag = (text: string): readonly [name: string, tag: string | undefined] => {
  const colon = text.lastIndexOf(":")
  return colon > text.lastIndexOf("/") ? [text.slice(0, colon), text.slice(colon + 1)] : [text, undefined]
}

const problemOf = ({ digest, host, repository, tag }: ImageReference): string | undefined => {
  if (!hostPattern.test(host)) return `${JSON.stringify(host)} is no host`
  if (repository !== repository.toLowerCase()) return "a repository is written in lower case"
  if (!repositoryPattern.test(repository)) return `${JSON.stringify(repository)} is no repository`
  if (`${host}/${repository}`.length > mostNameCharacters) return `it has more than ${mostNameCharacters} characters`
  if (tag !== undefined && !tagPattern.test(tag)) return `${JSON.stringify(tag)} is no tag`
  if (digest !== undefined && !digestPattern.test(digest)) return `${JSON.stringify(digest)} is no digest`
  return undefined
}

export const parse = (text: string): Result.Result<ImageReference, InvalidParameter> => {
  const at = text.indexOf("@")
  const [name, tag] = splitTag(at === -1 ? text : text.slice(0, at))
  const [host, path] = splitHost(name)
  const repository = host === defaultHost && !path.includes("/") ? `${officialImages}${path}` : path
  const reference = { host, repository, tag, digest: at === -1 ? undefined : text.slice(at + 1) }
  const problem = imageIdPattern.test(name) ? "64 hex digits name no repository" : problemOf(reference)
  return problem === undefined
    ? Result.succeed(reference)
    : Result.fail(
        new InvalidParameter({ name: "image", message: `${JSON.stringify(text)} is no image reference: ${problem}` })
      )
}

/** In full, with the host: what {@link parse} reads as the same reference. */
export const print = ({ digest, host, repository, tag }: ImageReference): string =>
  `${host}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`

/** What a registry is asked for: the digest, else the tag, else `latest`. */
export const target = ({ digest, tag }: ImageReference): string => digest ?? tag ?? defaultTag

/** The same image, whatever becomes of its tag. */
export const at = (reference: ImageReference, digest: string): ImageReference => ({ ...reference, digest })
