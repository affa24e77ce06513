// Authorizers that somebody else wrote around our function are held to the same.
import { type App, Duration, Fn, type Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
  WebSocketLambdaAuthorizer,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  http,
  httpIntegration,
  MOCK,
  platform,
  refusal,
  rest,
  restApi,
  webSocketIntegration,
} from './fixtures';

const SOURCES = [apigateway.IdentitySource.header('Authorization')];

/** Another REST API with an authorizer of its owner's, that calls our function. */
function foreign(
  make: (stack: Stack, handler: lambda.IFunction) => apigateway.IAuthorizer,
): string {
  const { stack, guard } = rest();
  const api = new apigateway.RestApi(stack, 'Foreign');
  api.root.addMethod('GET', MOCK, { authorizer: make(stack, guard.function) });
  return refusal(stack);
}

test('a cache is refused, wherever in the app it is', () => {
  const sentence = new RegExp(
    'Guarded/Theirs/Resource caches results, and a revoked credential would pass until the ' +
      'cache forgets it',
  );
  assert.match(
    foreign(
      (stack, handler) =>
        new apigateway.RequestAuthorizer(stack, 'Theirs', { handler, identitySources: SOURCES }),
    ),
    sentence,
  );
  const resultsCacheTtl = Duration.seconds(1);
  assert.match(
    foreign(
      (stack, handler) =>
        new apigateway.RequestAuthorizer(stack, 'Theirs', {
          handler,
          identitySources: SOURCES,
          resultsCacheTtl,
        }),
    ),
    sentence,
  );

  const { stack, guard } = rest();
  (guard.authorizer.node.defaultChild as apigateway.CfnAuthorizer).authorizerResultTtlInSeconds =
    undefined;
  assert.match(
    refusal(stack),
    /Guarded\/Guard\/Authorizer\/Resource caches results/,
    "API Gateway's own default is five minutes",
  );

  const overridden = rest();
  (overridden.guard.authorizer.node.defaultChild as apigateway.CfnAuthorizer).addPropertyOverride(
    'AuthorizerResultTtlInSeconds',
    60,
  );
  assert.match(refusal(overridden.stack), /Guarded\/Guard\/Authorizer\/Resource caches results/);
});

test('a TOKEN authorizer and an identity source are refused', () => {
  const resultsCacheTtl = Duration.seconds(0);
  const token = foreign(
    (stack, handler) =>
      new apigateway.TokenAuthorizer(stack, 'Theirs', { handler, resultsCacheTtl }),
  );
  assert.match(
    token,
    new RegExp(
      "Guarded/Theirs/Resource is a TOKEN authorizer, which sees neither the caller's address " +
        'nor the matched resource',
    ),
  );
  const sources = foreign(
    (stack, handler) =>
      new apigateway.RequestAuthorizer(stack, 'Theirs', {
        handler,
        identitySources: SOURCES,
        resultsCacheTtl,
      }),
  );
  assert.match(sources, /Guarded\/Theirs\/Resource has an identity source/);
});

test("somebody else's authorizer needs the gateway responses on its own API", () => {
  const resultsCacheTtl = Duration.seconds(0);
  const theirs = foreign(
    (stack, handler) =>
      new apigateway.RequestAuthorizer(stack, 'Theirs', {
        handler,
        identitySources: [],
        resultsCacheTtl,
      }),
  );
  assert.match(
    theirs,
    /Guarded\/Theirs\/Resource guards an API without the gateway response AUTHORIZER_FAILURE/,
  );
  assert.doesNotMatch(theirs, /Guarded\/Guard\/Authorizer\/Resource guards/);
});

test('an authorizer that is pointed at our function by an override is seen', () => {
  const { stack, guard } = rest();
  const api = new apigateway.RestApi(stack, 'Foreign');
  api.root.addMethod('GET', MOCK);
  const restApiId = api.restApiId;
  const theirs = new apigateway.CfnAuthorizer(stack, 'Theirs', {
    restApiId,
    name: 'theirs',
    type: 'TOKEN',
  });
  theirs.addPropertyOverride(
    'AuthorizerUri',
    `arn:aws:apigateway:x:lambda:path/functions/${guard.function.functionArn}/invocations`,
  );
  assert.match(refusal(stack), /Guarded\/Theirs is a TOKEN authorizer/);
});

