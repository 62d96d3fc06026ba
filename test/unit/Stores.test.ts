import { assert, describe, it } from "@effect/vitest"
import * as Stores from "#programs/gateway/Stores"

const none = { s3Endpoint: undefined, s3PresignEndpoint: undefined, dynamodbEndpoint: undefined }

describe("Stores", () => {
  it("tells functions of each store under the names that SDKs look for, and under the older ones", () => {
    const endpoints = {
      s3Endpoint: "http://10.89.0.4:9000",
      s3PresignEndpoint: "https://files.example",
      dynamodbEndpoint: "http://10.89.0.5:8000"
    }
    assert.deepStrictEqual(Stores.told(endpoints), {
      AWS_ENDPOINT_URL_S3: "http://10.89.0.4:9000",
      S3_PRESIGN_ENDPOINT: "https://files.example",
      AWS_PRESIGN_ENDPOINT_URL_S3: "https://files.example",
      AWS_ENDPOINT_URL_DYNAMODB: "http://10.89.0.5:8000",
      AWS_ENDPOINT_URL_DYNAMO: "http://10.89.0.5:8000"
    })
  })

  it("tells nothing of a store that is not there", () => {
    assert.deepStrictEqual(Stores.told(none), {})
    assert.deepStrictEqual(Object.keys(Stores.told({ ...none, s3Endpoint: "http://s3" })), ["AWS_ENDPOINT_URL_S3"])
  })
})
