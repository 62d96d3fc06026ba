import { assert, describe, it } from "@effect/vitest"
import { parse, valueOf } from "#test/support/Exposition"

const gauge = "# HELP a A.\n# TYPE a gauge\n"
const counter = "# HELP a_total A.\n# TYPE a_total counter\n"
const histogram = "# HELP h H.\n# TYPE h histogram\n"

describe("The reader of Prometheus's text format", () => {
  it("reads values and labels", () => {
    const families = parse(`${gauge}a{b="\\"\\\\\\n, } ",c=""} 1.5e3\na -Inf\n`)
    assert.strictEqual(valueOf(families, "a", { b: '"\\\n, } ', c: "" }), 1500)
    assert.strictEqual(valueOf(families, "a"), -Infinity)
  })

  it("refuses what is not in the format, or not told as it must be", () => {
    const wrong = {
      "a last line that does not end": `${gauge}a 1`,
      "a blank line": `${gauge}\na 1\n`,
      "a sample without a family": "a 1\n",
      "a family without a type": "# HELP a A.\na 1\n",
      "a family without samples": gauge,
      "a family without help": "# TYPE a gauge\na 1\n",
      "a family told twice": `${gauge}a 1\n${gauge}a 2\n`,
      "two types": `${gauge}# TYPE a gauge\na 1\n`,
      "a type after a sample": "# HELP a A.\na 1\n# TYPE a gauge\n",
      "a series told twice": `${gauge}a{b="1",c="2"} 1\na{c="2",b="1"} 1\n`,
      "a label told twice": `${gauge}a{b="1",b="2"} 1\n`,
      "a quotation mark in a label": `${gauge}a{b="x"y"} 1\n`,
      "an unknown escape": `${gauge}a{b="\\t"} 1\n`,
      "a name of a label": `${gauge}a{b-c="1"} 1\n`,
      "a comma in the wrong place": `${gauge}a{,b="1"} 1\n`,
      "a value that is no number": `${gauge}a one\n`,
      "a counter that does not say so": "# HELP a A.\n# TYPE a counter\na 1\n",
      "a counter below zero": `${counter}a_total -1\n`,
      "a gauge that looks like a counter": "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
      "an unknown type": "# HELP a A.\n# TYPE a thing\na 1\n",
      "buckets that do not end": `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`,
      "buckets out of order": `${histogram}h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
      "buckets that are not cumulative": `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
      "a count that is not the last bucket": `${histogram}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`,
      "a histogram without a sum": `${histogram}h_bucket{le="+Inf"} 1\nh_count 1\n`
    }
    for (const [what, text] of Object.entries(wrong)) {
      assert.throws(() => parse(text), undefined, undefined, what)
    }
  })
})
