/** Images that a real containerd fetches from a real registry: whole, once, and kept. */
import { assert, describe, it } from "@effect/vitest"
import { create, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf"
import { type Context, Effect, Fiber, Layer, References, type Scope, Stream } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdImages from "#layers/containerd/ContainerdImages"
import { type ContainerdImageSettings, defaults } from "#layers/containerd/ImageSettings"
import { Leases } from "#layers/containerd/generated/containerd/leases_pb"
import { Content, WriteAction } from "#layers/containerd/generated/containerd/content_pb"
import { Snapshots } from "#layers/containerd/generated/containerd/snapshots_pb"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { Registry } from "#services/Registry"
import * as Containerd from "#test/support/Containerd"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { eventually } from "#test/support/Eventually"
import { index, noise, push, reference, type SampleImage } from "#test/support/SampleImages"
import * as UnpackableImages from "#test/support/UnpackableImages"

type RegistryService = Context.Service.Shape<typeof Registry>
type Api = Context.Service.Shape<typeof ContainerdApi.ContainerdApi>

interface World {
  readonly peer: Containerd.Containerd
  readonly server: DockerRegistry.DockerRegistry
  readonly registry: RegistryService
  readonly api: Api
  /** What a new Agent would hold, in front of what the test puts in its way. */
  readonly images: (
    settings?: Partial<ContainerdImageSettings>,
    obstacles?: { readonly registry?: RegistryService; readonly api?: Api }
  ) => Effect.Effect<Effect.Success<ReturnType<typeof ContainerdImages.make>>, never, Scope.Scope>
}

/** That HTTP is plain is meant here, and so are pulls that fail. */
const quiet = Layer.succeed(References.MinimumLogLevel, "Error")

const worldOf =
  (series: Containerd.Series) =>
  (use: (world: World) => Effect.Effect<void, unknown, Scope.Scope>, wish: DockerRegistry.Wish = {}) =>
    Effect.gen(function* () {
      const server = yield* DockerRegistry.make(wish)
      const peer = yield* Containerd.make({ series })
      const services = Layer.merge(
        OciRegistry.layer({
          insecureHosts: new Set(wish.tls === true ? [] : [server.host]),
          credentials: new Map(wish.password === true ? [[server.host, DockerRegistry.reader]] : []),
          authorityPath: server.authorityPath,
          retryDelayMs: 5
        }),
        ContainerdApi.layer({ socketPath: peer.socket, namespace: peer.namespace })
      )
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        const api = yield* ContainerdApi.ContainerdApi
        yield* use({
          peer,
          server,
          registry,
          api,
          images: (settings, obstacles) =>
            ContainerdImages.make(settings).pipe(
              Effect.provideService(Registry, obstacles?.registry ?? registry),
              Effect.provideService(ContainerdApi.ContainerdApi, obstacles?.api ?? api)
            )
        })
      }).pipe(Effect.provide(services))
    }).pipe(Effect.provide(quiet), Effect.scoped)

const pushed = (world: World, name: string, sample: SampleImage) => {
  const to = reference(`${world.server.host}/images/${name}`)
  return push(to, sample).pipe(
    Effect.provideService(Registry, world.registry),
    Effect.as(`${world.server.host}/images/${name}`)
  )
}

/** Whatever nothing holds is gone when this returns. */
const collectGarbage = ({ api }: World) =>
  Effect.gen(function* () {
    yield* api.call(Leases.method.create, { id: "to-collect" })
    yield* api.call(Leases.method.delete, { id: "to-collect", sync: true })
  })

const leases = ({ api }: World) => Effect.map(api.call(Leases.method.list, {}), ({ leases }) => leases)
const contents = ({ api }: World) => Stream.runCollect(api.listen(Content.method.list, {}))
const snapshots = ({ api }: World) =>
  api.listen(Snapshots.method.list, { snapshotter: "overlayfs" }).pipe(
    Stream.runCollect,
    Effect.map((answers) => [...answers].flatMap(({ info }) => info))
  )

/** What containerd's own client says of it, once nothing is there that could be collected. */
const checked = (world: World, name: string) =>
  Effect.gen(function* () {
    yield* collectGarbage(world)
    const [, line = ""] = (yield* world.peer.ctr("images", "check", `name==${name}`)).split("\n")
    assert.match(line, new RegExp(`^${name} .* complete \\((\\d+)/\\1\\) .* true\\s*$`))
  })

