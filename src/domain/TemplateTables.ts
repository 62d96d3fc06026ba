/**
 * Tables, spelled as the DynamoDB API takes them.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
 */
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import * as TemplateNodes from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"

type Entry = Readonly<Record<string, unknown>>

export const read = (context: TemplateContext, resource: TemplateResource): Entry | undefined => {
  const { scope } = context
  const name = context.nameOf(resource)
  if (name !== undefined && !/^[a-zA-Z0-9_.-]{3,255}$/.test(name)) {
    scope.report.problem(
      TemplateFields.placeOf(resource.properties, "TableName"),
      `a table is named by 3 to 255 letters, digits, "_", "." or "-": not "${name}"`
    )
    return undefined
  }
  const shape =
    resource.type === "AWS::DynamoDB::Table"
      ? table(scope, resource.properties)
      : simpleTable(scope, resource.properties)
  return name === undefined ? undefined : { TableName: name, ...shape }
}

const table = (scope: TemplateScope, properties: TemplateMap): Entry => {
  const billing = TemplateFields.choice(scope, properties, "BillingMode", ["PROVISIONED", "PAY_PER_REQUEST"])
  TemplateFields.required(scope, properties, "KeySchema")
  TemplateFields.required(scope, properties, "AttributeDefinitions")
  const attributes = elements(scope, properties, "AttributeDefinitions", attribute)
  const keys = elements(scope, properties, "KeySchema", key)
  const globalIndexes = elements(scope, properties, "GlobalSecondaryIndexes", globalIndex)
  const localIndexes = elements(scope, properties, "LocalSecondaryIndexes", localIndex)
  checkAttributes(scope, properties, attributes, [
    ...keys,
    ...[...globalIndexes, ...localIndexes].flatMap(({ KeySchema }) => KeySchema)
  ])
  if (billing !== "PAY_PER_REQUEST" && !TemplateFields.has(scope, properties, "BillingMode")) {
    TemplateFields.required(scope, properties, "ProvisionedThroughput")
  }
  return {
    KeySchema: keys,
    AttributeDefinitions: attributes,
    BillingMode: billing ?? "PROVISIONED",
    ...throughput(scope, properties),
    ...(globalIndexes.length === 0 ? {} : { GlobalSecondaryIndexes: globalIndexes }),
    ...(localIndexes.length === 0 ? {} : { LocalSecondaryIndexes: localIndexes })
  }
}

const kinds = { String: "S", Number: "N", Binary: "B" } as const

/** A key of one attribute, `id` unless the template says otherwise. */
const simpleTable = (scope: TemplateScope, properties: TemplateMap): Entry => {
  const written = TemplateFields.map(scope, properties, "PrimaryKey")
  if (written !== undefined) {
    TemplateFields.check(scope, written, { honoured: ["Name", "Type"] })
    TemplateFields.required(scope, written, "Name")
    TemplateFields.required(scope, written, "Type")
  }
  const name = written === undefined ? "id" : TemplateFields.text(scope, written, "Name")
  const kind =
    written === undefined ? "String" : TemplateFields.choice(scope, written, "Type", ["String", "Number", "Binary"])
  const provisioned = throughput(scope, properties)
  return {
    KeySchema: [{ AttributeName: name, KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: name, AttributeType: kind === undefined ? undefined : kinds[kind] }],
    BillingMode: "ProvisionedThroughput" in provisioned ? "PROVISIONED" : "PAY_PER_REQUEST",
    ...provisioned
  }
}

const attribute = (scope: TemplateScope, map: TemplateMap) => {
  TemplateFields.check(scope, map, { honoured: ["AttributeName", "AttributeType"] })
  TemplateFields.required(scope, map, "AttributeName")
  TemplateFields.required(scope, map, "AttributeType")
  return {
    AttributeName: TemplateFields.text(scope, map, "AttributeName"),
    AttributeType: TemplateFields.choice(scope, map, "AttributeType", ["S", "N", "B"])
  }
}

