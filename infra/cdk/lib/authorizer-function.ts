// The authorizer in front of one's own API: the sample authorizer of the template, for
// another API.
import { Stack, Token } from 'aws-cdk-lib';
import type * as apigateway from 'aws-cdk-lib/aws-apigateway';
import type * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

import { alarmsOf } from './alarms';
import { LatchkeyCode } from './code';
import { inspectAuthorizers, isEmpty, variablesOf } from './inspection';
import { type ILatchkey, include, onlyOneLibrary, setCode } from './latchkey';
import { proxyFaults } from './proxy';
import { objections, type Routes, scopesOf } from './routes';
import { AUTHORIZER, objection, taken, type Values } from './template';

/**
 * A proxy in front of the API, such as CloudFront, whose word on the caller's address is taken
 * because it proves itself.
 */
export interface TrustedProxy {
  /**
   * The header in which the proxy says the caller's address, such as `CloudFront-Viewer-Address`.
   */
  readonly addressHeader: string;
  /** The header in which the proxy sends the secret. */
  readonly proofHeader: string;
  /**
   * The secret: JSON with `current` and, while it rotates, `previous`. Sealed under the platform's
   * `dataKey`, or under no key of yours.
   */
  readonly secret: secretsmanager.ISecret;
}

/**
 * Where in a VPC the function runs. It must reach DynamoDB and Secrets Manager from there, by
 * endpoints or a NAT gateway.
 */
export interface AuthorizerVpc {
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
}

export interface LatchkeyAuthorizerProps {
  /** The platform whose keys and tokens are to open the API. */
  readonly latchkey: ILatchkey;
  /** The one kind of credential that the API takes. */
  readonly environment: 'sandbox' | 'live';
  /** Which scopes open which route. What is not in it is closed. */
  readonly routes: Routes;
  /**
   * Routes that everybody may call without a credential, such as `OPTIONS /v1/things` for browsers.
   * Every other route of the API must have the authorizer.
   *
   * @default - none
   */
  readonly publicRoutes?: readonly string[];
  /**
   * The audience that the tokens must name.
   *
   * @default - the platform's audience of this environment; any other is refused, since no token
   * names it
   */
  readonly audience?: string;
  /** @default - built by cargo-lambda */
  readonly code?: LatchkeyCode;
  /** @default arm64 */
  readonly architecture?: 'arm64' | 'x86_64';
  /**
   * A CSV file here with the scopes of a platform that has a catalogue of its own.
   *
   * @default - the built-in catalogue
   */
  readonly scopeCatalogue?: string;
  /**
   * @default - forwarded headers are not trusted: the caller's address is the one that API Gateway
   * sees
   */
  readonly trustedProxy?: TrustedProxy;
  /**
   * What a REST API's usage plan counts the callers under (its `apiKeySourceType` is then
   * AUTHORIZER).
   *
   * @default - none
   */
  readonly usageKey?: string;
  /** @default - the function runs outside any VPC of yours */
  readonly vpc?: AuthorizerVpc;
  /**
   * The name of its role, for a platform whose `operatorRoleArn` shuts others out: the role's ARN
   * must be in that list.
   *
   * @default - CloudFormation makes one up
   */
  readonly roleName?: string;
  /**
   * Concurrent executions kept for the authorizer, which is also the most that it can have.
   *
   * @default - none
   */
  readonly reservedConcurrentExecutions?: number;
  /** @default - as the template has it */
  readonly logRetentionDays?: number;
  /** @default - the logs are encrypted by CloudWatch Logs' own key */
  readonly logEncryptionKey?: kms.IKey;
  /**
   * Alarms on what keeps the authorizer from deciding, and what they do.
   *
   * @default - none
   */
  readonly alarms?: readonly cloudwatch.IAlarmAction[];
}

export interface RestProps extends LatchkeyAuthorizerProps {
  readonly api: apigateway.IRestApi;
  /**
   * Whether the answers 401, 403 and 503 of the API are set here, in the platform's words. When
   * not, the API must have them.
   *
   * @default true
   */
  readonly gatewayResponses?: boolean;
}

