/** How callers name a function, and what they are told when there is none of that name. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Stack from "#test/support/Stack"

const account = "000000000000"
const arn = `arn:aws:lambda:us-east-1:${account}:function:echo`

const arnSeenByFunction = (input: { readonly FunctionName: string; readonly Qualifier?: string }) =>
  Effect.gen(function* () {
    const stack = yield* Stack.Running
    const { executedVersion, payload } = yield* Stack.invoke(stack, input.FunctionName, {}, input)
    assert.strictEqual(executedVersion, "$LATEST")
    return (payload as { readonly arn: string }).arn
  })

it.layer(Stack.layer(), Stack.live)("The function of a call", (it) => {
  it.effect.each(["echo", "function:echo", `${account}:echo`, `${account}:function:echo`, arn])(
    "is found under %s, with or without $LATEST",
    (written) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* arnSeenByFunction({ FunctionName: written }), arn)
        // As on AWS, the function sees the qualifier that its caller used.
        const qualified = `${arn}:$LATEST`
        assert.strictEqual(yield* arnSeenByFunction({ FunctionName: `${written}:$LATEST` }), qualified)
        assert.strictEqual(yield* arnSeenByFunction({ FunctionName: written, Qualifier: "$LATEST" }), qualified)
      })
  )

  it.effect.each([
    ["a function that is not deployed", { FunctionName: "nobody" }, "nobody:$LATEST"],
    ["a version", { FunctionName: "echo", Qualifier: "1" }, "echo:1"],
    ["an alias", { FunctionName: "echo:live" }, "echo:live"],
    ["an alias of its ARN", { FunctionName: `${arn}:live` }, "echo:live"]
  ] as const)("is not found where it is %s: ResourceNotFoundException", ([, input, told]) =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      for (const InvocationType of ["RequestResponse", "Event", "DryRun"] as const) {
        const refusal = yield* Effect.flip(Stack.send(stack, { ...input, InvocationType }))
        assert.strictEqual(refusal.name, "ResourceNotFoundException")
        assert.strictEqual(refusal.$metadata.httpStatusCode, 404)
        assert.strictEqual(refusal.message, `Function not found: arn:aws:lambda:us-east-1:${account}:function:${told}`)
      }
    })
  )

  it.effect("that is not found is told as the API's model spells it", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const answer = yield* Stack.call(stack, "nobody")
      assert.strictEqual(answer.status, 404)
      assert.strictEqual(answer.header("x-amzn-errortype"), "ResourceNotFoundException")
      assert.match(answer.header("x-amzn-requestid") ?? "", /^[0-9a-f-]{36}$/)
      assert.deepStrictEqual(answer.json(), {
        Type: "User",
        Message: `Function not found: arn:aws:lambda:us-east-1:${account}:function:nobody:$LATEST`
      })
    })
  )

  it.effect("must not be named with two qualifiers that differ", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const refusal = yield* Effect.flip(Stack.send(stack, { FunctionName: "echo:1", Qualifier: "2" }))
      assert.deepStrictEqual(
        [refusal.name, refusal.$metadata.httpStatusCode, refusal.message],
        [
          "InvalidParameterValueException",
          400,
          "The derived qualifier from the function name does not match the specified qualifier."
        ]
      )
    })
  )
})
