/**
 * Builds functions on this machine, with its own npm, pip and esbuild. What is built lies under a key made of everything that
 * went in, so that an unchanged function costs no more than a look at its files.
 */
import { Effect, Layer } from "effect"
import { StorageUnavailable } from "#domain/Failure"
import { BuildFailed, type BuildRequest, type BuiltFunction, FunctionBuilder } from "#services/FunctionBuilder"
import * as PieceBuild from "./PieceBuild.ts"
import { digestOf } from "./SourceTree.ts"
import type { Unbuildable } from "./Unbuildable.ts"
import * as Workshop from "./Workshop.ts"

const named =
  (logicalId: string) =>
  ({ detail }: Unbuildable) =>
    new BuildFailed({ logicalId, detail })

const build = Effect.fnUntraced(function* (workshop: Workshop.Workshop, request: BuildRequest) {
  const { code, logicalId, templateDirectory, progress } = request
  const order = { logicalId, templateDirectory, progress }
  const own = yield* (
    code._tag === "Inline"
      ? PieceBuild.inline(workshop, code.source, code.runtime)
      : PieceBuild.code(workshop, order, code)
  ).pipe(Effect.mapError(named(logicalId)))
  const layers = yield* Effect.forEach(request.layers, (layer) =>
    PieceBuild.layer(workshop, { ...order, logicalId: layer.logicalId }, layer, code.runtime).pipe(
      Effect.mapError(named(layer.logicalId))
    )
  )

  const pieces = [own, ...layers]
  const built: BuiltFunction = {
    sources: { taskDirectory: own.directory, layerDirectories: layers.map(({ directory }) => directory) },
    key: digestOf(...pieces.map(({ key }) => key)),
    inputs: [...new Set(pieces.flatMap(({ inputs }) => inputs))],
    warnings: yield* provideSdk(workshop, request, pieces).pipe(Effect.mapError(named(logicalId)))
  }
  return built
})

/** Makes sure that the AWS SDK is there for code that counts on it. */
const provideSdk = Effect.fnUntraced(function* (
  { sdk, python }: Workshop.Workshop,
  { code: { runtime }, progress }: BuildRequest,
  pieces: ReadonlyArray<Workshop.Piece>
) {
  const directories = pieces.map(({ directory }) => directory)
  if (runtime.startsWith("nodejs")) return yield* sdk.forNode(directories, progress)
  if (!runtime.startsWith("python")) return []
  const interpreter = yield* python(runtime)
  // Without an interpreter the function cannot run, which the runtime tells when it is called.
  return interpreter === undefined ? [] : yield* sdk.forPython(directories, interpreter, progress)
})

export const layer = (options: Workshop.Options): Layer.Layer<FunctionBuilder, StorageUnavailable> =>
  Layer.effect(
    FunctionBuilder,
    Workshop.open(options).pipe(
      Effect.mapError(({ detail }) => new StorageUnavailable({ detail })),
      Effect.map((workshop) => ({
        build: Effect.fn("LocalFunctionBuilder.build")((request: BuildRequest) => build(workshop, request))
      }))
    )
  )
