/**
 * What is deployed, in two files that are watched. A file may be written in place or replaced by a rename; what counts is
 * its content, so that two writes within one second are two changes. When either file is broken or gone, all of the last
 * good state stays and the log says so once.
 */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { type Duration, Effect, Layer, Queue, Result, SubscriptionRef } from "effect"
import * as CatalogSnapshot from "#domain/CatalogSnapshot"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec, Scaling } from "#domain/FunctionSpec"
import * as Manifest from "#domain/Manifest"
import { substitute } from "#domain/ManifestVariables"
import type { Route } from "#domain/Route"
import { FunctionCatalog } from "#services/FunctionCatalog"
import * as DirectoryWatch from "./DirectoryWatch.ts"
import * as ManifestText from "./ManifestText.ts"

export interface Options {
  readonly functionsPath: string
  readonly routingPath: string
  /** Written into the ARN of a function that is not there. */
  readonly region: string
  /** `false`: the files are read once. */
  readonly watch: boolean
  /** How often the files are looked at when the system reports no change. */
  readonly pollInterval: Duration.Duration
  /** What a function gets that says nothing. */
  readonly defaults: Scaling
  /** The image of a function that names none. */
  readonly image?: ((name: FunctionName) => string) | undefined
  /** Values of `$NAME` in `functions.yml`. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** A last objection to files that are well formed. */
  readonly validate?:
    | ((functions: ReadonlyArray<FunctionSpec>, routes: ReadonlyArray<Route>) => ReadonlyArray<string>)
    | undefined
}

/** How long both files must stay as they are before they are believed: a writer may be half way through. */
const settleMs = 4

/** After so many rounds the files are taken as they are; whoever writes that often is never done. */
const settleRounds = 25

const textOf = (path: string): Effect.Effect<string | undefined, string> =>
  Effect.tryPromise({
    try: () =>
      readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) =>
        cause.code === "ENOENT" ? undefined : Promise.reject(cause)
      ),
    catch: (cause) => `${basename(path)}: ${cause instanceof Error ? cause.message : String(cause)}`
  })

const isSame = (left: ManifestText.Texts, right: ManifestText.Texts): boolean =>
  left.functions === right.functions && left.routing === right.routing

/** Both files as they stood at one moment. */
const readTexts = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<ManifestText.Texts, string> {
  const once = Effect.all({ functions: textOf(options.functionsPath), routing: textOf(options.routingPath) })
  let before: ManifestText.Texts = yield* once
  for (let round = 0; round < settleRounds; round++) {
    const after: ManifestText.Texts = yield* Effect.delay(once, settleMs)
    if (isSame(before, after)) {
      return after
    }
    before = after
  }
  return before
})

/** What two texts say, or everything that is wrong with them. */
const understand = (
  texts: ManifestText.Texts,
  options: Options
): Result.Result<CatalogSnapshot.CatalogSnapshot, ReadonlyArray<ManifestText.Complaint>> => {
  const functions = ManifestText.read({
    path: options.functionsPath,
    text: substitute(texts.functions ?? "", { LOG_LEVEL: "INFO", ...options.variables }),
    decode: (value) => Manifest.decodeFunctions(value, { scaling: options.defaults, image: options.image })
  })
  const routes = ManifestText.read({
    path: options.routingPath,
    text: texts.routing ?? "",
    decode: Manifest.decodeRoutes
  })
  if (Result.isFailure(functions) || Result.isFailure(routes)) {
    return Result.fail([
      ...(Result.isFailure(functions) ? functions.failure : []),
      ...(Result.isFailure(routes) ? routes.failure : [])
    ])
  }
  const objections = options.validate?.(functions.success, routes.success) ?? []
  return objections.length > 0
    ? Result.fail(objections)
    : Result.succeed(CatalogSnapshot.make(functions.success, routes.success, ManifestText.revisionOf(texts)))
}

/** Looks at the files, and deploys what they say when it is something new. Tells what is wrong with them, but only once. */
const makeReload = (options: Options, deploy: (snapshot: CatalogSnapshot.CatalogSnapshot) => Effect.Effect<void>) => {
  let seen: ManifestText.Texts = { functions: undefined, routing: undefined }
  /** What is wrong with the texts that were seen last. */
  let objections: ReadonlyArray<string> = []
  let told = ""

  /** When nothing is wrong any more, the same thing is news again. */
  const tell = (complaints: ReadonlyArray<string>) => {
    const news = complaints.join("\n")
    const isOld = news === told
    told = news
    return isOld || news === ""
      ? Effect.void
      : Effect.logError(`The configuration cannot be used; what was deployed before stays in place.\n${news}`)
  }

  const adopt = Effect.fnUntraced(function* (texts: ManifestText.Texts) {
    seen = texts
    const understood = understand(texts, options)
    objections = Result.isFailure(understood) ? understood.failure : []
    if (Result.isSuccess(understood)) {
      const { functions, routes } = understood.success
      yield* deploy(understood.success)
      yield* Effect.logInfo(`Deployed: ${functions.size} functions, ${routes.routes.length} routes`)
    }
  })

  return Effect.gen(function* () {
    const texts = yield* readTexts(options)
    const gone = [
      ...(texts.functions === undefined && seen.functions !== undefined ? [options.functionsPath] : []),
      ...(texts.routing === undefined && seen.routing !== undefined ? [options.routingPath] : [])
    ]
    if (gone.length > 0) {
      return gone.map((path) => `${basename(path)} is gone`)
    }
    if (!isSame(texts, seen)) {
      yield* adopt(texts)
    }
    return objections
  }).pipe(
    Effect.catch((complaint) => Effect.succeed([complaint])),
    Effect.flatMap(tell)
  )
}

export const layer = (options: Options): Layer.Layer<FunctionCatalog> =>
  Layer.effect(
    FunctionCatalog,
    Effect.gen(function* () {
      // Changes come at the pace of people and are few, so that what a slow reader has yet to see may wait for it.
      const state = yield* SubscriptionRef.make(CatalogSnapshot.make([], []))
      const current = () => SubscriptionRef.getUnsafe(state)
      const reload = makeReload(options, (snapshot) => SubscriptionRef.set(state, snapshot))

      yield* reload
      if (options.watch) {
        const nudges = yield* Queue.sliding<void>(1)
        const paths = [options.functionsPath, options.routingPath]
        const watching = yield* DirectoryWatch.make(paths, () => void Queue.offerUnsafe(nudges, undefined))
        yield* watching.refresh.pipe(
          Effect.andThen(reload),
          // A defect costs one look at the files, not all further ones.
          Effect.catchDefect((defect) => Effect.logError("The configuration could not be looked at", defect)),
          Effect.andThen(Effect.timeoutOption(Queue.take(nudges), options.pollInterval)),
          Effect.forever,
          Effect.forkScoped
        )
      }
      return FunctionCatalog.of({
        find: (name, qualifier) => Effect.fromResult(CatalogSnapshot.find(current(), options.region, name, qualifier)),
        current,
        changes: SubscriptionRef.changes(state)
      })
    })
  )
