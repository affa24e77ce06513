// Made by translate.py of infra/template.yaml: change that, and run it again.

/**
 * The template's parameters, one property each.
 * Values are checked at synth by what the template says of them.
 */
export interface LatchkeyParameters {
  /**
   * The tokens' issuer: an https origin without path or trailing slash, at which this API answers
   * (a custom domain whose root is this stage). It must be an https origin in lower case, without
   * path and without trailing slash (http on loopback).
   */
  readonly issuer: string;
  /**
   * The audience of sandbox tokens. Must differ from the live one. It must be an absolute URI
   * without fragment.
   *
   * @default urn:latchkey:sandbox
   */
  readonly sandboxAudience?: string;
  /**
   * The audience of live tokens. Must differ from the sandbox one. It must be an absolute URI
   * without fragment.
   *
   * @default urn:latchkey:live
   */
  readonly liveAudience?: string;
  /**
   * What every secret begins with, so that scanners recognise one. Never changes once keys are
   * issued. It must be 2 to 12 lower-case letters.
   *
   * @default lk
   */
  readonly brand?: string;
  /**
   * How long an access token lives at most, 60 to 3600 seconds. A key's or secret's earlier expiry
   * cuts it. It must be 60 to 3600.
   *
   * @default 1800
   */
  readonly tokenLifetimeSeconds?: number;
  /**
   * A CSV file in the functions' file system that replaces the built-in catalogue of scopes, such
   * as /opt/scopes.csv of ScopeCatalogueLayer; empty for the built-in one. It must not contain an
   * apostrophe.
   *
   * @default - none
   */
  readonly scopeCatalogueFile?: string;
  /**
   * The ARN of a Lambda layer version that has ScopeCatalogueFile; empty when there is none.
   *
   * @default - none
   */
  readonly scopeCatalogueLayer?: string;
  /**
   * Where invitations of users point, an https address; empty when there is no portal. It must be
   * an https address (http on loopback), or empty.
   *
   * @default - none
   */
  readonly portalUrl?: string;
  /**
   * The processor that the functions are built for and run on: arm64 costs less per second, x86_64
   * is for builders without an arm64 target. cargo-lambda builds for what stands here.
   *
   * @default arm64
   */
  readonly architecture?: 'arm64' | 'x86_64';
  /**
   * The header in which a proxy in front of this API, such as a CloudFront distribution, writes its
   * caller's address and port: CloudFront-Viewer-Address. Empty when there is no such proxy. See
   * docs/proxy.md. It must be the name of a header, or empty.
   *
   * @default - none
   */
  readonly trustedProxyAddressHeader?: string;
  /**
   * The header in which that proxy proves itself, such as X-Latchkey-Proxy; empty when there is
   * none. It must be the name of a header, or empty.
   *
   * @default - none
   */
  readonly trustedProxyProofHeader?: string;
  /**
   * The whole ARN of the Secrets Manager secret that holds what that proxy sends as its proof,
   * encrypted under this stack's data key (infra/cloudfront.yaml makes it); empty when there is
   * none. It must be the ARN of a secret with its six last characters, or empty.
   *
   * @default - none
   */
  readonly trustedProxySecretArn?: string;
  /**
   * The one kind of token that the sample API accepts.
   *
   * @default sandbox
   */
  readonly sampleEnvironment?: 'sandbox' | 'live';
  /**
   * Whether the tables refuse to be deleted. Turn it off only to take a trial deployment down.
   *
   * @default true
   */
  readonly deletionProtection?: boolean;
  /**
   * The ARNs of the roles, with commas between them, that may touch what the tables and the pepper
   * hold beside the functions: those that run the latchkey command, and of authorizers that other
   * stacks attach. Everybody else in the account is then refused there, administrators too; the
   * policies themselves stay theirs to change. Empty to leave it to the account's own policies. It
   * must be ARNs of roles or users with commas between them, or empty.
   *
   * @default - none
   */
  readonly operatorRoleArn?: string;
  /**
   * How many days the functions' logs are kept.
   *
   * @default 90
   */
  readonly logRetentionDays?: number;
  /**
   * The ARN of a Secrets Manager secret, {"client_id", "client_secret"} of a key of an organization
   * made for the canary (docs/canary.md), sealed under the stack's data key; empty for no canary.
   * It must be the ARN of a secret, or empty.
   *
   * @default - none
   */
  readonly canarySecretArn?: string;
  /**
   * Minutes between two rounds of the canary. Each makes a key and revokes it, which stays listed
   * for 90 days.
   *
   * @default 30
   */
  readonly canaryRateMinutes?: number;
  /**
   * The call that the canary makes with its keys, a GET that any valid credential of their kind may
   * make. It must be a path.
   *
   * @default /v1/whoami
   */
  readonly canaryPath?: string;
  /**
   * Calls a second that the sample product's usage plan lets through, of all its callers together
   * (APT-9). More get 429.
   *
   * @default 100
   */
  readonly sampleRateLimit?: number;
  /**
   * Calls that the sample product's usage plan lets through at once before the rate counts.
   *
   * @default 200
   */
  readonly sampleBurstLimit?: number;
  /**
   * Calls in a SampleQuotaPeriod that the sample product's usage plan lets through, of all its
   * callers together; 0 for no quota.
   *
   * @default 0
   */
  readonly sampleQuota?: number;
  /**
   * How long SampleQuota is for. A period begins at midnight UTC, on Sundays, or on the first of
   * the month.
   *
   * @default MONTH
   */
  readonly sampleQuotaPeriod?: 'DAY' | 'WEEK' | 'MONTH';
  /**
   * Calls a second that the stage lets through to each method, of all callers together, so that one
   * API does not use up the account's 10,000.
   *
   * @default 1000
   */
  readonly apiRateLimit?: number;
  /**
   * Calls that the stage lets through to each method at once before ApiRateLimit counts.
   *
   * @default 500
   */
  readonly apiBurstLimit?: number;
  /**
   * Concurrent executions kept for each of the two authorizers, which is also the most that each
   * can have; 0 keeps none. Lambda refuses to leave less than 100 (in new accounts with a limit of
   * 10, less than 10) for the account's other functions, so a new account cannot keep any: raise
   * its limit first.
   *
   * @default 0
   */
  readonly authorizerReservedConcurrency?: number;
  /**
   * API Gateway writes access logs by one role per account and Region. keep leaves that setting
   * alone and needs it set; the deployment fails with "CloudWatch Logs role ARN must be set in
   * account settings" where it is not. create sets it to a role of this stack, for every API of the
   * account in this Region.
   *
   * @default keep
   */
  readonly accessLogRole?: 'keep' | 'create';
  /**
   * Whether API Gateway counts each method by itself. CloudWatch charges each such metric; those of
   * the whole API are there and free in any case.
   *
   * @default false
   */
  readonly methodMetrics?: boolean;
  /**
   * Which of the two KMS keys for sandbox tokens there are: a, ab while one takes over from the
   * other, or b. A step changes one letter: see docs/signing-keys.md, which says when.
   *
   * @default a
   */
  readonly sandboxSigningKeys?: 'a' | 'ab' | 'b';
  /**
   * Which of the two KMS keys for live tokens there are: a, ab while one takes over from the other,
   * or b. A step changes one letter: see docs/signing-keys.md, which says when.
   *
   * @default a
   */
  readonly liveSigningKeys?: 'a' | 'ab' | 'b';
  /**
   * The ARN of an SNS topic that alarms go to, whose policy (and key) must let
   * cloudwatch.amazonaws.com and events.amazonaws.com publish; empty for none, or for a topic of
   * the stack's own: see AlarmEmail. It must be the ARN of an SNS topic, or empty.
   *
   * @default - none
   */
  readonly alarmTopicArn?: string;
  /**
   * Who gets alarms by email, through an encrypted topic of the stack's own; must be confirmed by
   * the link in the first mail. Empty for nobody. Not together with AlarmTopicArn. It must be an
   * email address, or empty.
   *
   * @default - none
   */
  readonly alarmEmail?: string;
  /**
   * The ARNs of the roles, with commas between them, by which CloudFormation changes this stack:
   * the deployer's, or the service role that it gives CloudFormation. What CloudFormation changes
   * by them rings no alarm of functions, roles and API; what the same roles change by themselves
   * does. Empty, and every deployment rings. It must be ARNs of roles with commas between them, or
   * empty.
   *
   * @default - none
   */
  readonly deploymentRoleArn?: string;
  /**
   * From how many refusals of one sort in five minutes on (addresses outside an allowlist; secrets
   * that are nobody's) there is an alarm.
   *
   * @default 100
   */
  readonly denialAlarmThreshold?: number;
  /**
   * Above which duration of one decision in a hundred, for fifteen minutes, there is an alarm. Cold
   * starts count.
   *
   * @default 1500
   */
  readonly authorizerLatencyAlarmMilliseconds?: number;
  /**
   * How long an audit event may wait for its link in the chain before there is an alarm. A day
   * later it is lost to the stream.
   *
   * @default 300000
   */
  readonly auditAgeAlarmMilliseconds?: number;
  /**
   * managed puts a web ACL in front of the API: AWS's managed rules (common, known bad inputs,
   * addresses of bad reputation) and a limit for each address. It costs by the month and by the
   * call. none leaves it out.
   *
   * @default none
   */
  readonly webAcl?: 'none' | 'managed';
  /**
   * With WebAcl=managed, how many calls of one address in five minutes pass. Many callers may share
   * an address.
   *
   * @default 10000
   */
  readonly webAclRateLimit?: number;
  /**
   * The VPC that the functions run in; empty for none, which is safe: everything that they speak to
   * is an HTTPS endpoint of AWS's that demands their role's signature. For organizations whose
   * rules want one. With SubnetIds. It must be the id of a VPC, or empty.
   *
   * @default - none
   */
  readonly vpcId?: string;
  /**
   * The private subnets of VpcId that the functions run in, in two availability zones or more,
   * comma-separated. It must be ids of subnets, separated by commas without spaces, or empty.
   *
   * @default - none
   */
  readonly subnetIds?: string;
  /**
   * Whether the stack makes the endpoints that its functions need in VpcId (DynamoDB, KMS, Secrets
   * Manager), admitting this account alone. keep relies on what the VPC has: endpoints, or a NAT
   * gateway. The canary needs a NAT gateway in any case.
   *
   * @default create
   */
  readonly vpcEndpoints?: 'create' | 'keep';
  /**
   * The route tables of SubnetIds, comma-separated, for DynamoDB's endpoint. Only with
   * VpcEndpoints=create. It must be ids of route tables, separated by commas without spaces, or
   * empty.
   *
   * @default - none
   */
  readonly routeTableIds?: string;
}

