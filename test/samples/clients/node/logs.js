console.log("while loading")

exports.levels = async () => {
  console.trace("at trace")
  console.debug("at debug")
  console.info("at info")
  console.log("at log, %s %d", "formatted", 1, { with: "more" })
  console.warn("at warn")
  console.error("at error")
  console.log("two\nlines")
}

exports.objects = async () => {
  console.log({ an: "object" })
  console.error("failed:", new RangeError("too far"))
  console.error(new RangeError("alone"))
  const ring = { name: "ring" }
  ring.ring = ring
  console.log(ring)
}

/** More than a pipe holds, after the stream over it was made, which may leave it non-blocking. */
exports.floods = async ({ lines }) => {
  process.stdout.write("")
  for (let line = 1; line <= lines; line++) console.log(`flood ${line} ${"x".repeat(1000)}`)
}