const key = (scope: TemplateScope, map: TemplateMap) => {
  TemplateFields.check(scope, map, { honoured: ["AttributeName", "KeyType"] })
  TemplateFields.required(scope, map, "AttributeName")
  TemplateFields.required(scope, map, "KeyType")
  return {
    AttributeName: TemplateFields.text(scope, map, "AttributeName"),
    KeyType: TemplateFields.choice(scope, map, "KeyType", ["HASH", "RANGE"])
  }
}

const localIndex = (scope: TemplateScope, map: TemplateMap) => {
  TemplateFields.check(scope, map, {
    honoured: ["IndexName", "KeySchema", "Projection", "ProvisionedThroughput"],
    withoutEffect: {
      ContributorInsightsSpecification: "tables are not analysed",
      OnDemandThroughput: "throughput is what the machine gives",
      WarmThroughput: "throughput is what the machine gives"
    }
  })
  TemplateFields.required(scope, map, "IndexName")
  TemplateFields.required(scope, map, "KeySchema")
  TemplateFields.required(scope, map, "Projection")
  return {
    IndexName: TemplateFields.text(scope, map, "IndexName"),
    KeySchema: elements(scope, map, "KeySchema", key),
    Projection: projection(scope, map)
  }
}

const globalIndex = (scope: TemplateScope, map: TemplateMap) => ({
  ...localIndex(scope, map),
  ...throughput(scope, map)
})

const projection = (scope: TemplateScope, parent: TemplateMap) => {
  const map = TemplateFields.map(scope, parent, "Projection")
  if (map === undefined) {
    return undefined
  }
  TemplateFields.check(scope, map, { honoured: ["ProjectionType", "NonKeyAttributes"] })
  const others = TemplateFields.texts(scope, map, "NonKeyAttributes")
  return {
    ProjectionType: TemplateFields.choice(scope, map, "ProjectionType", ["ALL", "KEYS_ONLY", "INCLUDE"]),
    ...(others === undefined ? {} : { NonKeyAttributes: others })
  }
}

const throughput = (scope: TemplateScope, parent: TemplateMap): Entry => {
  const map = TemplateFields.map(scope, parent, "ProvisionedThroughput")
  if (map === undefined) {
    return {}
  }
  TemplateFields.check(scope, map, { honoured: ["ReadCapacityUnits", "WriteCapacityUnits"] })
  const range = { min: 1, max: Number.MAX_SAFE_INTEGER }
  const units = (name: string) =>
    TemplateFields.required(scope, map, name) ? TemplateFields.integer(scope, map, name, range) : undefined
  return {
    ProvisionedThroughput: {
      ReadCapacityUnits: units("ReadCapacityUnits"),
      WriteCapacityUnits: units("WriteCapacityUnits")
    }
  }
}

/** AWS wants exactly the attributes that keys are made of. */
const checkAttributes = (
  scope: TemplateScope,
  properties: TemplateMap,
  attributes: ReadonlyArray<{ readonly AttributeName: string | undefined }>,
  keys: ReadonlyArray<{ readonly AttributeName: string | undefined }>
): void => {
  const defined = new Set(attributes.map(({ AttributeName }) => AttributeName))
  const used = new Set(keys.map(({ AttributeName }) => AttributeName))
  const place = TemplateFields.placeOf(properties, "AttributeDefinitions")
  for (const name of [...used].filter((name) => !defined.has(name))) {
    scope.report.problem(place, `the key attribute "${name}" is not in AttributeDefinitions`)
  }
  for (const name of [...defined].filter((name) => !used.has(name))) {
    scope.report.problem(place, `the attribute "${name}" is part of no key, so it must not be defined`)
  }
}

const elements = <A>(
  scope: TemplateScope,
  parent: TemplateMap,
  name: string,
  read: (scope: TemplateScope, map: TemplateMap) => A
): ReadonlyArray<A> =>
  (TemplateFields.list(scope, parent, name) ?? []).flatMap((written) => {
    const element = TemplateIntrinsics.open(scope, written)
    if (element?._tag === "Map") {
      return [read(scope, element)]
    }
    if (element !== undefined && element._tag !== "Unknown") {
      scope.report.problem(element.place, `${name} is a list of maps, not of ${TemplateNodes.describe(element)}`)
    }
    return []
  })
