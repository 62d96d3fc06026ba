import { assert, describe, it } from "@effect/vitest"
import * as PythonExtension from "#domain/PythonExtension"

describe("PythonExtension", () => {
  it("tells modules that were compiled for another version of Python", () => {
    const for311 = "numpy/_core.cpython-311-x86_64-linux-gnu.so"
    const others = ["app.py", "numpy/abi.abi3.so", "lib/libz.so", "numpy/_core.cpython-313-x86_64-linux-gnu.so"]
    assert.deepStrictEqual(PythonExtension.foreign([for311, ...others], "python3.13"), [for311])
    assert.deepStrictEqual(PythonExtension.foreign([for311], "python3.11"), [])
    assert.deepStrictEqual(PythonExtension.foreign([for311], "nodejs24.x"), [])
  })
})
