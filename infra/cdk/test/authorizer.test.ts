// The authorizer in front of one's own API: what it is made of, and that it is the sample
// authorizer of the template.
import { type App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as cloudwatchActions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LatchkeyAuthorizer, type LatchkeyAuthorizerProps } from '../lib';
import { PLATFORM } from '../lib/template';
import {
  CODE,
  guarded,
  httpIntegration,
  MOCK,
  newApp,
  platform,
  rest,
  restApi,
  ROUTES,
  webSocketIntegration,
  X86_CODE,
} from './fixtures';
import { canonical } from './template-values';

function variables(template: Template): Record<string, unknown> {
  const [made] = Object.values(
    template.findResources('AWS::Lambda::Function', { Properties: { Handler: 'bootstrap' } }),
  );
  return made?.Properties.Environment.Variables;
}

test('x_7_it_takes_one_kind_of_credential_by_a_map_of_routes', () => {
  const made = variables(rest({ environment: 'live', audience: 'urn:latchkey:live' }).template());
  assert.equal(made.LATCHKEY_ACCEPTED_KINDS, 'live');
  assert.equal(made.LATCHKEY_LIVE_AUDIENCE, 'urn:latchkey:live');
  assert.equal(made.LATCHKEY_ROUTES, '{"GET /things":["accounts:read"]}');
  assert.equal(made.LATCHKEY_ISSUER, 'https://auth.example.com');
  assert.equal(made.LATCHKEY_CORE_TABLE, 'core');
});

test('x_7_a_rest_authorizer_has_no_cache_and_no_identity_source', () => {
  const template = rest().template();
  template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
    Type: 'REQUEST',
    AuthorizerResultTtlInSeconds: 0,
    IdentitySource: Match.absent(),
  });
  template.hasResourceProperties('AWS::ApiGateway::Method', {
    AuthorizationType: 'CUSTOM',
    AuthorizerId: Match.anyValue(),
  });
  template.hasResourceProperties('AWS::Lambda::Permission', {
    Principal: 'apigateway.amazonaws.com',
    SourceArn: Match.anyValue(),
  });
});

test('x_7_on_rest_the_401_403_and_503_are_those_of_the_platform', () => {
  const body = PLATFORM.Resources.Api?.Properties?.Body as Record<string, Record<string, unknown>>;
  const wanted = body['x-amazon-apigateway-gateway-responses'] ?? {};
  const found = Object.values(rest().template().findResources('AWS::ApiGateway::GatewayResponse'));
  const statuses = found.map(({ Properties }) => {
    const {
      ResponseType,
      ResponseParameters: responseParameters,
      ResponseTemplates: responseTemplates,
      StatusCode: statusCode,
    } = Properties;
    assert.deepEqual({ responseParameters, responseTemplates, statusCode }, wanted[ResponseType]);
    return `${ResponseType} ${statusCode}`;
  });
  assert.deepEqual(statuses.sort(), [
    'ACCESS_DENIED 403',
    'AUTHORIZER_CONFIGURATION_ERROR 503',
    'AUTHORIZER_FAILURE 503',
    'UNAUTHORIZED 401',
  ]);
});

test('a change of the gateway responses or the authorizer makes another deployment of the API', () => {
  const deployment = (template: Template): string[] =>
    Object.keys(template.findResources('AWS::ApiGateway::Deployment'));
  const guardedApi = rest().template();
  const { stack } = guarded();
  restApi(stack).root.addResource('things').addMethod('GET', MOCK);
  assert.notDeepEqual(deployment(guardedApi), deployment(Template.fromStack(stack)));
  const [made] = Object.values(guardedApi.findResources('AWS::ApiGateway::Deployment'));
  const after = JSON.stringify(made?.DependsOn);
  assert.match(after, /GuardAuthorizer/);
  assert.match(after, /GuardUNAUTHORIZED/);
});

