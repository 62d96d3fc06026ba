/** Who may know whom. The reason of each rule is the message a contributor reads. */

/** `src/layers/runtime-api/Door.ts` lives in the room `layers/runtime-api`, `src/programs/Setting.ts` in `programs`. */
const roomOf = (path) => /^src\/((?:layers|programs)\/[^/]+(?=\/)|[^/]+(?=\/))/.exec(path)?.[1]

/** Effect without a platform: the root, its modules, and the parts that only compute. */
const isPureEffect = (name) => /^effect(\/[A-Z]\w*|\/(schema|encoding)(\/\w+)*)?$/.test(name)

/** Modules of the root that stand for a machine. */
const platformNames = ["FileSystem", "Path", "Terminal", "Stdio", "Console"]

const touchesPlatform = ({ name, names }) =>
  name !== undefined &&
  (!isPureEffect(name) ||
    platformNames.some((each) => name === `effect/${each}` || (name === "effect" && names.includes(each))))

const rooms = (pattern) => (room) => room !== undefined && pattern.test(room)
const inDomain = rooms(/^domain$/)
const inServices = rooms(/^services$/)
const inLayers = rooms(/^layers(\/|$)/)
const inPrograms = rooms(/^programs(\/|$)/)

/** Runs inside the worker, next to the user's code. */
const isRuntimeClient = (path) => path.startsWith("src/layers/process/clients/")

/** Each rule looks at one import: `from` and `to` are rooms (`to` is undefined outside of `src`), `path` is the importer. */
const rules = [
  {
    reason: "domain holds values and failures; move the caller up instead",
    breaks: ({ from, to }) => inDomain(from) && to !== undefined && !inDomain(to)
  },
  {
    reason: "domain runs anywhere: effect only, no node:*, no drivers, no part of effect that stands for a machine",
    breaks: ({ from, request }) => inDomain(from) && touchesPlatform(request)
  },
  {
    reason: "a service file names a capability and its failures; implementations live in layers",
    breaks: ({ from, to }) => inServices(from) && to !== undefined && !inDomain(to) && !inServices(to)
  },
  {
    reason: "a service promises no technology: effect and domain only, no node:*, no drivers",
    breaks: ({ from, request }) => inServices(from) && request.name !== undefined && !isPureEffect(request.name)
  },
  {
    reason: "layers are assembled by programs, never the reverse",
    breaks: ({ from, to }) => inLayers(from) && inPrograms(to)
  },
  {
    reason: "two layer folders meet through a service",
    breaks: ({ from, to }) => inLayers(from) && inLayers(to) && from !== to
  },
  {
    reason: "one process does not import another; share through layers or domain",
    breaks: ({ from, to }) => inPrograms(from) && inPrograms(to) && from !== to && to !== "programs"
  },
  {
    reason: "a runtime client runs beside the user's code: Node's own modules and its own folder only",
    breaks: ({ path, request }) =>
      isRuntimeClient(path) &&
      request.specifier !== undefined &&
      (request.to === undefined ? !request.name.startsWith("node:") : !isRuntimeClient(request.to))
  },
  {
    reason: "src knows no test, bench or script",
    breaks: ({ request }) => request.to !== undefined && !request.to.startsWith("src/")
  },
  {
    reason: "no file is there; write the whole path with its extension",
    breaks: ({ request }) => request.lost
  },
  {
    // A runtime client imports the user's code, which only running can name.
    reason: "an import whose target only running tells cannot be checked; write the path as a literal",
    breaks: ({ path, request }) => request.specifier === undefined && !isRuntimeClient(path)
  }
]

const knownRooms = /^(domain|services|programs|(layers|programs)\/[^/]+)$/

const isGenerated = (path) => /\.generated\.|\/generated\//.test(path)

/** What a module's own path gets wrong. */
const misplaced = (path) => {
  const room = roomOf(path)
  const noun = path.slice(path.lastIndexOf("/") + 1).split(".")[0]
  if (room === undefined || !knownRooms.test(room)) {
    return [
      { told: "lives in no room", reason: "rooms are domain, services, layers/<technology> and programs/<process>" }
    ]
  }
  if (/^(utils?|common|helpers?|types|index)$/i.test(noun)) {
    return [
      {
        told: "has no name of its own",
        reason: "a file called utils, common, helpers, types or index is a noun still looking for its name"
      }
    ]
  }
  if (!/^([A-Z][A-Za-z0-9]*|main)$/.test(noun) && !isGenerated(path) && !isRuntimeClient(path)) {
    return [{ told: "is not named like the rest", reason: "files are PascalCase nouns, processes are main.ts" }]
  }
  return []
}

/** Every import that takes a wrong turn, and every module with a wrong name or place, each with the reason. */
export const wrongTurns = (modules) =>
  modules.flatMap(({ path, imports }) => {
    const from = roomOf(path)
    const astray = misplaced(path).map((breach) => ({ path, line: 1, ...breach }))
    const turns = imports.flatMap((request) => {
      const to = request.to === undefined ? undefined : roomOf(request.to)
      const broken = rules.filter((rule) => rule.breaks({ path, from, to, request }))
      return broken.map(({ reason }) => ({
        path,
        line: request.line,
        told: `imports ${request.specifier ?? "a computed path"}`,
        reason
      }))
    })
    return [...astray, ...turns]
  })

/** The rooms as edges, `layers/grpc --> services`, sorted: what docs/architecture.md draws. */
export const edges = (modules) => {
  const drawn = modules.flatMap(({ path, imports }) =>
    imports.flatMap(({ to }) => {
      const [source, target] = [roomOf(path), to === undefined ? undefined : roomOf(to)]
      return source === undefined || target === undefined || source === target ? [] : [`${source} --> ${target}`]
    })
  )
  return [...new Set(drawn)].sort()
}

/** Groups of modules that import each other in a ring (Tarjan's strongly connected components of more than one). */
export const rings = (modules) => {
  const targets = new Map(modules.map(({ path, imports }) => [path, imports.flatMap(({ to }) => to ?? [])]))
  const order = new Map()
  const low = new Map()
  const stack = []
  const found = []
  const visit = (path) => {
    order.set(path, order.size)
    low.set(path, order.get(path))
    stack.push(path)
    for (const target of targets.get(path)) {
      if (!targets.has(target)) continue
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) low.set(path, Math.min(low.get(path), low.get(target)))
    }
    if (low.get(path) !== order.get(path)) return
    const ring = stack.splice(stack.indexOf(path))
    if (ring.length > 1 || targets.get(path).includes(path)) found.push(ring.sort())
  }
  for (const path of targets.keys()) if (!order.has(path)) visit(path)
  return found
}
