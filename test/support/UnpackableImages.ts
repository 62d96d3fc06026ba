/** Images with layers that are what they say, and no more in them than a test looks at. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { Result } from "effect"
import { type Descriptor, mediaTypes, read } from "#domain/ImageManifest"
import { type SampleImage, sha256 } from "./SampleImages.ts"

/** Texts, by their paths in the image; those of a later layer lie over those of an earlier. */
export type Files = Readonly<Record<string, string | Uint8Array>>

export interface Recipe {
  readonly layers: ReadonlyArray<Files>
  readonly architecture?: string
  /** Whose media types. */
  readonly flavour?: "oci" | "docker"
  readonly compression?: keyof typeof packers
  /** A layer that is not what the configuration says of it. */
  readonly lies?: boolean
}

const archive = (files: Files): Buffer => {
  const root = mkdtempSync(join(tmpdir(), "esb-layer-"))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  const same = ["--owner=0", "--group=0", "--sort=name", "--mtime=@0"]
  const tar = execFileSync("tar", ["--create", ...same, "--directory", root, "."], { maxBuffer: 64 * 1024 ** 2 })
  rmSync(root, { recursive: true })
  return tar
}

/** How layers are sent. */
const packers = { none: (tar: Buffer) => tar, gzip: gzipSync, zstd: zstdCompressSync }

const types = {
  docker: {
    manifest: mediaTypes.manifest[0],
    config: "application/vnd.docker.container.image.v1+json",
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd"
  },
  oci: {
    manifest: mediaTypes.manifest[1],
    config: "application/vnd.oci.image.config.v1+json",
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd"
  }
}

const described = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.length
})

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

export const make = ({
  architecture = process.arch === "x64" ? "amd64" : process.arch,
  compression = "gzip",
  flavour = "oci",
  layers,
  lies = false
}: Recipe): SampleImage => {
  const named = types[flavour]
  const archives = layers.map(archive)
  const packed = archives.map((tar) => packers[compression](tar))
  const descriptors = packed.map((bytes) => described(named[compression], bytes))
  const configBytes = json({
    os: "linux",
    architecture,
    config: { Entrypoint: ["/run"], Env: ["NAME=value"] },
    rootfs: { type: "layers", diff_ids: archives.map((tar) => sha256(lies ? Buffer.from("another") : tar)) }
  })
  const config = described(named.config, configBytes)
  const bytes = json({ schemaVersion: 2, mediaType: named.manifest, config, layers: descriptors })
  return {
    manifest: Result.getOrThrow(read(named.manifest, bytes)),
    digest: sha256(bytes),
    config,
    layers: descriptors,
    blobs: [[config, configBytes], ...packed.map((blob, at) => [descriptors[at] ?? config, blob] as const)]
  }
}