test('x_7_forwarded_headers_are_not_trusted_unless_a_proxy_proves_itself', () => {
  const proxied = (made: Record<string, unknown>): unknown[] =>
    ['ADDRESS_HEADER', 'PROOF_HEADER', 'SECRET'].map(
      (name) => made[`LATCHKEY_TRUSTED_PROXY_${name}`],
    );
  assert.deepEqual(
    proxied(variables(rest().template())).filter((it) => it !== '' && it !== undefined),
    [],
  );

  const { stack, latchkey } = guarded();
  const secret = new secretsmanager.Secret(stack, 'Proof');
  const trustedProxy = {
    addressHeader: 'CloudFront-Viewer-Address',
    proofHeader: 'X-Proof',
    secret,
  };
  const template = rest({ trustedProxy }, { stack, latchkey }).template();
  assert.deepEqual(proxied(variables(template)), [
    'CloudFront-Viewer-Address',
    'X-Proof',
    stack.resolve(secret.secretArn),
  ]);
  const [policy] = Object.values(template.findResources('AWS::IAM::RolePolicy'));
  const reads = policy?.Properties.PolicyDocument.Statement.filter(
    (it: Record<string, unknown>) => it.Action === 'secretsmanager:GetSecretValue',
  );
  assert.match(
    JSON.stringify(reads),
    new RegExp(stack.getLogicalId(secret.node.defaultChild as never)),
    'its role reads the secret',
  );
});

test('its function, role and policy are those of the sample authorizer, but for what it is told', () => {
  const { stack, latchkey } = platform();
  const guard = rest({}, { stack, latchkey });
  const template = guard.template();
  const names = Object.fromEntries(
    [latchkey.template, guard.guard.node.findChild('Template')].flatMap((scope) =>
      scope.node.children
        .filter((it) => 'logicalId' in it)
        .map((it) => [stack.getLogicalId(it as never), it.node.id]),
    ),
  );
  const of = (scope: string, name: string): Record<string, unknown> => {
    const [id] = Object.entries(names).find(([id, it]) => it === name && id.startsWith(scope)) ?? [
      '',
    ];
    const { Type, Properties, DependsOn, DeletionPolicy } = template.toJSON().Resources[id];
    return canonical({ Type, Properties, DependsOn, DeletionPolicy }, {}, names) as Record<
      string,
      unknown
    >;
  };
  for (const name of ['Role', 'Policy', 'Function', 'Logs'].map(
    (part) => `SampleAuthorizer${part}`,
  )) {
    const [mine, sample] = [of('Guard', name), of('Latchkey', name)].map(
      (it) => it.Properties as Record<string, unknown>,
    );
    const told = { Code: 0, Description: 0, Environment: 0, LogGroupName: 0, KmsKeyId: 0 };
    assert.deepEqual({ ...mine, ...told }, { ...sample, ...told }, name);
  }
  const given = (scope: string): Record<string, unknown> =>
    (
      of(scope, 'SampleAuthorizerFunction').Properties as {
        Environment: { Variables: Record<string, unknown> };
      }
    ).Environment.Variables;
  const { LATCHKEY_ROUTES: _, LATCHKEY_USAGE_KEY: __, ...sample } = given('Latchkey');
  const { LATCHKEY_ROUTES, ...mine } = given('Guard');
  assert.equal(LATCHKEY_ROUTES, JSON.stringify(ROUTES));
  const tables = ['LATCHKEY_CORE_TABLE', 'LATCHKEY_FEED_TABLE'];
  assert.deepEqual(
    { ...mine, ...Object.fromEntries(tables.map((name) => [name, sample[name]])) },
    sample,
  );
  for (const name of tables) {
    // CDK takes a table's name from its ARN.
    assert.match(
      JSON.stringify(mine[name]),
      new RegExp(String(sample[name]).replace(/\W/g, '').concat('.*Arn')),
    );
  }
});

test('concurrency, logs and usage are as they are told', () => {
  const { stack, latchkey } = guarded();
  const logEncryptionKey = new kms.Key(stack, 'LogKey');
  const props: Partial<LatchkeyAuthorizerProps> = {
    reservedConcurrentExecutions: 20,
    logRetentionDays: 30,
    logEncryptionKey,
    usageKey: 'things',
    architecture: 'x86_64',
    code: X86_CODE,
  };
  const template = rest(props, { stack, latchkey }).template();
  template.hasResourceProperties('AWS::Lambda::Function', {
    ReservedConcurrentExecutions: 20,
    Architectures: ['x86_64'],
    Environment: { Variables: Match.objectLike({ LATCHKEY_USAGE_KEY: 'things' }) },
  });
  template.hasResourceProperties('AWS::Logs::LogGroup', {
    RetentionInDays: 30,
    KmsKeyId: stack.resolve(logEncryptionKey.keyArn),
  });
  const plain = rest().template();
  plain.hasResourceProperties('AWS::Lambda::Function', {
    ReservedConcurrentExecutions: Match.absent(),
    Environment: { Variables: Match.objectLike({ LATCHKEY_USAGE_KEY: Match.absent() }) },
  });
  plain.hasResourceProperties('AWS::Logs::LogGroup', {
    LogGroupName: Match.absent(),
    KmsKeyId: Match.absent(),
  });
});

