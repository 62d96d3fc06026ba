import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Dockerfile from "#domain/Dockerfile"
import { isImage } from "#domain/Stack"
import * as Template from "#domain/Template"
import * as TemplateFile from "#layers/files/TemplateFile"
import { needs, pathOf } from "#test/support/Engines"

const request: Dockerfile.DockerfileRequest = {
  runtime: "nodejs24.x",
  handler: "app.handler",
  base: "public.ecr.aws/lambda/nodejs:24",
  hasLayers: false,
  bootstrap: undefined
}

const lines = (changed: Partial<Dockerfile.DockerfileRequest>) =>
  Result.getOrThrow(Dockerfile.make({ ...request, ...changed })).split("\n")

const refusal = (changed: Partial<Dockerfile.DockerfileRequest>) => {
  const made = Dockerfile.make({ ...request, ...changed })
  return Result.isFailure(made) ? made.failure.message : "made"
}

describe("Dockerfile", () => {
  it("begins with AWS's public image of the runtime, pinned by its version", () => {
    const bases = {
      "nodejs24.x": "public.ecr.aws/lambda/nodejs:24",
      "python3.13": "public.ecr.aws/lambda/python:3.13",
      java21: "public.ecr.aws/lambda/java:21",
      "java8.al2": "public.ecr.aws/lambda/java:8.al2",
      "provided.al2023": "public.ecr.aws/lambda/provided:al2023",
      provided: "public.ecr.aws/lambda/provided:al2",
      "ruby3.4": undefined
    }
    for (const [runtime, base] of Object.entries(bases)) assert.strictEqual(Dockerfile.publicBase(runtime), base)
  })

  it("names the variable that replaces a base after the runtime", () => {
    assert.strictEqual(Dockerfile.baseVariable("nodejs24.x"), "ESB_BASE_IMAGE_NODEJS24_X")
    assert.strictEqual(Dockerfile.baseVariable("python3.13"), "ESB_BASE_IMAGE_PYTHON3_13")
    assert.strictEqual(Dockerfile.baseVariable("provided.al2023"), "ESB_BASE_IMAGE_PROVIDED_AL2023")
  })

  it("puts code into the task root and hands the handler to the base's entrypoint", () => {
    assert.deepStrictEqual(lines({}), [
      "FROM public.ecr.aws/lambda/nodejs:24",
      "ENV LAMBDA_TASK_ROOT=/var/task",
      "ENV AWS_EXECUTION_ENV=AWS_Lambda_nodejs24.x",
      "WORKDIR /var/task",
      "COPY task/ /var/task/",
      'CMD ["app.handler"]',
      ""
    ])
    assert.include(lines({ runtime: "java21", handler: 'a.B::"c"' }), 'CMD ["a.B::\\"c\\""]')
  })

  it("puts layers under /opt before the code, where each language looks for modules", () => {
    const node = lines({ hasLayers: true })
    assert.isBelow(node.indexOf("COPY opt/ /opt/"), node.indexOf("COPY task/ /var/task/"))
    assert.include(node.join("\n"), "ENV NODE_PATH=/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:")
    const python = lines({ runtime: "python3.13", hasLayers: true }).join("\n")
    assert.include(python, "ENV PYTHONPATH=/opt/python:/opt/python/lib/python3.13/site-packages:${PYTHONPATH:-")
    assert.include(lines({ runtime: "java21", hasLayers: true }), "COPY opt/ /opt/")
  })

  it("starts the bootstrap of a provided runtime, which finds its handler in the environment", () => {
    const provided = { runtime: "provided.al2023", handler: '$a"b\\c' }
    assert.deepStrictEqual(lines({ ...provided, bootstrap: "task" }).slice(-4), [
      'ENV _HANDLER="\\$a\\"b\\\\c"',
      'ENTRYPOINT ["/var/task/bootstrap"]',
      "CMD []",
      ""
    ])
    assert.include(lines({ ...provided, bootstrap: "opt", hasLayers: true }), 'ENTRYPOINT ["/opt/bootstrap"]')
  })

  it("is refused where it would not work, or not mean what it says", () => {
    assert.include(refusal({ runtime: "ruby3.4" }), "not for ruby3.4")
    assert.include(refusal({ runtime: "provided.al2023" }), "a file named bootstrap")
    assert.include(refusal({ handler: "a\nRUN b" }), "has spaces in it")
    for (const base of ["", "a b", "a\nRUN b", "$HOME"]) assert.include(refusal({ base }), "ESB_BASE_IMAGE_NODEJS24_X")
  })
})

describe("the templates of AWS's collections", needs("golden"), () => {
  it("have functions that a Dockerfile can be made for, but for those of other languages", () => {
    const directory = join(pathOf("golden"), "sam-patterns")
    const codes = readdirSync(directory).flatMap((file) => {
      const stack = Result.flatMap(TemplateFile.parse(file, readFileSync(join(directory, file), "utf8")), (parsed) =>
        Template.resolve({ ...parsed, parameters: {}, allowUnsupported: true })
      )
      return Result.isSuccess(stack) ? stack.success.functions.map(({ code }) => code) : []
    })
    const zips = codes.filter((code) => !isImage(code))
    const isMade = ({ handler, layers, runtime }: (typeof zips)[number]) => {
      const base = Dockerfile.publicBase(runtime) ?? ""
      const hasLayers = layers.length > 0
      return Result.isSuccess(Dockerfile.make({ runtime, handler, base, hasLayers, bootstrap: "task" }))
    }
    const others = zips.filter((code) => !isMade(code)).map(({ runtime }) => runtime)
    // One of them misspells its runtime.
    assert.deepStrictEqual(
      others.filter((runtime) => !/^(dotnet|ruby|go|provided\.al2023023$)/.test(runtime)),
      []
    )
    assert.isAtLeast(zips.length - others.length, 150)
  })
})
