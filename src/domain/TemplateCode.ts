/** Where the code of a function or a layer is: beside the template, in the template, or in an image. */
import * as ImageReference from "./ImageReference.ts"
import type { FunctionCode } from "./Stack.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"

/** Known by name; whether this machine can run one is decided where it is started. */
const runtimes =
  /^(nodejs(\d+\.(x|\d+))?|python\d+\.\d+|provided(\.al\d+)?|java\d+(\.al2)?|dotnet(core)?\d+(\.\d+)?|ruby\d+\.\d+|go1\.x)$/

/** A function or a layer whose code is wrong, or lies elsewhere, has none; that has been reported. */
export const ofFunction = (
  scope: TemplateScope,
  resource: TemplateResource,
  layers: ReadonlyArray<string>
): FunctionCode | undefined => {
  const { properties, metadata } = resource
  const isServerless = resource.type === "AWS::Serverless::Function"
  const source = isServerless ? properties : sourceOf(scope, properties)
  if (source === undefined) {
    return undefined
  }
  const kind = TemplateFields.choice(scope, properties, "PackageType", ["Zip", "Image"])
  if (kind === "Image" || (kind === undefined && TemplateFields.has(scope, source, "ImageUri"))) {
    return image(scope, resource, source)
  }
  TemplateFields.required(scope, properties, "Handler")
  TemplateFields.required(scope, properties, "Runtime")
  const handler = TemplateFields.text(scope, properties, "Handler")
  const runtime = TemplateFields.text(scope, properties, "Runtime")
  if (runtime !== undefined && !runtimes.test(runtime)) {
    scope.report.problem(TemplateFields.placeOf(properties, "Runtime"), `there is no runtime "${runtime}"`)
  }
  const inline = isServerless ? "InlineCode" : "ZipFile"
  if (TemplateFields.has(scope, source, inline)) {
    const text = TemplateFields.text(scope, source, inline)
    if (runtime !== undefined && !/^(nodejs|python)/.test(runtime)) {
      scope.report.problem(TemplateFields.placeOf(source, inline), `${inline} is for nodejs and python, not ${runtime}`)
    }
    return text === undefined || handler === undefined || runtime === undefined
      ? undefined
      : { _tag: "Inline", source: text, handler, runtime, layers }
  }
  const codeUri = isServerless ? local(scope, properties, "CodeUri") : local(scope, properties, "Code")
  return codeUri === undefined || handler === undefined || runtime === undefined
    ? undefined
    : { _tag: "Zip", codeUri, handler, runtime, layers, ...build(scope, metadata) }
}

/** How `sam build` is told to build a function or a layer. */
export const build = (scope: TemplateScope, metadata: TemplateMap | undefined) => {
  const properties = metadata === undefined ? undefined : TemplateFields.value(scope, metadata, "BuildProperties")
  return {
    buildMethod: metadata === undefined ? undefined : TemplateFields.text(scope, metadata, "BuildMethod"),
    buildProperties:
      properties?._tag === "Map"
        ? Object.fromEntries([...properties.entries].map(([key, node]) => [key, TemplateNodes.toPlain(node)]))
        : {}
  }
}

/** A path beside the template, which the property must have. */
export const local = (scope: TemplateScope, parent: TemplateMap, name: string): string | undefined => {
  if (!TemplateFields.has(scope, parent, name)) {
    scope.report.problem(parent.place, `${name} is required; write "." for the directory of the template`)
    return undefined
  }
  const written = parent.entries.get(name)
  const opened = written === undefined ? undefined : TemplateIntrinsics.open(scope, written)
  const path = opened?._tag === "Map" ? undefined : TemplateFields.text(scope, parent, name)
  if (path?.trim() === "") {
    scope.report.problem(
      TemplateFields.placeOf(parent, name),
      `${name} is empty; write "." for the directory of the template`
    )
    return undefined
  }
  if (opened?._tag !== "Map" && (path === undefined || !/^[a-z][a-z0-9+.-]+:\/\//i.test(path))) {
    return path
  }
  scope.report.unsupported(
    TemplateFields.placeOf(parent, name),
    `${name} is not on this machine, and there is no S3 to fetch it from; write a path relative to the template`
  )
  return undefined
}

/** `Code` of `AWS::Lambda::Function`: a path as `aws cloudformation package` takes it, or a map. */
const sourceOf = (scope: TemplateScope, properties: TemplateMap): TemplateMap | undefined => {
  if (!TemplateFields.required(scope, properties, "Code")) {
    return undefined
  }
  const written = properties.entries.get("Code")
  const opened = written === undefined ? undefined : TemplateIntrinsics.open(scope, written)
  if (opened?._tag !== "Map") {
    return TemplateNodes.map(new Map(), TemplateFields.placeOf(properties, "Code"))
  }
  TemplateFields.check(scope, opened, {
    honoured: ["ZipFile", "ImageUri", "S3Bucket", "S3Key", "S3ObjectVersion"],
    describes: ["SourceKMSKeyArn"]
  })
  return opened
}

const image = (
  scope: TemplateScope,
  { metadata, properties }: TemplateResource,
  source: TemplateMap
): FunctionCode | undefined => {
  for (const name of ["Handler", "Runtime", "Layers"].filter((name) => TemplateFields.has(scope, properties, name))) {
    scope.report.problem(TemplateFields.placeOf(properties, name), `${name} cannot be given for an image`)
  }
  const isNamed = TemplateFields.has(scope, source, "ImageUri")
  const imageUri = isNamed ? TemplateFields.text(scope, source, "ImageUri") : undefined
  // What `sam package` leaves names the registry that it has pushed the image to; before, the name is for `sam build` to give.
  const isPushed = imageUri !== undefined && ImageReference.namesRegistry(imageUri)
  if (metadata !== undefined && isBuilt(scope, metadata) && !isPushed) {
    return dockerfile(scope, metadata)
  }
  if (!isNamed) {
    scope.report.problem(
      source.place,
      "ImageUri is required, or a Dockerfile and a DockerContext in the Metadata of the function"
    )
  }
  return imageUri === undefined ? undefined : { _tag: "Image", imageUri }
}

const isBuilt = (scope: TemplateScope, metadata: TemplateMap): boolean =>
  ["Dockerfile", "DockerContext"].some((name) => TemplateFields.has(scope, metadata, name))

/**
 * How `sam build` is told to build an image. The tag is that of all images here.
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build.html
 */
const dockerfile = (scope: TemplateScope, metadata: TemplateMap): FunctionCode | undefined => {
  const context = local(scope, metadata, "DockerContext")
  const given = (name: string): string | undefined =>
    TemplateFields.has(scope, metadata, name) ? TemplateFields.text(scope, metadata, name) : undefined
  if (TemplateFields.has(scope, metadata, "DockerBuildExtraParams")) {
    scope.report.unsupported(
      TemplateFields.placeOf(metadata, "DockerBuildExtraParams"),
      "DockerBuildExtraParams is not supported: build the image with docker build, and name it with ImageUri"
    )
  }
  const written = TemplateFields.has(scope, metadata, "DockerBuildArgs")
    ? TemplateFields.map(scope, metadata, "DockerBuildArgs")
    : undefined
  const names = [...(written?.entries.keys() ?? [])]
  const values = names.map((name) => [name, written && TemplateFields.text(scope, written, name)] as const)
  return context === undefined
    ? undefined
    : {
        _tag: "Dockerfile",
        context,
        dockerfile: given("Dockerfile") ?? "Dockerfile",
        target: given("DockerBuildTarget"),
        arguments: Object.fromEntries(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
      }
}