test('it runs in a VPC when it is told', () => {
  const vpc = {
    vpcId: 'vpc-0123456789abcdef0',
    subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
    securityGroupId: 'sg-0123456789abcdef0',
  };
  const template = rest({ vpc }).template();
  // Lambda makes network interfaces in the role's name, or the function is not made.
  const [policy] = Object.values(template.findResources('AWS::IAM::Policy'));
  assert.match(JSON.stringify(policy?.Properties.PolicyDocument), /ec2:CreateNetworkInterface/);
  assert.match(
    JSON.stringify(policy?.Properties.Roles),
    /^\[{"Ref":"Guard[A-Za-z0-9]*SampleAuthorizerRole[A-Z0-9]*"}\]$/,
  );
  const [made] = Object.values(template.findResources('AWS::Lambda::Function'));
  assert.equal(made?.DependsOn.length, 2, 'it waits for both policies');
  rest().template().resourceCountIs('AWS::IAM::Policy', 0);
  template.hasResourceProperties('AWS::Lambda::Function', {
    VpcConfig: { SubnetIds: vpc.subnetIds, SecurityGroupIds: [vpc.securityGroupId] },
  });
  rest().template().hasResourceProperties('AWS::Lambda::Function', { VpcConfig: Match.absent() });
});

function filters(template: Template): { Properties: Record<string, any> }[] {
  return Object.values(template.findResources('AWS::Logs::MetricFilter')) as never;
}

// LEAK-7: an alarm that an attached API goes around is none.
test('leak_7_what_it_refuses_is_counted_with_what_the_platform_refuses', () => {
  const { latchkey, stack } = platform();
  const other = new Stack(stack.node.root, 'Other');
  for (const [guarded, name] of [
    [rest(), 'platform'],
    [rest({}, { stack: other, latchkey }), 'Platform'],
  ] as const) {
    const template = guarded.template();
    const logGroup = Object.keys(template.findResources('AWS::Logs::LogGroup'));
    assert.equal(logGroup.length, 1);
    const counted = filters(template).map(({ Properties }) => {
      assert.deepEqual(Properties.LogGroupName, { Ref: logGroup[0] });
      const [metric] = Properties.MetricTransformations;
      assert.equal(metric.MetricNamespace, `Latchkey/${name}`);
      assert.equal(metric.MetricValue, '1');
      return [metric.MetricName, Properties.FilterPattern];
    });
    assert.deepEqual(counted.sort(), [
      ['FeedStale', '{ $.message = "refused" && $.reason = "feed_stale" }'],
      ['IpNotAllowed', '{ $.message = "refused" && $.reason = "ip_*" }'],
      ['WrongSecrets', '{ $.message = "refused" && $.reason = "secret_wrong" }'],
    ]);
  }
});

test('alarms say what keeps it from deciding, when they are asked for', () => {
  rest().template().resourceCountIs('AWS::CloudWatch::Alarm', 0);
  const { stack, latchkey } = guarded();
  const topic = new sns.Topic(stack, 'Pager');
  const template = rest(
    { alarms: [new cloudwatchActions.SnsAction(topic)] },
    { stack, latchkey },
  ).template();
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
  assert.equal(alarms.length, 3);
  for (const { Properties } of alarms) {
    assert.deepEqual(Properties.AlarmActions, [stack.resolve(topic.topicArn)]);
  }
  const [filter] = filters(template).filter(
    ({ Properties }) => Properties.MetricTransformations[0].MetricNamespace === 'Latchkey',
  );
  assert.equal(
    filter?.Properties.FilterPattern,
    '{ $.outcome = "unavailable" }',
    'as shared/web/src/refusal.rs writes it',
  );
  const metric = filter?.Properties.MetricTransformations[0].MetricName;
  assert.ok(alarms.some(({ Properties }) => Properties.MetricName === metric));
});

