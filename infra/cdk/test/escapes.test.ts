// What the template says counts: an override, or a resource that is written without a construct of
// its own, escapes nothing.
import { type App, CfnResource, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LatchkeyAuthorizer } from '../lib';
import { CODE, guarded, http, MOCK, refusal, resource, rest, ROUTES } from './fixtures';

const inner = (construct: { node: { defaultChild?: unknown } }): CfnResource =>
  construct.node.defaultChild as CfnResource;

function guardedHttp() {
  const made = http();
  made.route('/things', made.guard.authorizer);
  return made;
}

test('an API that is described by its own resource is refused', () => {
  for (const name of ['Target', 'RouteKey', 'Body', 'BodyS3Location']) {
    const { stack, api } = guardedHttp();
    inner(api).addPropertyOverride(
      name,
      name === 'BodyS3Location' ? { Bucket: 'b', Key: 'k' } : 'https://things.example.com',
    );
    assert.match(
      refusal(stack),
      new RegExp(`Guarded/Http/Resource has ${name}, which makes routes that cannot be seen`),
    );
  }
  for (const name of ['Body', 'BodyS3Location', 'CloneFrom']) {
    const { stack, api } = rest();
    inner(api).addPropertyOverride(name, name === 'CloneFrom' ? 'abc' : { openapi: '3.0.1' });
    assert.match(
      refusal(stack),
      new RegExp(`Guarded/Rest/Resource has ${name}, which makes routes that cannot be seen`),
    );
  }
});

test('a cache of responses is refused', () => {
  const sentence = new RegExp(
    "caches responses of a guarded API, and API Gateway's cache does not heed the " +
      'Authorization header',
  );
  const staged = (deployOptions: apigateway.StageOptions): string => {
    const { stack, latchkey } = guarded();
    const api = new apigateway.RestApi(stack, 'Rest', { deployOptions });
    const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', {
      latchkey,
      api,
      environment: 'sandbox',
      routes: ROUTES,
      code: CODE,
    });
    api.root.addResource('things').addMethod('GET', MOCK, guard.methodOptions);
    return refusal(stack);
  };
  assert.match(staged({ cachingEnabled: true }), sentence);
  assert.match(staged({ cacheClusterEnabled: true }), sentence);
  assert.match(staged({ methodOptions: { '/things/GET': { cachingEnabled: true } } }), sentence);

  const overridden = rest();
  inner(overridden.api.deploymentStage).addPropertyOverride('MethodSettings', [
    { CachingEnabled: 'true' },
  ]);
  assert.match(refusal(overridden.stack), sentence);

  for (const StageDescription of [
    { CachingEnabled: true },
    { CacheClusterEnabled: { Ref: 'AWS::NoValue' } },
    { MethodSettings: [{ CachingEnabled: true }] },
  ]) {
    const { stack, api } = rest();
    inner(api.latestDeployment as apigateway.Deployment).addPropertyOverride(
      'StageDescription',
      StageDescription,
    );
    assert.match(refusal(stack), sentence, JSON.stringify(StageDescription));
  }

  const raw = rest();
  new CfnResource(raw.stack, 'Raw', {
    type: 'AWS::ApiGateway::Stage',
    properties: { RestApiId: raw.api.restApiId, StageName: 'raw', CacheClusterEnabled: true },
  });
  assert.match(refusal(raw.stack), /Guarded\/Raw caches responses/);

  const off = rest();
  inner(off.api.deploymentStage).addPropertyOverride('MethodSettings', [
    { CachingEnabled: false, HttpMethod: '*' },
  ]);
  (off.stack.node.root as App).synth();
});

test('a route with another authorizer than its construct says is open', () => {
  const { stack, api } = rest();
  const method = api.node.findChild('Default').node.findChild('things').node.findChild('GET');
  inner(method).addPropertyOverride('AuthorizerId', 'abc123');
  assert.match(refusal(stack), /GET \/things is open to everybody/);

  const made = guardedHttp();
  const routes = made.api.node.findAll().filter((it) => CfnResource.isCfnResource(it));
  routes
    .filter((it) => it.cfnResourceType === 'AWS::ApiGatewayV2::Route')
    .forEach((it) => it.addPropertyOverride('AuthorizerId', 'abc123'));
  assert.match(refusal(made.stack), /GET \/things is open to everybody/);
});

