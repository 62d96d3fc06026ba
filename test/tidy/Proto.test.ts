/** The wire contract is told in full, keeps what was promised, and is what the generated code speaks. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { repository } from "./Checkout.ts"

const binaries = join(repository, "node_modules/.bin")
const kept = join(repository, "test/samples/contract")
/** Of the contract, and of what others promise us: each lies in the room that speaks it. */
const generated = ["src/layers/grpc/generated", "src/layers/containerd/generated"]

/** Runs buf on a directory that has the repository's buf.yaml, buf.gen.yaml and a `proto`. */
const buf = (cwd: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(join(binaries, "buf"), args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env["PATH"]}` }
  })
  return { code: status, said: stdout + stderr }
}

/** A copy of the contract, in which a test may change what it likes. */
const copy = Effect.acquireRelease(
  Effect.sync(() => {
    const root = mkdtempSync(join(tmpdir(), "esb-proto-"))
    for (const part of ["buf.yaml", "buf.gen.yaml", "proto"])
      cpSync(join(repository, part), join(root, part), { recursive: true })
    return root
  }),
  (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
)

/** Puts one text of the contract, or of another file beside it, in the place of another. */
const plant = (root: string, before: string, after: string, file = "agent.proto"): void => {
  const path = join(root, "proto", file)
  const text = readFileSync(path, "utf8")
  assert.include(text, before)
  writeFileSync(
    path,
    text.replace(before, () => after)
  )
}

const filesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .toSorted()

/** The generated files of the repository that the contract in `root` would not give, or not so. */
const stale = (root: string): ReadonlyArray<string> => {
  const { code, said } = buf(root, "generate", "--clean")
  assert.strictEqual(code, 0, said)
  return generated.flatMap((folder) => {
    const kept = join(repository, folder)
    const fresh = join(root, folder)
    assert.deepStrictEqual(filesIn(kept), filesIn(fresh))
    assert.isAbove(filesIn(kept).length, 0)
    return filesIn(fresh).filter(
      (file) => readFileSync(join(fresh, file), "utf8") !== readFileSync(join(kept, file), "utf8")
    )
  })
}

const breaking = (root: string) => buf(root, "breaking", "proto", "--against", kept)

describe("proto/agent.proto", () => {
  it("passes the linter, which wants a comment on every method and field", () => {
    assert.deepStrictEqual(buf(repository, "lint"), { code: 0, said: "" })
  })

  it.live("does not pass it with a field that says nothing of itself", () =>
    Effect.gen(function* () {
      const root = yield* copy
      plant(root, "message ListContainersResponse {", "message ListContainersResponse {\n  int32 total = 2;\n")
      const { code, said } = buf(root, "lint")
      assert.strictEqual(code, 100)
      assert.include(said, 'Field "total" should have a non-empty comment')
    })
  )

  it("breaks nothing that was promised", () => {
    assert.deepStrictEqual(breaking(repository), { code: 0, said: "" })
  })

  for (const [what, before, after, told] of [
    ["another number", "string ip_address = 3;", "string ip_address = 6;", 'field "3" with name "ip_address"'],
    ["another type", "int32 timeout_ms = 6;", "int64 timeout_ms = 6;", 'Field "6" with name "timeout_ms"'],
    ["a number again that was given up", "reserved 5, 6;", "reserved 6;", 'reserved range "[5]"'],
    [
      "another answer",
      "rpc ListContainers(ListContainersRequest) returns (ListContainersResponse);",
      "rpc ListContainers(ListContainersRequest) returns (stream ListContainersResponse);",
      'RPC "ListContainers" on service "AgentService"'
    ]
  ] as const) {
    it.live(`is found out when it uses ${what}`, () =>
      Effect.gen(function* () {
        const root = yield* copy
        plant(root, before, after)
        const { code, said } = breaking(root)
        assert.strictEqual(code, 100)
        assert.include(said, told)
      })
    )
  }
})

describe("the generated code", () => {
  it.live("is what the contract gives today", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(stale(yield* copy), [], "run npm run generate")
    })
  )

  it.live("is found out when the contract has moved on", () =>
    Effect.gen(function* () {
      const root = yield* copy
      plant(root, "string spec_hash = 7;", "string spec_hash = 7;\n  // Planted.\n  string planted = 8;")
      assert.deepStrictEqual(stale(root), ["agent_pb.ts"])
    })
  )

  it.live("is found out when what we use of others has moved on", () =>
    Effect.gen(function* () {
      const root = yield* copy
      plant(root, "string revision = 2;", "string revision = 2;\n  string planted = 3;", "containerd/version.proto")
      assert.deepStrictEqual(stale(root), ["containerd/version_pb.ts"])
    })
  )
})