/** The parameter that each property stands for. */
export const PARAMETERS: Readonly<Record<keyof LatchkeyParameters, string>> = {
  issuer: 'Issuer',
  sandboxAudience: 'SandboxAudience',
  liveAudience: 'LiveAudience',
  brand: 'Brand',
  tokenLifetimeSeconds: 'TokenLifetimeSeconds',
  scopeCatalogueFile: 'ScopeCatalogueFile',
  scopeCatalogueLayer: 'ScopeCatalogueLayer',
  portalUrl: 'PortalUrl',
  architecture: 'Architecture',
  trustedProxyAddressHeader: 'TrustedProxyAddressHeader',
  trustedProxyProofHeader: 'TrustedProxyProofHeader',
  trustedProxySecretArn: 'TrustedProxySecretArn',
  sampleEnvironment: 'SampleEnvironment',
  deletionProtection: 'DeletionProtection',
  operatorRoleArn: 'OperatorRoleArn',
  logRetentionDays: 'LogRetentionDays',
  canarySecretArn: 'CanarySecretArn',
  canaryRateMinutes: 'CanaryRateMinutes',
  canaryPath: 'CanaryPath',
  sampleRateLimit: 'SampleRateLimit',
  sampleBurstLimit: 'SampleBurstLimit',
  sampleQuota: 'SampleQuota',
  sampleQuotaPeriod: 'SampleQuotaPeriod',
  apiRateLimit: 'ApiRateLimit',
  apiBurstLimit: 'ApiBurstLimit',
  authorizerReservedConcurrency: 'AuthorizerReservedConcurrency',
  accessLogRole: 'AccessLogRole',
  methodMetrics: 'MethodMetrics',
  sandboxSigningKeys: 'SandboxSigningKeys',
  liveSigningKeys: 'LiveSigningKeys',
  alarmTopicArn: 'AlarmTopicArn',
  alarmEmail: 'AlarmEmail',
  deploymentRoleArn: 'DeploymentRoleArn',
  denialAlarmThreshold: 'DenialAlarmThreshold',
  authorizerLatencyAlarmMilliseconds: 'AuthorizerLatencyAlarmMilliseconds',
  auditAgeAlarmMilliseconds: 'AuditAgeAlarmMilliseconds',
  webAcl: 'WebAcl',
  webAclRateLimit: 'WebAclRateLimit',
  vpcId: 'VpcId',
  subnetIds: 'SubnetIds',
  vpcEndpoints: 'VpcEndpoints',
  routeTableIds: 'RouteTableIds',
};

/** The functions that every platform has, by their names in the template. */
export const FUNCTIONS = {
  audit: 'AuditFunction',
  compactor: 'CompactorFunction',
  keys: 'KeysFunction',
  managementAuthorizer: 'ManagementAuthorizerFunction',
  management: 'ManagementFunction',
  sampleApi: 'SampleApiFunction',
  sampleAuthorizer: 'SampleAuthorizerFunction',
  tokens: 'TokensFunction',
} as const;