test('a version or an alias of the function is the function', () => {
  const { stack, guard } = rest();
  const version = new lambda.CfnVersion(stack, 'Version', {
    functionName: guard.function.functionName,
  });
  const alias = new lambda.CfnAlias(stack, 'Alias', {
    functionName: guard.function.functionName,
    functionVersion: version.attrVersion,
    name: 'live',
  });
  const api = new apigateway.RestApi(stack, 'Foreign');
  new apigateway.CfnAuthorizer(stack, 'Theirs', {
    restApiId: api.restApiId,
    name: 'theirs',
    type: 'TOKEN',
    authorizerUri: `arn:aws:apigateway:x:lambda:path/2015-03-31/functions/${alias.ref}/invocations`,
  });
  api.root.addMethod('GET', MOCK);
  assert.match(refusal(stack), /Guarded\/Theirs is a TOKEN authorizer/);
});

test("the platform's own authorizers are looked after in the same way", () => {
  const { stack, latchkey } = platform();
  const authorizer = new apigateway.TokenAuthorizer(stack, 'Token', {
    handler: latchkey.functions.sampleAuthorizer,
  });
  restApi(stack).root.addMethod('GET', MOCK, { authorizer });
  const found = refusal(stack);
  assert.match(found, /Platform\/Token\/Resource is a TOKEN authorizer/);
  assert.match(found, /Platform\/Token\/Resource caches results/);

  const changed = platform();
  const api = changed.latchkey.template.getResource('Api') as apigateway.CfnRestApi;
  api.addPropertyOverride(
    'Body.components.securitySchemes.SampleAuthorizer.x-amazon-apigateway-authorizer.' +
      'authorizerResultTtlInSeconds',
    300,
  );
  assert.match(refusal(changed.stack), /Api \(SampleAuthorizer\) caches results/);
});

test('an OpenAPI document that names our function is read', () => {
  const { stack, guard } = rest();
  const authorizerUri = Fn.sub(
    'arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:' +
      'path/2015-03-31/functions/${It}/invocations',
    { It: guard.function.functionArn },
  );
  const scheme = {
    type: 'apiKey',
    name: 'Authorization',
    in: 'header',
    'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri },
  };
  new apigateway.CfnRestApi(stack, 'Document', {
    body: { openapi: '3.0.1', components: { securitySchemes: { Ours: scheme } } },
  });
  const found = refusal(stack);
  assert.match(found, /Guarded\/Document \(Ours\) is a TOKEN authorizer/);
  assert.match(found, /Guarded\/Document \(Ours\) caches results/);
  assert.match(found, /Guarded\/Document guards an API without the gateway response UNAUTHORIZED/);
});

test('an HTTP authorizer with a cache, or in the form that the function does not answer in, is refused', () => {
  const theirs = (
    props: ConstructorParameters<typeof HttpLambdaAuthorizer>[2],
    responses?: 'iam',
  ): string => {
    const { stack, guard, route } = http({ responses, publicRoutes: ['GET /theirs'] });
    route('/things', guard.authorizer);
    const other = new apigatewayv2.HttpApi(stack, 'Foreign');
    other.addRoutes({
      path: '/',
      integration: httpIntegration(),
      authorizer: new HttpLambdaAuthorizer('Theirs', guard.function, props),
    });
    route('/theirs');
    return refusal(stack);
  };
  const responseTypes = [HttpLambdaResponseType.SIMPLE];
  assert.match(theirs({ responseTypes }), /Theirs\/Resource caches results/);
  const resultsCacheTtl = Duration.seconds(0);
  assert.match(
    theirs({ responseTypes, resultsCacheTtl }, 'iam'),
    /expects simple responses and its function answers with iam ones/,
  );
});

test('a WebSocket authorizer of somebody else is none of a cache', () => {
  const { stack, guard } = rest();
  const api = new apigatewayv2.WebSocketApi(stack, 'Socket');
  api.addRoute('$connect', {
    integration: webSocketIntegration(),
    authorizer: new WebSocketLambdaAuthorizer('Theirs', guard.function),
  });
  (stack.node.root as App).synth();
});
