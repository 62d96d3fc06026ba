import { assert, describe, it } from "@effect/vitest"
import { parse } from "#domain/DockerIgnore"

/** Of these paths, those that are kept out. */
const ignored = (text: string, paths: ReadonlyArray<string>) => paths.filter(parse(text).ignores)

describe("a .dockerignore", () => {
  it("keeps out what a line names, and all below it", () => {
    const paths = ["a", "a/b", "a/b/c", "ab", "b/a"]
    for (const line of ["a", "/a", "a/", "./a", "x/../a"]) {
      assert.deepStrictEqual(ignored(line, paths), ["a", "a/b", "a/b/c"], line)
    }
    assert.deepStrictEqual(ignored("a/b", paths), ["a/b", "a/b/c"])
  })

  it("understands * and ? within a step, ** across steps, and ranges", () => {
    const paths = ["x.log", "d/x.log", "d/e/x.log", "x.logs", "xlog", "d/x1", "d/xa"]
    assert.deepStrictEqual(ignored("*.log", paths), ["x.log"])
    assert.deepStrictEqual(ignored("**/*.log", paths), ["x.log", "d/x.log", "d/e/x.log"])
    assert.deepStrictEqual(ignored("*/x.log", paths), ["d/x.log"])
    assert.deepStrictEqual(ignored("d/**", paths), ["d/x.log", "d/e/x.log", "d/x1", "d/xa"])
    assert.deepStrictEqual(ignored("d/x?", paths), ["d/x1", "d/xa"])
    assert.deepStrictEqual(ignored("d/x[0-9]", paths), ["d/x1"])
    assert.deepStrictEqual(ignored("*", paths), paths)
    assert.deepStrictEqual(ignored("x\\.log", paths), ["x.log"])
    assert.deepStrictEqual(ignored("x+(1)|$.log", ["x+(1)|$.log", "x"]), ["x+(1)|$.log"])
  })

  it("lets in again what a later line excepts; the last line decides", () => {
    const paths = ["README.md", "LICENSE.md", "docs/README.md"]
    assert.deepStrictEqual(ignored("*.md\n!README.md", paths), ["LICENSE.md"])
    assert.deepStrictEqual(ignored("!README.md\n*.md", paths), ["README.md", "LICENSE.md"])
    assert.deepStrictEqual(ignored("docs\n! docs/README.md", paths), [])
    assert.isTrue(parse("docs\n!docs/README.md").hasExceptions)
    assert.isFalse(parse("docs").hasExceptions)
  })

  it("says nothing by comments, blank lines and what is no pattern", () => {
    assert.deepStrictEqual(ignored("\uFEFF# a\n\n  \r\n[b-a]\n", ["a", "# a", "b"]), [])
    assert.deepStrictEqual(ignored(" a \r\n", ["a", "b"]), ["a"])
  })
})