export interface HttpProps extends LatchkeyAuthorizerProps {
  readonly api: apigatewayv2.IHttpApi;
  /** @default simple */
  readonly responses?: 'simple' | 'iam';
}

export interface WebSocketProps extends Omit<LatchkeyAuthorizerProps, 'publicRoutes'> {
  readonly api: apigatewayv2.IWebSocketApi;
}

// Lambda's limit of all variables of a function together, names and values.
const ENVIRONMENT_BYTES = 4096;

/**
 * An authorizer's function, its role, logs and alarms. The kinds of API each have their own
 * (attachments.ts).
 */
export abstract class AuthorizerFunction extends Construct {
  readonly function: lambda.IFunction;
  readonly role: iam.IRole;
  readonly logGroup: logs.ILogGroup;
  readonly alarms: readonly cloudwatch.Alarm[];
  /** The function as it will stand in the template. */
  protected readonly made: lambda.CfnFunction;

  /** @param answers how HTTP APIs are answered, for those alone */
  constructor(
    scope: Construct,
    id: string,
    props: LatchkeyAuthorizerProps,
    answers?: 'simple' | 'iam',
  ) {
    super(scope, id);
    onlyOneLibrary(this);
    refuse(this, faults(this, props));
    const resources = include(this, AUTHORIZER, valuesOf(props));
    const get = <T>(name: string): T => resources.getResource(`SampleAuthorizer${name}`) as T;

    const logGroup = get<logs.CfnLogGroup>('Logs');
    // The template's name and key are for the platform's own stack. Without a name CloudFormation
    // makes one up, so that a stack that is made anew does not meet the log group that the last one
    // left.
    logGroup.logGroupName = undefined;
    logGroup.kmsKeyId = props.logEncryptionKey?.keyArn;

    // Whatever refuses, the platform's alarms ring: its metrics are named by its stack.
    for (const name of ['FeedStale', 'IpNotAllowed', 'WrongSecret']) {
      get<logs.CfnMetricFilter>(`${name}Count`).addPropertyOverride(
        'MetricTransformations.0.MetricNamespace',
        `Latchkey/${props.latchkey.stackName}`,
      );
    }

    this.made = get('Function');
    this.made.description = `Decides every call of ${this.node.path}.`;
    const { variables, ...environment } = this.made.environment as {
      variables: Record<string, string>;
    };
    const { LATCHKEY_USAGE_KEY: _, ...kept } = variables;
    this.made.environment = {
      ...environment,
      variables: {
        ...kept,
        LATCHKEY_ROUTES: JSON.stringify(props.routes),
        ...(answers === undefined ? {} : { LATCHKEY_HTTP_API_RESPONSE: answers }),
        ...(props.usageKey === undefined ? {} : { LATCHKEY_USAGE_KEY: props.usageKey }),
      },
    };
    // Lambda refuses a function in a VPC whose role may not connect it yet.
    resources.node.children
      .filter((it) => it instanceof iam.CfnPolicy)
      .forEach((it) => this.made.addDependency(it));
    setCode(this, this.made, props.code ?? LatchkeyCode.fromSource());

    const functionArn = this.made.attrArn;
    this.function = lambda.Function.fromFunctionAttributes(this, 'Function', {
      functionArn,
      sameEnvironment: true,
    });
    const role = get<iam.CfnRole>('Role');
    role.roleName = props.roleName;
    this.role = iam.Role.fromRoleArn(this, 'Role', role.attrArn, { mutable: false });
    this.logGroup = logs.LogGroup.fromLogGroupArn(this, 'Logs', logGroup.attrArn);
    this.alarms = alarmsOf(this, this.function, logGroup, props.alarms);
    const reasons = (): string[] => [
      ...inspectAuthorizers([this.made]),
      ...environmentFaults(variablesOf(this.made), props.routes),
      ...this.inspect(),
    ];
    this.node.addValidation({ validate: reasons });
  }

