/** Images as archives of the OCI's layout, made of files of this machine: containerd imports them, and no registry is needed. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ImageConfig } from "#domain/ImageManifest"
import * as ImageTree from "./ImageTree.ts"
import { temporaryDirectory } from "./ProcessWorkers.ts"

export interface ImageArchive {
  readonly reference: string
  /** Of its one layer, which is also the name of the snapshot that has it. */
  readonly layer: string
  /** The archive. */
  readonly path: string
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`

const architecture = process.arch === "x64" ? "amd64" : process.arch

/** Of a directory `root` that is laid out, and goes with the process. */
export const make = (
  reference: string,
  tree: ImageTree.Tree,
  config: NonNullable<ImageConfig["config"]>
): ImageArchive => {
  const directory = mkdtempSync(join(temporaryDirectory(), "archive-"))
  const [root, layout] = [join(directory, "root"), join(directory, "layout")]
  const blobs = join(layout, "blobs/sha256")
  for (const path of [root, blobs]) mkdirSync(path, { recursive: true })
  ImageTree.layOut(root, tree)
  const put = (mediaType: string, bytes: Uint8Array) => {
    const digest = digestOf(bytes)
    writeFileSync(join(blobs, digest.slice("sha256:".length)), bytes)
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest, size: bytes.length }
  }
  const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

  const tar = join(directory, "layer.tar")
  execFileSync("tar", ["-C", root, "--owner=0", "--group=0", "--sort=name", "-cf", tar, "."])
  const layer = put("layer.v1.tar", readFileSync(tar))
  const rootfs = { type: "layers", diff_ids: [layer.digest] }
  const image = put("config.v1+json", json({ os: "linux", architecture, config, rootfs }))
  const mediaType = "application/vnd.oci.image.manifest.v1+json"
  const manifest = put("manifest.v1+json", json({ schemaVersion: 2, mediaType, config: image, layers: [layer] }))
  const named = { ...manifest, annotations: { "io.containerd.image.name": reference } }
  writeFileSync(join(layout, "index.json"), json({ schemaVersion: 2, manifests: [named] }))
  writeFileSync(join(layout, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }))
  execFileSync("tar", ["-C", layout, "-cf", tar, "."])
  const path = join(directory, "image.tar")
  renameSync(tar, path)
  for (const used of [root, layout]) rmSync(used, { recursive: true })
  return { reference, layer: layer.digest, path }
}
