/**
 * Which types of resources a template may have, in the terms of {@link TemplateSupport}: those whose properties are on a list
 * there are honoured, those on the list here are without effect, and all others are refused.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
 */
import * as TemplateSupport from "./TemplateSupport.ts"
import { iam, kms, publishing } from "./TemplateSupport.ts"

/** Resources that change nothing that a function or its callers see. `*` ends a name that stands for all that begin so. */
const typesWithoutEffect: Readonly<Record<string, string>> = {
  "AWS::ApiGateway::Account": "the Gateway writes its own access log",
  "AWS::ApplicationAutoScaling::*": "capacity is what the template reserves, within the machine",
  "AWS::ApplicationInsights::*": "it watches an account",
  "AWS::Budgets::*": "nothing here is billed",
  "AWS::CDK::Metadata": "it describes how the template was made",
  "AWS::CertificateManager::*": "certificates are settings of the Gateway",
  "AWS::CloudFormation::WaitCondition*": "resources are ready when the stack is",
  "AWS::CloudWatch::*": "metrics and alarms are those of the Gateway and the Agent",
  "AWS::CodeDeploy::*": "a deploy replaces code at once; running calls finish on the old code",
  "AWS::EC2::EIP": "workers use the network of the machine",
  "AWS::EC2::InternetGateway": "workers use the network of the machine",
  "AWS::EC2::NatGateway": "workers use the network of the machine",
  "AWS::EC2::Route": "workers use the network of the machine",
  "AWS::EC2::RouteTable": "workers use the network of the machine",
  "AWS::EC2::SecurityGroup*": "workers use the network of the machine",
  "AWS::EC2::Subnet*": "workers use the network of the machine",
  "AWS::EC2::VPC": "workers use the network of the machine",
  "AWS::EC2::VPCEndpoint": "workers use the network of the machine",
  "AWS::EC2::VPCGatewayAttachment": "workers use the network of the machine",
  "AWS::IAM::*": iam,
  "AWS::KMS::*": kms,
  "AWS::Lambda::Alias": publishing,
  "AWS::Lambda::CodeSigningConfig": "code is not signed; what is deployed is named by its digest",
  "AWS::Lambda::LayerVersionPermission": iam,
  "AWS::Lambda::Permission": iam,
  "AWS::Lambda::Version": publishing,
  "AWS::Logs::LogGroup": "log lines of every function are kept",
  "AWS::Logs::LogStream": "log lines of every function are kept",
  "AWS::Logs::MetricFilter": "metrics are those of the Gateway and the Agent",
  "AWS::Logs::ResourcePolicy": iam,
  "AWS::RAM::*": "there are no other accounts to share with",
  "AWS::ResourceGroups::*": "it describes resources",
  "AWS::S3::BucketPolicy": iam,
  "AWS::SNS::TopicPolicy": iam,
  "AWS::SQS::QueuePolicy": iam,
  "AWS::Serverless::Connector": iam,
  "AWS::XRay::*": "there is no X-Ray"
}

/** Reasons for refusals that need more than "there is none here". */
const refusedTypes: Readonly<Record<string, string>> = {
  "AWS::ApiGateway::*": "routes are read from the events of functions; use an event of type Api",
  "AWS::ApiGatewayV2::*": "routes are read from the events of functions; use an event of type Api",
  "AWS::Cognito::*": "users and tokens are those of the Gateway",
  "AWS::Events::Rule": "there is no event bus; the event type Schedule is supported",
  "AWS::Lambda::EventInvokeConfig": "use the property EventInvokeConfig of AWS::Serverless::Function",
  "AWS::Lambda::EventSourceMapping": "there are no queues and streams to read from",
  "AWS::Lambda::Url": "there are no function URLs; give the function an event of type Api",
  "AWS::SQS::*": "there is no SQS; call the function asynchronously instead",
  "AWS::Scheduler::Schedule": "use the event type Schedule",
  "AWS::Serverless::HttpApi": "events of HTTP APIs have another format (payload 2.0); use the event type Api"
}

export type TypeSupport =
  | { readonly _tag: "Honoured"; readonly type: TemplateSupport.HonouredType }
  | { readonly _tag: "WithoutEffect"; readonly reason: string }
  | { readonly _tag: "Refused"; readonly reason: string }

export const ofType = (type: string): TypeSupport => {
  if (TemplateSupport.isHonoured(type)) {
    return { _tag: "Honoured", type }
  }
  const ineffective = lookUp(typesWithoutEffect, type)
  return ineffective === undefined
    ? { _tag: "Refused", reason: lookUp(refusedTypes, type) ?? "there is none here" }
    : { _tag: "WithoutEffect", reason: ineffective }
}

const lookUp = (reasons: Readonly<Record<string, string>>, type: string): string | undefined =>
  Object.hasOwn(reasons, type)
    ? reasons[type]
    : Object.entries(reasons).find(([name]) => name.endsWith("*") && type.startsWith(name.slice(0, -1)))?.[1]