  /** What is wrong with the API that it guards. */
  protected abstract inspect(): string[];
}

/** Refuses at once, where the caller's line stands in the trace. */
export function refuse(scope: Construct, reasons: readonly string[]): void {
  if (reasons.length > 0) {
    throw new Error(reasons.map((reason) => `${scope.node.path}: ${reason}`).join('\n'));
  }
}

/** What cannot be right whatever the API is. */
function faults(scope: Construct, props: LatchkeyAuthorizerProps): string[] {
  const { latchkey, environment, audience, trustedProxy } = props;
  // JavaScript may say what the types do not let.
  const kinds: Record<string, string> = {
    sandbox: latchkey.sandboxAudience,
    live: latchkey.liveAudience,
  };
  if (!(environment in kinds)) {
    return [
      `environment is '${String(environment)}': an authorizer takes sandbox or live, never ` +
        'both, or a sandbox credential would open a live API.',
    ];
  }
  const found = objections(props.routes, catalogueOf(props));
  if (audience !== undefined && audience !== kinds[environment]) {
    found.push(
      `audience is '${audience}', and the platform's ${environment} tokens name ` +
        `'${kinds[environment]}': none would be accepted.`,
    );
  }
  if (
    trustedProxy !== undefined &&
    [trustedProxy.addressHeader, trustedProxy.proofHeader, trustedProxy.secret].some(isEmpty)
  ) {
    found.push(
      'trustedProxy needs addressHeader, proofHeader and secret: a header that anybody can ' +
        'send proves nothing by itself.',
    );
  }
  const sealed = trustedProxy?.secret?.encryptionKey;
  if (sealed !== undefined && sealed.keyArn !== latchkey.dataKey.keyArn) {
    found.push(
      "the proxy's secret is sealed under a key that the authorizer may not use: seal it under " +
        "the platform's dataKey, or give it none.",
    );
  }
  if (latchkey.scopeCatalogueFile !== '' && props.scopeCatalogue === undefined) {
    found.push(
      'the platform has a catalogue of scopes of its own: name that file here by ' +
        'scopeCatalogue, so that routes can be checked.',
    );
  }
  if (latchkey.operatorRoleArn !== '' && !isLetIn(latchkey.operatorRoleArn, props.roleName)) {
    found.push(
      "the platform's tables refuse every role that its operatorRoleArn does not list: give " +
        'the authorizer a roleName, and list its ARN there.',
    );
  }
  for (const { account, region } of [
    latchkey.tables.core,
    latchkey.pepperSecret,
    latchkey.dataKey,
  ].map((it) => it.env)) {
    const home = Stack.of(latchkey);
    found.push(...elsewhere(scope, known(account, home.account), known(region, home.region)));
  }
  return [...new Set(found)];
}

function catalogueOf(props: LatchkeyAuthorizerProps): ReadonlySet<string> | undefined {
  return props.latchkey.scopeCatalogueFile !== '' && props.scopeCatalogue === undefined
    ? undefined
    : scopesOf(props.scopeCatalogue);
}

/**
 * Whether a list of roles that is known by now has the role; one that is not known cannot be looked
 * into.
 */
function isLetIn(list: string, roleName: string | undefined): boolean {
  return (
    roleName !== undefined &&
    (Token.isUnresolved(list) || list.split(',').some((arn) => arn.endsWith(`:role/${roleName}`)))
  );
}

function known(value: string, otherwise: string): string {
  return Token.isUnresolved(value) ? otherwise : value;
}

/**
 * Tables of other accounts need policies that the template does not have; those of other Regions
 * cannot be reached.
 */
