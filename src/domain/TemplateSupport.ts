/**
 * What of a template is honoured, what has no effect on one machine, and what is refused. This page is the whole policy, but for
 * the types of resources, which have a page of their own, `TemplateTypes`:
 *
 * - **honoured**: it works here as on AWS.
 * - **describes**: it tells people or accounts something and changes no call; accepted in silence.
 * - **withoutEffect**: it grants, encrypts, watches, names or places things in an account. A function and its callers see no
 *   difference, so it becomes a warning.
 * - **refused**: without it a function or its callers would see something else than on AWS. Refused by name and line;
 *   `allowUnsupported` turns that into a warning, and the thing is left out. What guards a door is never left open by that:
 *   a route whose protection is left out takes the Gateway's own tokens.
 *
 * A property that is on no list is a slip of the pen.
 *
 * @see https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-resources-and-properties.html
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
 */

/** The names of one map of a template; reasons are ends of sentences. */
export interface TemplateSupport {
  readonly honoured: ReadonlyArray<string>
  readonly describes?: ReadonlyArray<string>
  readonly withoutEffect?: Readonly<Record<string, string>>
  readonly refused?: Readonly<Record<string, string>>
}

/** Reasons that are ends of sentences, for properties and for whole resources. */
export const iam = "nothing here checks IAM; functions hold the key pair of the stack"
export const kms = "there is no KMS; protect the disk that holds the state"
const noQueues = "there is no SQS or SNS; let EventInvokeConfig.DestinationConfig.OnFailure name a function"
export const publishing = "no versions or aliases are published; callers use the name without a qualifier"
const managedInstances = "there are no Lambda managed instances"
const rateOfTables = "throughput is what the machine gives"

/** Properties that `AWS::Serverless::Function` and `AWS::Lambda::Function` share. */
const everyFunction = {
  honoured: [
    "Architectures",
    "Environment",
    "FunctionName",
    "Handler",
    "Layers",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "Runtime",
    "Timeout"
  ],
  describes: ["Description", "Tags", "RuntimeManagementConfig"],
  withoutEffect: {
    CodeSigningConfigArn: "code is not signed; what is deployed is named by its digest",
    EphemeralStorage: "the size of /tmp is a setting of the Agent",
    KmsKeyArn: kms,
    LoggingConfig: "log lines are kept as they are written",
    RecursiveLoop: "loops are not looked for",
    Role: iam,
    SnapStart: "workers start from their code, not from a snapshot",
    VpcConfig: "workers use the network of the machine"
  },
  refused: {
    CapacityProviderConfig: managedInstances,
    DurableConfig: "there are no durable executions",
    FileSystemConfigs: "there is no EFS to mount",
    FunctionScalingConfig: managedInstances,
    ImageConfig: "an image runs as it was built; give the image its own CMD",
    PublishToLatestPublished: managedInstances,
    TenancyConfig: "workers are not kept apart by tenant"
  }
} as const

