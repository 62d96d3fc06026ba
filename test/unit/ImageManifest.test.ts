import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ImageManifest from "#domain/ImageManifest"

const digest = `sha256:${"0".repeat(64)}`
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

const [dockerManifest, ociManifest] = ImageManifest.mediaTypes.manifest
const [dockerIndex, ociIndex] = ImageManifest.mediaTypes.index

const part = { mediaType: "application/octet-stream", digest, size: 1 }
const manifest = { schemaVersion: 2, config: part, layers: [part], annotations: { any: "thing" } }
const index = {
  schemaVersion: 2,
  manifests: [
    { ...part, platform: { os: "linux", architecture: "amd64" } },
    { ...part, size: 2, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    { ...part, size: 3, platform: { os: "linux", architecture: "arm", variant: "v6" } },
    { ...part, size: 4, platform: { os: "unknown", architecture: "unknown" } }
  ]
}

describe("ImageManifest", () => {
  it("reads Docker's spelling and OCI's", () => {
    for (const type of [dockerManifest, ociManifest]) {
      assert.strictEqual(Result.getOrThrow(ImageManifest.read(type, bytes(manifest))).kind, "manifest")
      const told = { ...manifest, mediaType: type }
      assert.strictEqual(Result.getOrThrow(ImageManifest.read(type, bytes(told))).kind, "manifest")
    }
    for (const type of [dockerIndex, ociIndex]) {
      assert.strictEqual(Result.getOrThrow(ImageManifest.read(type, bytes(index))).kind, "index")
    }
  })

  it("refuses one kind under the name of the other, and what is neither", () => {
    const cases: ReadonlyArray<readonly [string, unknown]> = [
      [ociManifest, index],
      [ociIndex, manifest],
      [ociManifest, { ...manifest, mediaType: ociIndex }],
      [ociManifest, { ...manifest, schemaVersion: 1 }],
      [ociManifest, { ...manifest, config: { ...part, digest: "sha256:../.." } }],
      [ociManifest, { ...manifest, layers: [{ ...part, size: -1 }] }],
      [ociManifest, []],
      ["application/vnd.docker.distribution.manifest.v1+prettyjws", manifest],
      ["text/html", manifest]
    ]
    for (const [type, value] of cases) assert.isTrue(Result.isFailure(ImageManifest.read(type, bytes(value))))
    assert.isTrue(Result.isFailure(ImageManifest.read(ociManifest, new TextEncoder().encode("{"))))
  })

  it("finds the manifest of a platform, a missing variant meaning the usual one", () => {
    const content = Result.getOrThrow(ImageManifest.read(ociIndex, bytes(index)))
    if (content.kind !== "index") return assert.fail("no index")
    const sizeFor = (architecture: string, variant?: string) =>
      ImageManifest.choose(content.value, { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) })
        ?.size
    assert.strictEqual(sizeFor("amd64"), 1)
    assert.strictEqual(sizeFor("arm64"), 2)
    assert.strictEqual(sizeFor("arm64", "v8"), 2)
    assert.strictEqual(sizeFor("arm", "v6"), 3)
    assert.isUndefined(sizeFor("arm"), "v7 is meant")
    assert.isUndefined(sizeFor("riscv64"))
  })

  it("takes a manifest that an index says nothing of where none is said to be for the platform", () => {
    const silent = { ...index, manifests: [{ ...part, size: 9 }, ...index.manifests] }
    const content = Result.getOrThrow(ImageManifest.read(ociIndex, bytes(silent)))
    if (content.kind !== "index") return assert.fail("no index")
    const sizeFor = (architecture: string) => ImageManifest.choose(content.value, { os: "linux", architecture })?.size
    assert.strictEqual(sizeFor("amd64"), 1)
    assert.strictEqual(sizeFor("riscv64"), 9)
  })

  it("reads a configuration as Docker writes it, with null for what is not set", () => {
    const value = { os: "linux", architecture: "amd64", config: { Entrypoint: null, Cmd: ["a"], Labels: null }, x: 1 }
    const config = Result.getOrThrow(ImageManifest.readConfig(bytes(value)))
    assert.deepStrictEqual(config.config?.Cmd, ["a"])
    assert.isNull(config.config?.Entrypoint)
  })
})