function elsewhere(scope: Construct, account: string, region: string): string[] {
  const mine = Stack.of(scope);
  const differs = (one: string, other: string): boolean =>
    !Token.isUnresolved(one) && !Token.isUnresolved(other) && one !== other;
  return differs(mine.account, account) || differs(mine.region, region)
    ? [
        `the platform is in account ${account}, Region ${region}, and this stack in ` +
          `${mine.account}, ${mine.region}: an authorizer works in the platform's account ` +
          'and Region.',
      ]
    : [];
}

/**
 * The values of the fragment's parameters: the template's own, and what it names of the platform.
 */
function valuesOf(props: LatchkeyAuthorizerProps): Values {
  const { latchkey, trustedProxy } = props;
  const said: Record<string, unknown> = {
    Issuer: latchkey.issuer,
    Brand: latchkey.brand,
    SandboxAudience: latchkey.sandboxAudience,
    LiveAudience: latchkey.liveAudience,
    ScopeCatalogueFile: latchkey.scopeCatalogueFile,
    ScopeCatalogueLayer: latchkey.scopeCatalogueLayer,
    SampleEnvironment: props.environment,
    Architecture: props.architecture,
    AuthorizerReservedConcurrency: props.reservedConcurrentExecutions,
    LogRetentionDays: props.logRetentionDays,
    TrustedProxyAddressHeader: trustedProxy?.addressHeader,
    TrustedProxyProofHeader: trustedProxy?.proofHeader,
    TrustedProxySecretArn: trustedProxy?.secret.secretArn,
    VpcId: props.vpc?.vpcId,
    SubnetIds: props.vpc?.subnetIds.join(','),
    FunctionsSecurityGroup: props.vpc?.securityGroupId ?? '',
    CoreTable: latchkey.tables.core.tableName,
    CoreTableArn: latchkey.tables.core.tableArn,
    FeedTable: latchkey.tables.feed.tableName,
    FeedTableArn: latchkey.tables.feed.tableArn,
    PepperSecret: latchkey.pepperSecret.secretArn,
    DataKeyArn: latchkey.dataKey.keyArn,
  };
  const values = Object.entries(AUTHORIZER.Parameters).map(([name, rules]) => {
    const value = said[name] ?? rules.Default;
    if (value === undefined) {
      throw new Error(
        `lib/authorizer-function.ts does not know ${name}, which the template's sample ` +
          'authorizer now uses',
      );
    }
    const wrong = objection(rules, value);
    if (wrong !== undefined) {
      throw new Error(`${name} ${wrong}, and is '${String(value)}'.`);
    }
    return [name, taken(rules, value)];
  });
  return Object.fromEntries(values) as Values;
}

/** What is wrong with the function's variables, whoever set them. */
function environmentFaults(variables: Readonly<Record<string, unknown>>, routes: Routes): string[] {
  const found: string[] = [];
  const kinds = variables.LATCHKEY_ACCEPTED_KINDS;
  if (kinds !== 'sandbox' && kinds !== 'live') {
    found.push(
      `LATCHKEY_ACCEPTED_KINDS is '${String(kinds)}': an authorizer takes sandbox or live, ` +
        'never both.',
    );
  }
  if (variables.LATCHKEY_ROUTES !== JSON.stringify(routes)) {
    found.push(
      'LATCHKEY_ROUTES is not the map that routes has: change routes, where scopes and routes ' +
        'are checked.',
    );
  }
  found.push(...proxyFaults(variables));
  // A name that is not known before the deployment is counted as nothing: what is refused here
  // Lambda refuses for certain.
  const bytes = Object.entries(variables).map(([name, value]) =>
    Buffer.byteLength(name + (typeof value === 'string' ? value : '')),
  );
  const total = bytes.reduce((sum, one) => sum + one, 0);
  if (total > ENVIRONMENT_BYTES) {
    const map = Buffer.byteLength(String(variables.LATCHKEY_ROUTES));
    found.push(
      `the function's variables take ${total} bytes, of which the route map has ${map}, and ` +
        `Lambda holds ${ENVIRONMENT_BYTES}: join methods to ANY, or split the API among two ` +
        'authorizers.',
    );
  }
  return found;
}