/** A file of an image, as a container would see it. */
const fileOf = ({ peer }: World, { chainId }: { readonly chainId: string }, path: string) =>
  Effect.gen(function* () {
    const place = mkdtempSync(join(peer.directory, "mounted-"))
    yield* peer.ctr("snapshots", "prepare", place, chainId)
    execFileSync("sh", ["-c", yield* peer.ctr("snapshots", "mounts", place, place)])
    const text = readFileSync(join(place, path), "utf8")
    execFileSync("umount", [place])
    yield* peer.ctr("snapshots", "remove", place)
    return text
  })

const layers = [{ "base.txt": "base", "both.txt": "below" }, { "both.txt": "above" }]
const large = [{ "large.bin": noise("large", 6 * 1024 ** 2) }]

/** Counts what is asked of a registry, and of which byte on. */
const watched = (registry: RegistryService) => {
  const asked: Array<{ readonly digest: string; readonly heldBytes: number }> = []
  const blob: RegistryService["blob"] = (of, descriptor, heldBytes = 0) => {
    asked.push({ digest: descriptor.digest, heldBytes })
    return registry.blob(of, descriptor, heldBytes)
  }
  return { asked, registry: { ...registry, blob } }
}

for (const { name: version, needed, series } of Containerd.everyVersion("registry")) {
  const inWorld = worldOf(series)

  describe(`ContainerdImages on ${version}`, needed, () => {
    for (const [title, recipe] of [
      ["an OCI image", { layers }],
      ["a Docker image", { layers, flavour: "docker" }],
      ["an image with layers packed by zstd", { layers, compression: "zstd" }],
      ["a Docker image with layers packed by zstd", { layers, flavour: "docker", compression: "zstd" }],
      ["an image with layers as they are", { layers, compression: "none" }]
    ] as const) {
      it.live(`fetches ${title}, and keeps all of it`, () =>
        inWorld((world) =>
          Effect.gen(function* () {
            const sample = UnpackableImages.make(recipe)
            const name = yield* pushed(world, "plain:1", sample)
            const image = yield* (yield* world.images()).get(name)
            assert.strictEqual(image.name, name)
            assert.strictEqual(image.digest, sample.config.digest)
            assert.deepStrictEqual(image.config.config?.Entrypoint, ["/run"])
            yield* checked(world, name)
            assert.deepStrictEqual(yield* leases(world), [])
            assert.strictEqual(yield* fileOf(world, image, "both.txt"), "above")
            const kept = yield* snapshots(world)
            assert.strictEqual(kept.length, 2)
            assert.include(
              kept.map((snapshot) => snapshot.name),
              image.chainId
            )
          })
        )
      )
    }

    for (const flavour of ["oci", "docker"] as const) {
      it.live(`fetches what is for this machine of an image for several (${flavour})`, () =>
        inWorld((world) =>
          Effect.gen(function* () {
            const other = UnpackableImages.make({ layers: [{ "other.txt": "" }], architecture: "riscv64", flavour })
            const own = UnpackableImages.make({ layers, flavour })
            const { architecture } = defaults.platform
            const to = reference(`${world.server.host}/images/several:1`)
            yield* pushed(world, "several:other", other)
            yield* pushed(world, "several:own", own)
            yield* world.registry.putManifest(
              to,
              index(
                [
                  ["riscv64", other],
                  [architecture, own]
                ],
                flavour
              )
            )
            const name = `${world.server.host}/images/several:1`
            const image = yield* (yield* world.images()).get(name)
            assert.strictEqual(image.digest, own.config.digest)
            yield* checked(world, name)
            assert.notInclude(
              (yield* contents(world)).flatMap(({ info }) => info.map(({ digest }) => digest)),
              other.config.digest
            )
            const foreign = yield* Effect.flip((yield* world.images()).get(`${world.server.host}/images/several:other`))
            assert.strictEqual(foreign._tag, "ArtifactNotFound")
          })
        )
      )
    }

    it.live("fetches an image of whose platform its index says nothing, if it is for this machine", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          for (const [tag, architecture] of [
            ["own", defaults.platform.architecture],
            ["other", "riscv64"]
          ] as const) {
            const sample = UnpackableImages.make({ layers, architecture })
            yield* pushed(world, `silent:sole-${tag}`, sample)
            const to = reference(`${world.server.host}/images/silent:${tag}`)
            yield* world.registry.putManifest(to, index([[undefined, sample]]))
          }
          const { get } = yield* world.images()
          const name = `${world.server.host}/images/silent:own`
          yield* get(name)
          yield* checked(world, name)
          const failure = yield* Effect.flip(get(`${world.server.host}/images/silent:other`))
          assert.strictEqual(failure._tag, "ArtifactNotFound")
          assert.include(failure.message, defaults.platform.architecture)
        })
      )
    )

    it.live("fetches layers side by side, as many as it may", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const parts = ["a", "b", "c", "d", "e", "f"].map((name) => ({ [name]: noise(name, 100_000) }))
          const name = yield* pushed(world, "wide:1", UnpackableImages.make({ layers: parts }))
          let [now, most] = [0, 0]
          const blob: RegistryService["blob"] = (of, descriptor, heldBytes) =>
            Stream.unwrap(
              Effect.gen(function* () {
                if (descriptor.mediaType.includes("config")) return world.registry.blob(of, descriptor, heldBytes)
                most = Math.max(most, ++now)
                yield* Effect.addFinalizer(() => Effect.sync(() => void now--))
                yield* Effect.sleep("100 millis")
                return world.registry.blob(of, descriptor, heldBytes)
              })
            )
          const { get } = yield* world.images({ parallelLayers: 4 }, { registry: { ...world.registry, blob } })
          yield* get(name)
          assert.strictEqual(most, 4)
          yield* checked(world, name)
        })
      )
    )

    it.live("fetches from a registry that wants a password, behind a certificate of its own authority", () =>
      inWorld(
        (world) =>
          Effect.gen(function* () {
            const name = yield* pushed(world, "private:1", UnpackableImages.make({ layers }))
            yield* (yield* world.images()).get(name)
            yield* checked(world, name)
          }),
        { tls: true, password: true }
      )
    )

    it.live("fetches nothing twice for those who ask at the same time, not even what two images share", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const one = yield* pushed(
            world,
            "one:1",
            UnpackableImages.make({ layers: [...large, { "name.txt": "one" }] })
          )
          const two = yield* pushed(
            world,
            "two:1",
            UnpackableImages.make({ layers: [...large, { "name.txt": "two" }] })
          )
          const { asked, registry } = watched(world.registry)
          const { get } = yield* world.images({}, { registry })
          yield* Effect.forEach([one, two, one, two, one], get, { concurrency: "unbounded" })
          const digests = asked.map(({ digest }) => digest)
          assert.strictEqual(new Set(digests).size, 5)
          assert.strictEqual(digests.length, 5)
          assert.strictEqual(yield* fileOf(world, yield* get(one), "name.txt"), "one")
          assert.strictEqual(yield* fileOf(world, yield* get(two), "name.txt"), "two")
          assert.strictEqual((yield* snapshots(world)).length, 3)
          yield* checked(world, one)
          yield* checked(world, two)
        })
      )
    )

    it.live("goes on for the others when the first of those who asked has gone", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const name = yield* pushed(world, "left:1", UnpackableImages.make({ layers: large }))
          const { get } = yield* world.images()
          const first = yield* Effect.forkChild(get(name))
          const second = yield* Effect.forkChild(get(name))
          yield* eventually("a lease", leases(world), (seen) => seen.length > 0)
          yield* Fiber.interrupt(first)
          assert.strictEqual((yield* Fiber.join(second)).name, name)
          yield* checked(world, name)
        })
      )
    )

    it.live("goes on where a fetch was broken off, although garbage was collected since", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const sample = UnpackableImages.make({ layers: large })
          const name = yield* pushed(world, "resumed:1", sample)
          const stuck: RegistryService["blob"] = (of, descriptor, heldBytes) =>
            descriptor.size < 1024 ** 2
              ? world.registry.blob(of, descriptor, heldBytes)
              : Stream.concat(
                  Stream.take(Stream.rechunk(world.registry.blob(of, descriptor, heldBytes), 1), 60),
                  Stream.never
                )
          const digest = sample.layers[0]?.digest ?? ""
          const written = world.api.call(Content.method.status, { ref: digest }).pipe(
            Effect.map(({ status }) => Number(status?.offset ?? 0n)),
            Effect.orElseSucceed(() => 0)
          )
          const before = yield* world.images({}, { registry: { ...world.registry, blob: stuck } })
          const fetching = yield* Effect.forkChild(before.get(name))
          const half = yield* eventually("a part", written, (bytes) => bytes > 0)
          yield* Fiber.interrupt(fetching)
          assert.deepStrictEqual(yield* leases(world), [])
          yield* collectGarbage(world)
          const { asked, registry } = watched(world.registry)
          yield* (yield* world.images({}, { registry })).get(name)
          const again = asked.find((blob) => blob.digest === digest)
          assert.isAtLeast(again?.heldBytes ?? 0, half)
          yield* checked(world, name)
        })
      )
    )

    it.live("begins anew when what was broken off had been something else", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const sample = UnpackableImages.make({ layers: large })
          const name = yield* pushed(world, "spoilt:1", sample)
          const digest = sample.layers[0]?.digest ?? ""
          const spoilt: RegistryService["blob"] = (of, descriptor, heldBytes) =>
            descriptor.digest === digest
              ? Stream.concat(Stream.make(noise("spoilt", 2 * 1024 ** 2)), Stream.never)
              : world.registry.blob(of, descriptor, heldBytes)
          const before = yield* world.images({}, { registry: { ...world.registry, blob: spoilt } })
          const fetching = yield* Effect.forkChild(before.get(name))
          const written = world.api.call(Content.method.status, { ref: digest }).pipe(
            Effect.map(({ status }) => Number(status?.offset ?? 0n)),
            Effect.orElseSucceed(() => 0)
          )
          yield* eventually("a part", written, (bytes) => bytes === 2 * 1024 ** 2)
          yield* Fiber.interrupt(fetching)
          const { asked, registry } = watched(world.registry)
          yield* (yield* world.images({}, { registry })).get(name)
          const begun = asked.filter((blob) => blob.digest === digest).map(({ heldBytes }) => heldBytes)
          assert.deepStrictEqual(begun, [2 * 1024 ** 2, 0])
          yield* checked(world, name)
        })
      )
    )

    it.live("waits until whoever writes the same content lets go of it", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const sample = UnpackableImages.make({ layers: large })
          const name = yield* pushed(world, "locked:1", sample)
          const [layer] = sample.layers
          assert.isDefined(layer)
          const { get } = yield* world.images()
          const fetching = yield* Effect.scoped(
            Effect.gen(function* () {
              const ask = yield* world.api.converse(Content.method.write)
              yield* ask({
                action: WriteAction.STAT,
                ref: layer.digest,
                total: BigInt(layer.size),
                expected: layer.digest
              })
              const started = yield* Effect.forkChild(get(name))
              yield* eventually("a lease", leases(world), (seen) => seen.length > 0)
              yield* Effect.sleep("400 millis")
              assert.isUndefined(started.pollUnsafe())
              return started
            })
          )
          yield* Fiber.join(fetching)
          yield* checked(world, name)
        })
      )
    )

    it.live("fails when containerd dies on the way, and goes on when it is back", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const sample = UnpackableImages.make({ layers: large })
          const name = yield* pushed(world, "died:1", sample)
          const stuck: RegistryService["blob"] = (of, descriptor, heldBytes) =>
            descriptor.size < 1024 ** 2
              ? world.registry.blob(of, descriptor, heldBytes)
              : Stream.concat(Stream.take(world.registry.blob(of, descriptor, heldBytes), 20), Stream.never)
          const before = yield* world.images({ pullLimitMs: 2_000 }, { registry: { ...world.registry, blob: stuck } })
          const fetching = yield* Effect.forkChild(before.get(name))
          yield* eventually("a lease", leases(world), (seen) => seen.length > 0)
          yield* world.peer.stop
          const failure = yield* Effect.flip(Fiber.join(fetching))
          assert.strictEqual(failure._tag, "RuntimeUnavailable")
          yield* world.peer.start
          yield* (yield* world.images()).get(name)
          yield* checked(world, name)
        })
      )
    )

    it.live("takes no layer that is not what the image says of it, and keeps nothing of it", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const name = yield* pushed(world, "lying:1", UnpackableImages.make({ layers, lies: true }))
          const failure = yield* Effect.flip((yield* world.images()).get(name))
          assert.strictEqual(failure._tag, "RuntimeUnavailable")
          assert.include(failure.message, name)
          yield* collectGarbage(world)
          assert.deepStrictEqual(yield* snapshots(world), [])
          assert.deepStrictEqual([...(yield* contents(world))], [])
        })
      )
    )

    it.live("leaves nothing but a lease that expires when it is killed", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const name = yield* pushed(world, "killed:1", UnpackableImages.make({ layers: [...layers, ...large] }))
          // Whoever is killed deletes and removes nothing.
          const call: Api["call"] = <M extends DescMethodUnary>(
            method: M,
            fields: MessageInitShape<M["input"]>,
            options?: ContainerdApi.CallOptions
          ) =>
            method.name === "Delete" || method.name === "Remove"
              ? Effect.sync(() => create<M["output"]>(method.output))
              : world.api.call(method, fields, options)
          const stuck: RegistryService["blob"] = (of, descriptor, heldBytes) =>
            descriptor.size < 1024 ** 2 ? world.registry.blob(of, descriptor, heldBytes) : Stream.never
          const { get } = yield* world.images(
            { pullLimitMs: 1_000_000 },
            { api: { ...world.api, call }, registry: { ...world.registry, blob: stuck } }
          )
          const fetching = yield* Effect.forkChild(get(name))
          yield* eventually(
            "two layers",
            snapshots(world),
            (seen) => seen.filter(({ kind }) => kind === 3).length === 2
          )
          yield* Fiber.interrupt(fetching)
          yield* collectGarbage(world)
          assert.strictEqual((yield* snapshots(world)).length, 2)
          const left = yield* leases(world)
          const untilMs = Date.parse(left[0]?.labels["containerd.io/gc.expire"] ?? "")
          assert.isAbove(untilMs, Date.now())
          assert.isBelow(untilMs, Date.now() + 1_100_000)
          // What time does to them.
          for (const { id } of left) yield* world.api.call(Leases.method.delete, { id })
          yield* collectGarbage(world)
          assert.deepStrictEqual(yield* snapshots(world), [])
          assert.deepStrictEqual([...(yield* contents(world))], [])
        })
      )
    )
  })

  describe(`The pull policy of ContainerdImages on ${version}`, needed, () => {
    it.live("never: takes what is here, fetches nothing, and unpacks what nobody has", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const name = yield* pushed(world, "local:1", UnpackableImages.make({ layers }))
          const { get } = yield* world.images({ pullPolicy: "never" })
          assert.strictEqual((yield* Effect.flip(get(name)))._tag, "ArtifactNotFound")
          yield* world.peer.ctr("content", "fetch", "--plain-http", name)
          yield* world.peer.ctr("images", "list")
          assert.deepStrictEqual(yield* snapshots(world), [])
          yield* world.server.stop
          assert.strictEqual((yield* get(name)).name, name)
          yield* checked(world, name)
        })
      )
    )

    it.live("if-not-present: asks no registry for what is here", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const name = yield* pushed(world, "present:1", UnpackableImages.make({ layers }))
          const image = yield* (yield* world.images()).get(name)
          yield* world.server.stop
          const { get } = yield* world.images()
          assert.deepStrictEqual(yield* get(name), image)
          assert.deepStrictEqual(yield* get(name), image)
          const failure = yield* Effect.flip(get(`${world.server.host}/images/absent:1`))
          assert.strictEqual(failure._tag, "RuntimeUnavailable")
        })
      )
    )

    it.live("if-not-present: says that there is no such image where the registry has none", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const { get } = yield* world.images()
          for (const name of [`${world.server.host}/images/none:1`, "Not A Name"]) {
            assert.strictEqual((yield* Effect.flip(get(name)))._tag, "ArtifactNotFound")
          }
        })
      )
    )

    it.live("always: takes what the tag stands for now, and what is here while the registry is away", () =>
      inWorld((world) =>
        Effect.gen(function* () {
          const first = UnpackableImages.make({ layers })
          const second = UnpackableImages.make({ layers: [...layers, { "second.txt": "second" }] })
          const name = yield* pushed(world, "moving:1", first)
          const { get } = yield* world.images({ pullPolicy: "always" })
          assert.strictEqual((yield* get(name)).digest, first.config.digest)
          yield* pushed(world, "moving:1", second)
          assert.strictEqual((yield* get(name)).digest, second.config.digest)
          yield* checked(world, name)
          yield* world.server.stop
          assert.strictEqual((yield* get(name)).digest, second.config.digest)
        })
      )
    )
  })
}
