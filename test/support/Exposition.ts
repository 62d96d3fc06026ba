/**
 * Reads Prometheus's text format, and refuses whatever a strict reader would.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import { assert } from "@effect/vitest"

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: ReadonlyArray<Sample>
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const special: Readonly<Record<string, number>> = { "+Inf": Infinity, "-Inf": -Infinity, NaN }

const unescape = (text: string): string =>
  text.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped))

const labelsIn = (text: string): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== "") {
    const [whole, name, value] = label.exec(rest) ?? []
    assert(whole !== undefined && name !== undefined && value !== undefined, `no label begins at: ${rest}`)
    assert.notProperty(labels, name, "a label stands once")
    labels[name] = unescape(value)
    rest = rest.slice(whole.length)
  }
  return labels
}

const sampleIn = (line: string): Sample => {
  const [, name, labels = "", told] = sampleLine.exec(line) ?? []
  assert(name !== undefined && told !== undefined, `no sample: ${line}`)
  const value = special[told] ?? Number(told)
  assert(told === "NaN" || !Number.isNaN(value), `no number: ${line}`)
  return { name, labels: labelsIn(labels), value }
}

const without = ({ labels }: Sample, name: string): string =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([key]) => key !== name)
      .toSorted()
  )

const checkHistogram = ({ name, samples }: Family): void => {
  const groups = Map.groupBy(samples, (sample) => without(sample, "le"))
  for (const [labels, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map((sample) => special[sample.labels["le"] ?? ""] ?? Number(sample.labels["le"]))
    const counts = buckets.map((sample) => sample.value)
    assert.deepStrictEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      `${name}${labels}: buckets stand in order`
    )
    assert.strictEqual(bounds.at(-1), Infinity, `${name}${labels}: the last bucket is +Inf`)
    assert.deepStrictEqual(
      counts,
      counts.toSorted((a, b) => a - b),
      `${name}${labels}: buckets are cumulative`
    )
    const one = (suffix: string): number | undefined => group.find((sample) => sample.name === name + suffix)?.value
    assert.strictEqual(one("_count"), counts.at(-1), `${name}${labels}: the count is that of +Inf`)
    assert.isDefined(one("_sum"), `${name}${labels}: there is a sum`)
    assert.strictEqual(group.length, buckets.length + 2, `${name}${labels}: nothing else`)
  }
}

const check = (family: Family): void => {
  const { help, name, samples, type } = family
  assert.notStrictEqual(help, "", `${name} has a HELP`)
  assert.notStrictEqual(samples.length, 0, `${name} has samples`)
  const keys = samples.map((sample) => `${sample.name}${without(sample, "")}`)
  assert.strictEqual(new Set(keys).size, keys.length, `${name}: every series stands once`)
  switch (type) {
    case "counter":
      assert.match(name, /_total$/)
      assert.isTrue(samples.every(({ value }) => value >= 0))
      break
    case "histogram":
      return checkHistogram(family)
    case "gauge":
      assert.notMatch(name, /_(?:total|count|sum|bucket)$/)
      break
    default:
      assert.fail(`${name} is of type ${type}`)
  }
  assert.isTrue(
    samples.every((sample) => sample.name === name),
    `${name} has samples of its own name only`
  )
}

/** The families of a text, by their names. */
export const parse = (text: string): ReadonlyMap<string, Family> => {
  const families = new Map<string, { name: string; type: string; help: string; samples: Array<Sample> }>()
  let current: { name: string; type: string; help: string; samples: Array<Sample> } | undefined
  assert.isTrue(text.endsWith("\n"), "the last line ends, too")
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name = "", told = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === "HELP") {
      assert.match(name, metricName)
      assert.isFalse(families.has(name), `${name} is told in one place`)
      current = { name, help: told, type: "", samples: [] }
      families.set(name, current)
    } else if (keyword === "TYPE") {
      assert(current?.name === name, `the TYPE of ${name} follows its HELP`)
      assert.strictEqual(current.type, "", `${name} has one TYPE`)
      assert.strictEqual(current.samples.length, 0, `the TYPE of ${name} stands before its samples`)
      current.type = told
    } else {
      const sample = sampleIn(line)
      const ofCurrent = current !== undefined && new RegExp(`^${current.name}(_bucket|_sum|_count)?$`).test(sample.name)
      assert(ofCurrent && current !== undefined, `${line} stands with its family`)
      current.samples.push(sample)
    }
  }
  for (const family of families.values()) {
    check(family)
  }
  return families
}

/** The value of one series; `undefined` when it is not told. */
export const valueOf = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number | undefined => {
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""))
  const wanted = Object.entries(labels)
  return family?.samples.find(
    (sample) =>
      sample.name === name &&
      Object.keys(sample.labels).length === wanted.length &&
      wanted.every(([key, value]) => sample.labels[key] === value)
  )?.value
}
