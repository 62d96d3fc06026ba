/** Programs of an image, found where its layers lie: also behind links, none of which leads to the files of this machine. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync } from "node:fs"
import { join } from "node:path"
import * as ImageFiles from "#layers/containerd/ImageFiles"
import * as ImageTree from "#test/support/ImageTree"
import { temporaryDirectory } from "#test/support/ProcessWorkers"

const directory = "opt/extensions"
const program = ImageTree.script("#!/bin/sh\n")

/** Layers in the order in which they are looked at, the topmost first, and beside them what is the machine's. */
const layersOf = (...trees: ReadonlyArray<ImageTree.Tree>): ReadonlyArray<string> => {
  const machine = mkdtempSync(join(temporaryDirectory(), "layers-"))
  ImageTree.layOut(machine, { "outside/extensions/theirs": program, "outside/theirs": program })
  return trees.map((tree, at) => {
    const layer = join(machine, `layer-${at}`)
    ImageTree.layOut(layer, { etc: { empty: true }, ...tree })
    return layer
  })
}

/** What an image of one layer has. */
const programs = (tree: ImageTree.Tree) => ImageFiles.programsIn(layersOf(tree), directory)

describe("programs in a directory of an image", () => {
  it.effect("are found behind links, from wherever in the image they lead to wherever in it", () =>
    Effect.gen(function* () {
      const inner = { "usr/lib/extensions/one": program, "usr/lib/extensions/two": program }
      const both = ["one", "two"]
      const links: Readonly<Record<string, ImageTree.Tree>> = {
        absolute: { [directory]: { link: "/usr/lib/extensions" } },
        relative: { [directory]: { link: "../usr/lib/extensions" } },
        "of what it is in": { opt: { link: "usr/lib" } },
        "by way of another one": {
          [directory]: { link: "/etc/there" },
          "etc/there": { link: "./../usr/lib//extensions/" }
        },
        "by way of one in its path": { [directory]: { link: "/library/extensions" }, library: { link: "usr/lib" } }
      }
      for (const [kind, tree] of Object.entries(links)) {
        assert.deepStrictEqual(yield* programs({ ...inner, ...tree }), both, kind)
      }
    })
  )

  it.effect("are none where a link leads to what the image has not, to a file, or round in a circle", () =>
    Effect.gen(function* () {
      const links: Readonly<Record<string, ImageTree.Tree>> = {
        nowhere: { [directory]: { link: "/usr/lib/extensions" } },
        "a file": { [directory]: { link: "/etc/file" }, "etc/file": program },
        "beyond a file": { [directory]: { link: "/etc/file/extensions" }, "etc/file": program },
        "a circle": { [directory]: { link: "/etc/there" }, "etc/there": { link: "/opt/extensions" } }
      }
      for (const [kind, tree] of Object.entries(links)) assert.deepStrictEqual(yield* programs(tree), [], kind)
    })
  )

  it.effect("are never those of this machine, however far up a link leads", () =>
    Effect.gen(function* () {
      const [image = ""] = layersOf({})
      const outside = join(image, "../outside")
      const links: ReadonlyArray<ImageTree.Tree> = [
        { [directory]: { link: outside } },
        { [directory]: { link: "../../outside" } },
        { [directory]: { link: "../../../../../../../../../../bin" } },
        { [directory]: { link: "/proc/self/cwd/outside" } },
        { opt: { link: outside } },
        { opt: { link: "../outside" } }
      ]
      for (const tree of links) assert.deepStrictEqual(yield* programs(tree), [], JSON.stringify(tree))
      // Its own directory of that name is what such a link leads to.
      const own = { [directory]: { link: "../../../mine" }, "mine/own": program }
      assert.deepStrictEqual(yield* programs(own), ["own"])
    })
  )

  it.effect("are for the kernel to tell where a link may lead from one layer to another", () =>
    Effect.gen(function* () {
      const isMixed = (...trees: ReadonlyArray<ImageTree.Tree>) => ImageFiles.isMixed(layersOf(...trees), directory)
      const inner = { "usr/lib/extensions/one": program }
      const link = { [directory]: { link: "/usr/lib/extensions" } }
      assert.isTrue(yield* isMixed(link, inner))
      assert.isTrue(yield* isMixed({}, { opt: { link: "usr/lib" } }, inner))
      assert.isFalse(yield* isMixed({ ...link, ...inner }))
      assert.isFalse(yield* isMixed({}, inner))
    })
  )
})