test('x_7_an_http_api_is_guarded_with_payload_2_0_in_either_form', () => {
  for (const [responses, simple] of [
    [undefined, true],
    ['simple', true],
    ['iam', false],
  ] as const) {
    const { stack, latchkey } = guarded();
    const api = new apigatewayv2.HttpApi(stack, 'Http');
    const guard = LatchkeyAuthorizer.forHttp(stack, 'Guard', {
      latchkey,
      api,
      environment: 'sandbox',
      routes: ROUTES,
      code: CODE,
      responses,
    });
    api.addRoutes({
      path: '/things',
      methods: [apigatewayv2.HttpMethod.GET],
      integration: httpIntegration(),
      authorizer: guard.authorizer,
    });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'REQUEST',
      AuthorizerPayloadFormatVersion: '2.0',
      AuthorizerResultTtlInSeconds: 0,
      EnableSimpleResponses: simple,
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', {
      AuthorizationType: 'CUSTOM',
      AuthorizerId: Match.anyValue(),
    });
    assert.equal(variables(template).LATCHKEY_HTTP_API_RESPONSE, simple ? 'simple' : 'iam');
  }
});

test('x_7_a_websocket_api_is_guarded_at_connect', () => {
  const { stack, latchkey } = guarded();
  const api = new apigatewayv2.WebSocketApi(stack, 'Socket');
  const routes = { $connect: [] };
  const guard = LatchkeyAuthorizer.forWebSocket(stack, 'Guard', {
    latchkey,
    api,
    environment: 'sandbox',
    routes,
    code: CODE,
  });
  api.addRoute('$connect', { integration: webSocketIntegration(), authorizer: guard.authorizer });
  api.addRoute('$default', { integration: webSocketIntegration() });
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    AuthorizerType: 'REQUEST',
    AuthorizerResultTtlInSeconds: Match.absent(),
    IdentitySource: Match.absent(),
  });
  template.hasResourceProperties('AWS::ApiGatewayV2::Route', {
    RouteKey: '$connect',
    AuthorizationType: 'CUSTOM',
  });
});

test('an API of another app is guarded where its id is known', () => {
  const { stack, latchkey } = guarded();
  const api = apigateway.RestApi.fromRestApiAttributes(stack, 'Theirs', {
    restApiId: 'abc123',
    rootResourceId: 'root',
  });
  const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', {
    latchkey,
    api,
    environment: 'sandbox',
    routes: ROUTES,
    code: CODE,
  });
  api.root.addResource('things').addMethod('GET', MOCK, guard.methodOptions);
  Template.fromStack(stack).hasResourceProperties('AWS::ApiGateway::Authorizer', {
    RestApiId: 'abc123',
  });
});

test('routes of methods that are L1 constructs are seen', () => {
  const { stack, api, guard } = rest({
    routes: { ...ROUTES, 'GET /v1/things/{id}': ['accounts:read'], 'ANY /': [] },
  });
  const v1 = new apigateway.CfnResource(stack, 'V1', {
    restApiId: api.restApiId,
    parentId: api.restApiRootResourceId,
    pathPart: 'v1',
  });
  const things = new apigateway.CfnResource(stack, 'All', {
    restApiId: api.restApiId,
    parentId: v1.ref,
    pathPart: 'things',
  });
  const one = new apigateway.CfnResource(stack, 'One', {
    restApiId: api.restApiId,
    parentId: things.ref,
    pathPart: '{id}',
  });
  const { authorizerId } = guard.authorizer;
  for (const [id, resourceId, httpMethod] of [
    ['Get', one.ref, 'GET'],
    ['Any', api.restApiRootResourceId, 'ANY'],
  ] as const) {
    new apigateway.CfnMethod(stack, id, {
      restApiId: api.restApiId,
      resourceId,
      httpMethod,
      authorizationType: 'CUSTOM',
      authorizerId,
    });
  }
  Template.fromStack(stack).resourceCountIs('AWS::ApiGateway::Method', 3);
});

test('a platform in another stack of the app, or in the same one, serves as well', () => {
  const app: App = newApp();
  const { latchkey } = platform({}, app);
  const stack = new Stack(app, 'Guarded');
  const { template } = rest({}, { stack, latchkey });
  assert.match(JSON.stringify(variables(template()).LATCHKEY_CORE_TABLE), /Fn::ImportValue/);
});
