/** Everything the Gateway can be told. Names and defaults are part of its contract. */
import { ByteSize, Duration } from "effect"
import * as OwnImage from "../OwnImage.ts"
import * as Setting from "../Setting.ts"
import * as Sight from "../Sight.ts"

export const settings = {
  ...Setting.group("Listening", {
    host: Setting.Text("HOST", "Address to listen on", "127.0.0.1"),
    port: Setting.Port("PORT", "TCP port; 0 lets the system choose", 8080),
    allowedHosts: Setting.List(
      "ALLOWED_HOSTS",
      "Host names answered besides loopback names, when listening on a loopback address",
      []
    ),
    trustedProxies: Setting.List("TRUSTED_PROXIES", "Addresses or networks whose X-Forwarded-For is believed", []),
    sslCertPath: Setting.optional(Setting.Text)(
      "SSL_CERT_PATH",
      "PEM certificate; with SSL_KEY_PATH turns HTTPS on",
      "plain HTTP"
    ),
    sslKeyPath: Setting.optional(Setting.Text)("SSL_KEY_PATH", "PEM key of that certificate"),
    readyFd: Setting.optional(Setting.Int({ min: 3 }))(
      "ESB_READY_FD",
      "File descriptor told the URL once the Gateway answers",
      "nobody is told"
    ),
    drainTimeout: Setting.Seconds(
      "DRAIN_TIMEOUT",
      "How long calls in flight may take to end when the Gateway stops",
      Duration.seconds(30)
    )
  }),
  ...Setting.group("State and configuration", {
    home: Setting.Text("ESB_HOME", "Directory of the stack's state", ".esb"),
    ...OwnImage.settings,
    functionsConfigPath: Setting.optional(Setting.Text)(
      "FUNCTIONS_CONFIG_PATH",
      "functions.yml",
      "<ESB_HOME>/config/functions.yml"
    ),
    routingConfigPath: Setting.optional(Setting.Text)(
      "ROUTING_CONFIG_PATH",
      "routing.yml",
      "<ESB_HOME>/config/routing.yml"
    ),
    configReloadEnabled: Setting.Flag("CONFIG_RELOAD_ENABLED", "Watch these files", true),
    configReloadInterval: Setting.Seconds(
      "CONFIG_RELOAD_INTERVAL",
      "How often they are looked at when the system reports no change",
      Duration.seconds(1)
    ),
    ownerId: Setting.optional(Setting.Text)(
      "GATEWAY_OWNER_ID",
      "Who owns the workers this Gateway starts",
      "kept in ESB_HOME/owner"
    ),
    region: Setting.Text(
      ["AWS_REGION", "AWS_DEFAULT_REGION"],
      "Region told to functions and written into ARNs",
      "us-east-1"
    )
  }),
  ...Setting.group("Who may call", {
    invokeAuth: Setting.OneOf(["sigv4", "none"])(
      "INVOKE_AUTH",
      "How calls of the Invoke API prove themselves; none is for trusted networks",
      "sigv4"
    ),
    routeAuth: Setting.OneOf(["jwt", "template"])(
      "ROUTE_AUTH",
      "Whether routes want a token: always, or as the template says",
      "jwt"
    ),
    accessKeyId: Setting.Text("ESB_ACCESS_KEY_ID", "Access key of the stack", "esb"),
    secretAccessKey: Setting.required(Setting.Secret)("ESB_SECRET_ACCESS_KEY", "Its secret"),
    jwtSecretKey: Setting.required(Setting.Secret)("JWT_SECRET_KEY", "Signs tokens; at least 32 characters"),
    jwtExpiresDelta: Setting.Seconds("JWT_EXPIRES_DELTA", "How long a token is good", Duration.seconds(3000)),
    apiKey: Setting.required(Setting.Secret)("X_API_KEY", "Key that the token endpoint wants"),
    authUser: Setting.Text("AUTH_USER", "The user who may get a token", "admin"),
    authPass: Setting.required(Setting.Secret)("AUTH_PASS", "That user's password"),
    authEndpointPath: Setting.Text("AUTH_ENDPOINT_PATH", "Path of the token endpoint", "/user/auth/v1")
  }),
  ...Setting.group("Workers", {
    brand: Setting.Text("ESB_BRAND_SLUG", "First part of the names of workers", "esb"),
    environment: Setting.Text("ENV", "Second part of the names of workers", "local"),
    agentRuntime: Setting.OneOf(["process", "docker", "containerd"])(
      "AGENT_RUNTIME",
      "What starts workers: an engine behind an Agent, or process: without an Agent, child processes of this Gateway",
      "process"
    ),
    defaultMaxCapacity: Setting.Int({ min: 1 })("DEFAULT_MAX_CAPACITY", "Workers of a function that says nothing", 10),
    defaultMinCapacity: Setting.Int()("DEFAULT_MIN_CAPACITY", "Workers started ahead of calls", 0),
    workerMemory: Setting.optional(Setting.ByteSize)(
      "WORKER_MEMORY",
      "Memory the workers of one function may have together",
      "three quarters of the machine's"
    ),
    poolAcquireTimeout: Setting.Seconds(
      "POOL_ACQUIRE_TIMEOUT",
      "How long a call waits for a free worker before it is refused",
      Duration.seconds(2)
    ),
    poolMaxWaiting: Setting.Int()("POOL_MAX_WAITING", "Calls of one function that may wait at once", 1000),
    gatewayIdleTimeoutSeconds: Setting.Seconds(
      "GATEWAY_IDLE_TIMEOUT_SECONDS",
      "Idle workers are destroyed after this long",
      Duration.seconds(300)
    ),
    enableContainerPause: Setting.Flag("ENABLE_CONTAINER_PAUSE", "Freeze idle workers", true),
    pauseIdleSeconds: Setting.Seconds(
      "PAUSE_IDLE_SECONDS",
      "Idle workers are frozen after this long",
      Duration.seconds(30)
    ),
    heartbeatInterval: Setting.Seconds(
      "HEARTBEAT_INTERVAL",
      "How often containers that belong to no pool are looked for",
      Duration.seconds(30)
    ),
    orphanGracePeriodSeconds: Setting.Seconds(
      "ORPHAN_GRACE_PERIOD_SECONDS",
      "Such a container is left alone until it is this old",
      Duration.seconds(60)
    ),
    circuitBreakerThreshold: Setting.Int({ min: 1 })(
      "CIRCUIT_BREAKER_THRESHOLD",
      "Platform failures in a row after which calls of a function are refused",
      5
    ),
    circuitBreakerRecoveryTimeout: Setting.Seconds(
      "CIRCUIT_BREAKER_RECOVERY_TIMEOUT",
      "How long they are refused before one is tried",
      Duration.seconds(30)
    ),
    strictRuntimes: Setting.Flag(
      "STRICT_RUNTIMES",
      "Refuse a function whose exact interpreter version is missing",
      false
    ),
    initTimeout: Setting.Seconds(
      "INIT_TIMEOUT",
      "How long a worker may take to ask for its first call",
      Duration.seconds(10)
    ),
    runtimeApiBind: Setting.Text("AGENT_RUNTIME_API_BIND", "Address the workers' Runtime API listens on", "127.0.0.1"),
    runtimeApiPorts: Setting.PortRange("AGENT_RUNTIME_API_PORTS", "Ports for it, one per worker", {
      first: 20_000,
      last: 29_999
    })
  }),
  ...Setting.group("Agents", {
    agentAddresses: Setting.List(
      "AGENT_GRPC_ADDRESS",
      "Agents that start the workers, host:port each; an engine without any is looked for at agent:50051",
      []
    ),
    agentTls: Setting.Flag("AGENT_GRPC_TLS_ENABLED", "Speak TLS to them, and prove that this is a Gateway", true),
    agentTlsDisabled: Setting.Flag(
      "AGENT_GRPC_TLS_DISABLED",
      "Speak to them without TLS, whatever the line above says",
      false
    ),
    agentCaCertPath: Setting.Text(
      "AGENT_GRPC_TLS_CA_CERT_PATH",
      "Certificate of the authority that Agents must be certified by; esb certs makes all of them",
      "/app/config/ssl/rootCA.crt"
    ),
    agentCertPath: Setting.Text(
      "AGENT_GRPC_TLS_CERT_PATH",
      "Certificate of this Gateway",
      "/app/config/ssl/client.crt"
    ),
    agentKeyPath: Setting.Text("AGENT_GRPC_TLS_KEY_PATH", "Its key", "/app/config/ssl/client.key"),
    agentInvokeProxy: Setting.Flag(
      "AGENT_INVOKE_PROXY",
      "Send calls by gRPC through the Agent, where its data door cannot be reached",
      false
    )
  }),
  ...Setting.group("What functions are told", {
    internalUrl: Setting.optional(Setting.HttpUrl)(
      "GATEWAY_INTERNAL_URL",
      "Where functions reach this Gateway, as GATEWAY_INTERNAL_URL and AWS_ENDPOINT_URL_LAMBDA tell them",
      "the URL it answers at"
    ),
    s3Endpoint: Setting.optional(Setting.HttpUrl)(
      "S3_ENDPOINT",
      "Object store of functions, as AWS_ENDPOINT_URL_S3 tells them; by its address, SDKs put the bucket into the path",
      "none"
    ),
    s3PresignEndpoint: Setting.optional(Setting.HttpUrl)(
      "S3_PRESIGN_ENDPOINT",
      "The same store as callers from outside reach it, for links that functions make: AWS_PRESIGN_ENDPOINT_URL_S3",
      "none"
    ),
    dynamodbEndpoint: Setting.optional(Setting.HttpUrl)(
      "DYNAMODB_ENDPOINT",
      "Table store of functions, as AWS_ENDPOINT_URL_DYNAMODB tells them",
      "none"
    )
  }),
  ...Setting.group("Events", {
    eventQueueLimit: Setting.Int({ min: 1 })("EVENT_QUEUE_LIMIT", "Accepted events kept at most", 100_000),
    eventQueueBytes: Setting.ByteSize("EVENT_QUEUE_BYTES", "Their payloads together at most", ByteSize.gibibytes(1)),
    eventRetryBase: Setting.Seconds(
      "EVENT_RETRY_BASE",
      "Wait before the first retry of a failed event; the second waits twice as long",
      Duration.seconds(60)
    )
  }),
  ...Setting.group("Logs", {
    logLevel: Setting.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])(
      "LOG_LEVEL",
      "Least important line the Gateway writes about itself",
      "INFO"
    ),
    accessLog: Setting.Flag("ACCESS_LOG", "One line for every request", true),
    logMaxBytes: Setting.ByteSize("LOG_MAX_BYTES", "Size of the log store", ByteSize.mebibytes(512)),
    logMaxAge: Setting.Int({ min: 1 })("LOG_MAX_AGE_DAYS", "Days a line is kept", 7)
  }),
  ...Sight.settings(["GATEWAY_VICTORIALOGS_URL", "VICTORIALOGS_URL"])
}
export type GatewaySettings = Setting.Values<typeof settings>