/** Properties of the resources that are honoured. */
export const properties = {
  "AWS::Serverless::Function": {
    honoured: [
      ...everyFunction.honoured,
      "CodeUri",
      "EventInvokeConfig",
      "Events",
      "ImageUri",
      "InlineCode",
      "ProvisionedConcurrencyConfig"
    ],
    describes: [
      ...everyFunction.describes,
      "AssumeRolePolicyDocument",
      "AutoPublishAliasAllProperties",
      "AutoPublishCodeSha256",
      "PermissionsBoundary",
      "PropagateTags",
      "RolePath",
      "SourceKMSKeyArn",
      "VersionDescription",
      "VersionDeletionPolicy"
    ],
    withoutEffect: {
      ...everyFunction.withoutEffect,
      AutoPublishAlias: publishing,
      DeploymentPreference: "a deploy replaces code at once; running calls finish on the old code",
      Policies: iam,
      Tracing: "there is no X-Ray; the trace id reaches the function and its logs"
    },
    refused: {
      ...everyFunction.refused,
      DeadLetterQueue: noQueues,
      FunctionUrlConfig: "there are no function URLs; give the function an event of type Api"
    }
  },
  "AWS::Lambda::Function": {
    honoured: [...everyFunction.honoured, "Code"],
    describes: everyFunction.describes,
    withoutEffect: {
      ...everyFunction.withoutEffect,
      TracingConfig: "there is no X-Ray; the trace id reaches the function and its logs"
    },
    refused: { ...everyFunction.refused, DeadLetterConfig: noQueues }
  },
  "AWS::Serverless::LayerVersion": {
    honoured: ["ContentUri", "LayerName"],
    describes: [
      "CompatibleArchitectures",
      "CompatibleRuntimes",
      "Description",
      "LicenseInfo",
      "PublishLambdaVersion",
      "RetentionPolicy"
    ]
  },
  "AWS::Lambda::LayerVersion": {
    honoured: ["Content", "LayerName"],
    describes: ["CompatibleArchitectures", "CompatibleRuntimes", "Description", "LicenseInfo"]
  },
  "AWS::Serverless::Api": {
    honoured: ["Auth", "FailOnWarnings", "StageName"],
    describes: [
      "AlwaysDeploy",
      "Description",
      "MergeDefinitions",
      "Mode",
      "Models",
      "Name",
      "OpenApiVersion",
      "PropagateTags",
      "Tags"
    ],
    withoutEffect: {
      AccessLogSetting: "the Gateway writes its own access log",
      ApiKeySourceType: "there are no API keys",
      BinaryMediaTypes: "bodies that are not text always travel as base64",
      CacheClusterEnabled: "answers are not cached",
      CacheClusterSize: "answers are not cached",
      CanarySetting: "a deploy replaces what was there",
      Cors: "the Gateway itself answers preflight requests, for every origin and path",
      DisableExecuteApiEndpoint: "the Gateway has one address",
      EndpointAccessMode: "the Gateway has one address",
      EndpointConfiguration: "who reaches the Gateway is decided by the address it listens on",
      MethodSettings: "routes are not throttled, cached or logged one by one",
      MinimumCompressionSize: "answers are not compressed",
      SecurityPolicy: "TLS is a setting of the Gateway",
      TracingEnabled: "there is no X-Ray; the trace id reaches the function and its logs"
    },
    refused: {
      Domain: "routes have one name and no base path; certificates are settings of the Gateway",
      DefinitionBody: "routes are read from the events of functions, not from OpenAPI",
      DefinitionUri: "routes are read from the events of functions, not from OpenAPI",
      GatewayResponses: "the Gateway answers errors as API Gateway does by default",
      Policy: "addresses and accounts are not checked; the route would be open",
      Variables: "there are no stage variables; use Environment"
    }
  },
  "AWS::DynamoDB::Table": {
    honoured: [
      "AttributeDefinitions",
      "BillingMode",
      "GlobalSecondaryIndexes",
      "KeySchema",
      "LocalSecondaryIndexes",
      "ProvisionedThroughput",
      "TableName"
    ],
    describes: ["DeletionProtectionEnabled", "TableClass", "Tags"],
    withoutEffect: {
      ContributorInsightsSpecification: "tables are not analysed",
      OnDemandThroughput: rateOfTables,
      PointInTimeRecoverySpecification: "back up the volume of the store",
      ResourcePolicy: iam,
      SSESpecification: kms,
      StreamSpecification: "there are no streams; who reads one is refused where it says so",
      TimeToLiveSpecification: "items are not expired",
      WarmThroughput: rateOfTables
    },
    refused: {
      ImportSourceSpecification: "tables start empty",
      KinesisStreamSpecification: "there is no Kinesis"
    }
  },
  "AWS::Serverless::SimpleTable": {
    honoured: ["PrimaryKey", "ProvisionedThroughput", "TableName"],
    describes: ["Tags"],
    withoutEffect: {
      PointInTimeRecoverySpecification: "back up the volume of the store",
      SSESpecification: kms
    }
  },
  "AWS::S3::Bucket": {
    honoured: ["BucketName", "LifecycleConfiguration"],
    describes: ["Tags"],
    withoutEffect: {
      AbacStatus: iam,
      AccelerateConfiguration: "there is one store, and it is near",
      AccessControl: iam,
      AnalyticsConfigurations: "buckets are not analysed",
      BucketEncryption: kms,
      CorsConfiguration: "origins are a setting of the store",
      IntelligentTieringConfigurations: "there is one class of storage",
      InventoryConfigurations: "buckets are not analysed",
      LoggingConfiguration: "the store writes its own log",
      MetadataConfiguration: "buckets are not analysed",
      MetadataTableConfiguration: "buckets are not analysed",
      MetricsConfigurations: "buckets are not analysed",
      OwnershipControls: iam,
      PublicAccessBlockConfiguration: iam,
      VersioningConfiguration: "the bucket keeps the newest version of an object"
    },
    refused: {
      NotificationConfiguration: "buckets call no functions",
      ObjectLockConfiguration: "objects are not locked",
      ObjectLockEnabled: "objects are not locked",
      ReplicationConfiguration: "there is one store",
      WebsiteConfiguration: "buckets are not served as web sites"
    }
  }
} as const satisfies Record<string, TemplateSupport>

