/**
 * Registries over HTTP, as the OCI distribution specification has it. A registry that is away, busy or cut off is asked again as
 * far as that does no harm; one that sends something else than it announced is not believed.
 */
import { Effect, Layer, Option, Result, Stream } from "effect"
import { Buffer } from "node:buffer"
import { ImageNotFound, RegistryUnavailable } from "#domain/Failure"
import { choose, type Content, isSamePlatform, type Platform, printPlatform, readConfig } from "#domain/ImageManifest"
import { at, type ImageReference, print } from "#domain/ImageReference"
import { Registry } from "#services/Registry"
import type { AuthorityUnreadable } from "./AuthorityUnreadable.ts"
import * as BlobDownload from "./BlobDownload.ts"
import * as BlobUpload from "./BlobUpload.ts"
import * as Manifests from "./Manifests.ts"
import * as Mirror from "./Mirror.ts"
import * as RegistryCall from "./RegistryCall.ts"
import * as RegistryHttp from "./RegistryHttp.ts"
import { defaults, type RegistrySettings } from "./RegistrySettings.ts"

type Found = Content & { readonly digest: string }

export const layer = (given: Partial<RegistrySettings> = {}): Layer.Layer<Registry, AuthorityUnreadable> =>
  Layer.effect(
    Registry,
    Effect.gen(function* () {
      const settings: RegistrySettings = { ...defaults, ...given }
      const calls = yield* RegistryCall.make(settings, yield* RegistryHttp.make(settings))
      const manifests = Manifests.make(settings, calls)
      const download = BlobDownload.make(settings, calls)
      const upload = BlobUpload.make(settings, calls)

      const noSuchPlatform = (reference: ImageReference, platform: Platform) =>
        new ImageNotFound({ reference: print(reference), platform: printPlatform(platform) })

      const configOf = Effect.fnUntraced(function* (reference: ImageReference, content: Content) {
        const { host: registry } = reference
        const unusable = (detail: string) =>
          new RegistryUnavailable({ registry, detail: `configuration of ${print(reference)}: ${detail}` })
        if (content.kind === "index") return yield* unusable("an index has none")
        const { config } = content.value
        if (config.size > settings.configLimitBytes) {
          return yield* unusable(`${config.size} bytes are more than ${settings.configLimitBytes}`)
        }
        const pieces = yield* Stream.runCollect(download(reference, config))
        const read = readConfig(Buffer.concat([...pieces]))
        return Result.isSuccess(read) ? read.success : yield* unusable(read.failure)
      })

      /** The manifest for a platform, and its configuration: only that tells the platform of an image that has no index. */
      const forPlatform = Effect.fnUntraced(function* (reference: ImageReference, platform: Platform) {
        let found: Found = yield* manifests.get(reference)
        let isChosen = false
        for (let depth = 0; found.kind === "index"; depth++) {
          const chosen = choose(found.value, platform)
          if (chosen === undefined || depth === settings.nestingLimit) return yield* noSuchPlatform(reference, platform)
          found = yield* manifests.get(at(reference, chosen.digest))
          isChosen = chosen.platform !== undefined
        }
        const config = yield* configOf(reference, found)
        const { architecture = platform.architecture, os = platform.os, variant = platform.variant } = config
        const told = { os, architecture, ...(variant === undefined ? {} : { variant }) }
        if (!isChosen && !isSamePlatform(told, platform)) return yield* noSuchPlatform(reference, platform)
        return { found, config }
      })

      return {
        ping: Effect.fnUntraced(function* (host) {
          const answer = yield* calls.ask({ access: { host }, method: "GET", to: "/v2/", isRepeatable: true })
          if (answer.status !== 200) return yield* yield* calls.unexpected(host, answer)
        }, Effect.scoped),
        has: (reference) => Effect.map(manifests.head(reference), Option.isSome),
        resolve: Effect.fnUntraced(function* (reference, platform) {
          if (platform !== undefined) {
            const { found } = yield* forPlatform(reference, platform)
            return { mediaType: found.mediaType, digest: found.digest, size: found.bytes.length, platform }
          }
          const head = yield* manifests.head(reference)
          return Option.isSome(head) ? head.value : yield* new ImageNotFound({ reference: print(reference) })
        }),
        manifest: (reference) => manifests.get(reference),
        config: (reference, platform) => Effect.map(forPlatform(reference, platform), ({ config }) => config),
        blob: download,
        hasBlob: upload.has,
        putBlob: (reference, descriptor, content) => upload.put(reference, descriptor, content),
        putManifest: manifests.put,
        mirror: Mirror.make(settings, { manifests, download, upload })
      }
    })
  )
