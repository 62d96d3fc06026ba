/**
 * Adds to package-lock.json the optional packages of other platforms that a registry mirror did not have.
 *
 * npm writes an optional dependency into the lock only when its registry knows the package, yet `npm ci` refuses a
 * lock in which one is missing. A mirror that carries only some platforms therefore yields a lock that cannot be
 * installed. Each missing entry gets the version its parent pins and the platform its name tells, so that npm skips
 * it here and fetches it where it belongs. Run it after every `npm install`; `--check` only reports, `--root DIR` looks at
 * another checkout.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Refusal, runMain } from "./parts/Refusal.mjs"
import { root as ownRoot } from "./parts/Root.mjs"

const platforms = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const architectures = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"]

/** `@oxlint/binding-linux-arm-musleabihf` runs on linux, arm, musl; a part the name does not tell is left out. */
const platformOf = (name) => {
  const words = name.split(/[-/]/)
  const os = words.find((word) => platforms.includes(word))
  const cpu = words.find((word) => architectures.includes(word))
  const libc = os === "linux" ? (/-musl/.test(name) ? "musl" : /-gnu/.test(name) ? "glibc" : undefined) : undefined
  return { ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }) }
}

/** Where npm looks for `name` when the package at `parent` asks: its own folder first, then each one above. */
const placesOf = (parent, name) => {
  const places = []
  for (let at = parent; at !== ""; at = at.slice(0, Math.max(at.lastIndexOf("/node_modules/"), 0))) {
    places.push(`${at}/node_modules/${name}`)
  }
  return [...places, `node_modules/${name}`]
}

/** The lock with its missing optional entries, and their names. The given lock is not changed. */
const mend = (lock) => {
  const packages = { ...lock.packages }
  const added = []
  for (const [parent, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (placesOf(parent, name).some((place) => place in packages)) continue
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
        throw new Error(`${name} is wanted as ${version} by ${parent}; only an exact version can be mended`)
      }
      const inherited = Object.fromEntries(["dev", "peer"].flatMap((key) => (entry[key] ? [[key, true]] : [])))
      packages[`node_modules/${name}`] = { version, ...platformOf(name), ...inherited, optional: true }
      added.push(name)
    }
  }
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  return { lock: { ...lock, packages: sorted }, added }
}

/** Entries that name the server they were fetched from: such a lock installs only where that server is reachable. */
const foreignSources = (lock) =>
  Object.entries(lock.packages).flatMap(([place, { resolved }]) =>
    resolved === undefined || resolved.startsWith("https://registry.npmjs.org/") ? [] : [`${place}: ${resolved}`]
  )

await runMain(() => {
  const at = process.argv.indexOf("--root")
  const path = join(at === -1 ? ownRoot : resolve(process.argv[at + 1] ?? "."), "package-lock.json")
  const { lock, added } = mend(JSON.parse(readFileSync(path, "utf8")))
  const foreign = foreignSources(lock)
  if (foreign.length > 0) throw new Refusal(`package-lock.json names a private registry:\n  ${foreign.join("\n  ")}`)
  if (added.length > 0 && process.argv.includes("--check")) {
    const count = `${added.length} packages of other platforms`
    throw new Refusal(`package-lock.json lacks ${count}; run \`node scripts/mend-lock.mjs\`.`)
  }
  if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(added.length === 0 ? "package-lock.json is whole" : `package-lock.json: added ${added.length} packages`)
  return 0
})