export type HonouredType = keyof typeof properties

export const isHonoured = (type: string): type is HonouredType => Object.hasOwn(properties, type)

/** Events of `AWS::Serverless::Function`. */
export const events = {
  Api: {
    honoured: ["Auth", "Method", "Path", "RestApiId"],
    withoutEffect: { TimeoutInMillis: "the Timeout of the function decides" },
    refused: {
      RequestModel: "bodies are not validated",
      RequestParameters: "parameters are not validated",
      ResponseTransferMode: "answers of routes are buffered"
    }
  },
  Schedule: {
    honoured: ["Enabled", "Input", "Schedule", "State"],
    describes: ["Description", "Name"],
    refused: { DeadLetterConfig: noQueues, RetryPolicy: "EventInvokeConfig of the function decides about retries" }
  },
  ScheduleV2: {
    honoured: ["FlexibleTimeWindow", "Input", "ScheduleExpression", "ScheduleExpressionTimezone", "State"],
    describes: ["Description", "GroupName", "Name", "OmitName", "PermissionsBoundary", "RoleArn"],
    withoutEffect: { KmsKeyArn: kms },
    refused: {
      DeadLetterConfig: noQueues,
      EndDate: "schedules have no end",
      RetryPolicy: "EventInvokeConfig of the function decides about retries",
      StartDate: "schedules begin when they are deployed"
    }
  }
} as const satisfies Record<string, TemplateSupport>

export type HonouredEvent = keyof typeof events

/** Sources of events that do not exist here, and what to use instead where there is something. */
export const refusedEvents: Readonly<Record<string, string>> = {
  HttpApi: "events of HTTP APIs have another format (payload 2.0); use the type Api",
  AlexaSkill: "there is no Alexa",
  CloudWatchEvent: "there is no event bus; the type Schedule is supported",
  CloudWatchLogs: "logs call no functions",
  Cognito: "there is no Cognito",
  DocumentDB: "there is no DocumentDB",
  DynamoDB: "tables have no streams",
  EventBridgeRule: "there is no event bus; the type Schedule is supported",
  IoTRule: "there is no IoT Core",
  Kinesis: "there is no Kinesis",
  MQ: "there is no Amazon MQ",
  MSK: "there is no Kafka",
  S3: "buckets call no functions",
  SelfManagedKafka: "there is no Kafka",
  SNS: "there is no SNS",
  SQS: "there is no SQS"
}

/** Every name that may be written. */
export const namesOf = (support: TemplateSupport): ReadonlyArray<string> => [
  ...support.honoured,
  ...(support.describes ?? []),
  ...Object.keys(support.withoutEffect ?? {}),
  ...Object.keys(support.refused ?? {})
]
