/**
 * Reads zip archives by their central directory, which alone knows execute bits and links.
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { chmod, mkdir, open, type FileHandle, symlink, writeFile } from "node:fs/promises"
import { dirname, isAbsolute, join, normalize, sep } from "node:path"
import { promisify } from "node:util"
import { crc32, inflateRaw } from "node:zlib"

/** Bytes of everything unpacked; AWS allows a quarter of it. */
const largestTotal = 1024 ** 3
const largestEntry = 200 * 1024 ** 2
const mostEntries = 100_000
/** The end record and the longest comment behind it. */
const endSearch = 22 + 65_535

const endSignature = 0x06054b50
const centralSignature = 0x02014b50
const localSignature = 0x04034b50

interface Entry {
  readonly path: string
  readonly kind: "file" | "directory" | "link"
  readonly isExecutable: boolean
  readonly method: number
  readonly crc: number
  readonly compressedSize: number
  readonly size: number
  readonly offset: number
}

const inflate = promisify(inflateRaw)

const read = async (file: FileHandle, position: number, length: number): Promise<Buffer> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  if (bytesRead < length) throw new Error("it ends too early")
  return buffer
}

/** The central directory: where it starts and how many entries it has. */
const findDirectory = async (file: FileHandle, size: number) => {
  const tail = await read(file, Math.max(0, size - endSearch), Math.min(size, endSearch))
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endSignature) continue
    const [count, length, offset] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
    if (count === 0xffff || offset === 0xffffffff) throw new Error("it is a ZIP64 archive, which is not supported")
    return { count, length, offset }
  }
  throw new Error("it is not a zip archive")
}

const symbolicLink = 0o120000
const kindMask = 0o170000

const entryAt = (central: Buffer, at: number): { readonly entry: Entry; readonly next: number } => {
  if (central.length < at + 46 || central.readUInt32LE(at) !== centralSignature)
    throw new Error("its directory is damaged")
  const nameLength = central.readUInt16LE(at + 28)
  const next = at + 46 + nameLength + central.readUInt16LE(at + 30) + central.readUInt16LE(at + 32)
  if ((central.readUInt16LE(at + 8) & 1) !== 0) throw new Error("it is encrypted")
  const path = central.toString("utf8", at + 46, at + 46 + nameLength)
  // The upper half of the external attributes is the mode where a Unix made the archive, and 0 elsewhere.
  const mode = central.readUInt16LE(at + 40)
  return {
    next,
    entry: {
      path,
      kind: path.endsWith("/") ? "directory" : (mode & kindMask) === symbolicLink ? "link" : "file",
      isExecutable: (mode & 0o111) !== 0,
      method: central.readUInt16LE(at + 10),
      crc: central.readUInt32LE(at + 16),
      compressedSize: central.readUInt32LE(at + 20),
      size: central.readUInt32LE(at + 24),
      offset: central.readUInt32LE(at + 42)
    }
  }
}

const contentOf = async (file: FileHandle, entry: Entry): Promise<Buffer> => {
  if (entry.size > largestEntry) throw new Error(`${entry.path} has more than ${largestEntry} bytes`)
  const header = await read(file, entry.offset, 30)
  if (header.readUInt32LE(0) !== localSignature) throw new Error(`${entry.path} is damaged`)
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  const packed = await read(file, start, entry.compressedSize)
  if (entry.method !== 0 && entry.method !== 8) throw new Error(`${entry.path} is packed by method ${entry.method}`)
  const content = entry.method === 0 ? packed : await inflate(packed, { maxOutputLength: Math.max(1, entry.size) })
  if (content.length !== entry.size || crc32(content) !== entry.crc) throw new Error(`${entry.path} is damaged`)
  return content
}

/** The place of an entry under `root`; a name that would lead elsewhere is refused. */
const placeOf = (root: string, path: string): string => {
  const place = normalize(path)
  const escapes = path.includes("\\") || path.includes("\0") || isAbsolute(place) || place.split(sep).includes("..")
  if (escapes) throw new Error(`${JSON.stringify(path)} leads out of it`)
  return join(root, place)
}

/**
 * Unpacks into `root`. Rejects, with what is wrong as the message, at an archive that is damaged, encrypted or too large,
 * and at an entry or a link that leads out of `root`.
 */
export const extract = async (archive: string, root: string): Promise<void> => {
  const file = await open(archive)
  try {
    const { count, length, offset } = await findDirectory(file, (await file.stat()).size)
    if (count > mostEntries) throw new Error(`it has more than ${mostEntries} entries`)
    const central = await read(file, offset, length)
    const links: Array<readonly [path: string, target: string]> = []
    let total = 0
    for (let seen = 0, at = 0; seen < count; seen++) {
      const { entry, next } = entryAt(central, at)
      at = next
      const place = placeOf(root, entry.path)
      total += entry.size
      if (total > largestTotal) throw new Error(`it unpacks to more than ${largestTotal} bytes`)
      await mkdir(entry.kind === "directory" ? place : dirname(place), { recursive: true })
      if (entry.kind === "directory") continue
      const content = await contentOf(file, entry)
      if (entry.kind === "link") {
        const target = content.toString("utf8")
        placeOf(root, isAbsolute(target) ? target : join(dirname(entry.path), target))
        links.push([place, target])
        continue
      }
      await writeFile(place, content, { flag: "wx" })
      await chmod(place, entry.isExecutable ? 0o755 : 0o644)
    }
    // Last, so that no entry is written through one.
    for (const [place, target] of links) await symlink(target, place)
  } finally {
    await file.close()
  }
}