test('an authorizer that is pointed at another function is refused', () => {
  const sentence = /does not call the authorizer's function/;
  const made = rest();
  inner(made.guard.authorizer).addPropertyOverride(
    'AuthorizerUri',
    'arn:aws:apigateway:x:lambda:path/functions/other/invocations',
  );
  assert.match(refusal(made.stack), sentence);
});

test('a method or a route that is written as a plain resource is seen', () => {
  const plain = (
    type: string,
    ids: (made: ReturnType<typeof rest>) => Record<string, unknown>,
  ): string => {
    const made = rest();
    new CfnResource(made.stack, 'Raw', {
      type,
      properties: { HttpMethod: 'POST', AuthorizationType: 'NONE', ...ids(made) },
    });
    return refusal(made.stack);
  };
  const open = /POST \/things is open to everybody/;
  const things = (made: ReturnType<typeof rest>) =>
    made.api.root.getResource('things')?.resourceId ?? '';
  assert.match(
    plain('AWS::ApiGateway::Method', (made) => ({
      RestApiId: made.api.restApiId,
      ResourceId: things(made),
    })),
    open,
  );
  const named = plain('AWS::ApiGateway::Method', ({ stack, api }) => {
    const id = Stack.of(api).getLogicalId(inner(api));
    return {
      RestApiId: { Ref: id },
      ResourceId: { 'Fn::GetAtt': [id, 'RootResourceId'] },
      Stack: stack.stackName,
    };
  });
  assert.match(named, /POST \/ is open to everybody/);

  const { stack, api } = guardedHttp();
  new CfnResource(stack, 'Raw', {
    type: 'AWS::ApiGatewayV2::Route',
    properties: { ApiId: api.apiId, RouteKey: '$default', AuthorizationType: 'NONE' },
  });
  assert.match(refusal(stack), /\$default is open to everybody/);
});

test('an authorizer that is written as a plain resource is held to the same', () => {
  const { stack, guard } = rest();
  const api = new apigateway.RestApi(stack, 'Foreign');
  api.root.addMethod('GET', MOCK);
  const called = resource<lambda.CfnFunction>(guard, 'SampleAuthorizerFunction');
  const uri = { 'Fn::Sub': `arn:x:\${${stack.getLogicalId(called)}.Arn}` };
  new CfnResource(stack, 'Raw', {
    type: 'AWS::ApiGateway::Authorizer',
    properties: { RestApiId: api.restApiId, Type: 'TOKEN', AuthorizerUri: uri },
  });
  new CfnResource(stack, 'RawHttp', {
    type: 'AWS::ApiGatewayV2::Authorizer',
    properties: {
      ApiId: 'abc',
      AuthorizerType: 'REQUEST',
      AuthorizerPayloadFormatVersion: '2.0',
      AuthorizerUri: uri,
    },
  });
  const found = refusal(stack);
  assert.match(found, /Guarded\/Raw is a TOKEN authorizer/);
  assert.match(found, /Guarded\/Raw guards an API without the gateway response UNAUTHORIZED/);
  assert.match(found, /Guarded\/RawHttp caches results/);
});

test('a gateway response that was changed is refused, and a plain one counts', () => {
  for (const [name, value] of [
    ['ResponseType', 'THROTTLED'],
    ['ResponseTemplates', { 'application/json': '$context.authorizer.claims' }],
  ] as const) {
    const { stack, guard } = rest();
    inner(guard.node.findChild('UNAUTHORIZED') as apigateway.GatewayResponse).addPropertyOverride(
      name,
      value,
    );
    const found = refusal(stack);
    assert.match(found, /Guarded\/Guard\/UNAUTHORIZED\/Resource was changed/);
    assert.equal(/without the gateway response UNAUTHORIZED/.test(found), name === 'ResponseType');
  }
  const { stack, api } = rest();
  new CfnResource(stack, 'Raw', {
    type: 'AWS::ApiGateway::GatewayResponse',
    properties: { RestApiId: api.restApiId, ResponseType: 'UNAUTHORIZED', StatusCode: '200' },
  });
  assert.match(refusal(stack), /with two gateway responses UNAUTHORIZED/);
});

test('a route map that is not the one that was checked is refused', () => {
  const { stack, guard } = rest();
  const made = resource<lambda.CfnFunction>(guard, 'SampleAuthorizerFunction');
  made.addPropertyOverride('Environment.Variables.LATCHKEY_ROUTES', '{"GET /things":[]}');
  assert.match(refusal(stack), /LATCHKEY_ROUTES is not the map that routes has/);
});
