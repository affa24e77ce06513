// What is unsafe stops the synthesis, with a sentence that says so.
import { type App, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Latchkey, LatchkeyAuthorizer, type RestProps } from '../lib';
import { RESERVED_HEADERS } from '../lib/proxy';
import {
  CDK,
  CODE,
  directory,
  guarded,
  http,
  httpIntegration,
  ISSUER,
  MOCK,
  newApp,
  platform,
  refusal,
  resource,
  rest,
  restApi,
  ROUTES,
  webSocketIntegration,
} from './fixtures';

test('the guarded API of these tests is one that is not refused', () => {
  const { stack } = rest();
  (stack.node.root as App).synth();
});

// -- Of the properties ----------------------------------------------------------------------------

test('an empty route map, a wrong route and an unknown scope are refused', () => {
  const refused: [Record<string, string[]>, RegExp][] = [
    [{}, /Guarded\/Guard: routes is empty: nobody could call anything/],
    [{ 'GET /things': ['account:read'] }, /unknown scope for 'GET \/things': 'account:read'/],
    [{ 'GET things': [] }, /wrong route 'GET things'/],
    [{ 'get /things': [] }, /wrong route 'get \/things'/],
    [{ $default: [] }, /routes has '\$default', and REST APIs have no such route/],
  ];
  for (const [routes, sentence] of refused) {
    assert.throws(() => rest({ routes }), sentence, JSON.stringify(routes));
  }
});

test('a platform with scopes of its own is asked for its catalogue, which is then what counts', () => {
  const own = { scopeCatalogueFile: '/opt/scopes.csv' };
  assert.throws(
    () => rest({}, guarded({}, own)),
    /has a catalogue of scopes of its own: name that file here by scopeCatalogue/,
  );
  const scopeCatalogue = join(directory(), 'scopes.csv');
  writeFileSync(scopeCatalogue, 'scope,organization\nships:read,yes\n');
  const routes = { 'GET /things': ['ships:read'] };
  (rest({ routes, scopeCatalogue }, guarded({}, own)).stack.node.root as App).synth();
  assert.throws(
    () => rest({ scopeCatalogue }, guarded({}, own)),
    /unknown scope for 'GET \/things': 'accounts:read'/,
  );
});

test('both kinds at once are refused', () => {
  for (const environment of ['sandbox,live', 'production', '']) {
    const props = { environment } as unknown as Partial<RestProps>;
    assert.throws(
      () => rest(props),
      /an authorizer takes sandbox or live, never both/,
      environment,
    );
  }
  const { stack, guard } = rest();
  const made = resource<lambda.CfnFunction>(guard, 'SampleAuthorizerFunction');
  made.addPropertyOverride('Environment.Variables.LATCHKEY_ACCEPTED_KINDS', 'sandbox,live');
  assert.match(refusal(stack), /LATCHKEY_ACCEPTED_KINDS is 'sandbox,live'/);
});

test('the audience of the other kind, or of nobody, is refused', () => {
  for (const audience of ['urn:latchkey:live', 'https://things.example.com', '']) {
    assert.throws(
      () => rest({ audience }),
      /sandbox tokens name 'urn:latchkey:sandbox': none would be accepted/,
      audience,
    );
  }
});

test('a trusted header without a proxy that proves itself is refused', () => {
  const { stack, latchkey } = guarded();
  const secret = new secretsmanager.Secret(stack, 'Proof');
  const whole = { addressHeader: 'CloudFront-Viewer-Address', proofHeader: 'X-Proof', secret };
  for (const lacking of ['addressHeader', 'proofHeader', 'secret'] as const) {
    const trustedProxy = {
      ...whole,
      [lacking]: lacking === 'secret' ? undefined : '',
    } as unknown as typeof whole;
    assert.throws(
      () => rest({ trustedProxy }, { stack: new Stack(newApp(), `Without${lacking}`), latchkey }),
      /trustedProxy needs addressHeader, proofHeader and secret/,
    );
  }
  for (const [change, sentence] of [
    [
      { addressHeader: 'X-Forwarded-For' },
      /x-forwarded-for is trusted as the header of a proxy, and callers write it too/,
    ],
    [
      { proofHeader: 'cloudfront-viewer-address' },
      /cloudfront-viewer-address is to carry both the address and the proof/,
    ],
  ] as const) {
    const it = guarded();
    const mine = new secretsmanager.Secret(it.stack, 'Proof');
    assert.match(
      refusal(rest({ trustedProxy: { ...whole, secret: mine, ...change } }, it).stack),
      sentence,
    );
  }
  const it = guarded();
  const encryptionKey = new kms.Key(it.stack, 'Key');
  const sealed = new secretsmanager.Secret(it.stack, 'Proof', { encryptionKey });
  assert.throws(
    () => rest({ trustedProxy: { ...whole, secret: sealed } }, it),
    /sealed under a key that the authorizer may not use/,
  );

  const made = rest();
  const authorizer = resource<lambda.CfnFunction>(made.guard, 'SampleAuthorizerFunction');
  authorizer.addPropertyOverride(
    'Environment.Variables.LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER',
    'X-Forwarded-For',
  );
  assert.match(
    refusal(made.stack),
    new RegExp(
      'a forwarded address is trusted without LATCHKEY_TRUSTED_PROXY_PROOF_HEADER and ' +
        'LATCHKEY_TRUSTED_PROXY_SECRET',
    ),
  );
});

test('the headers that no proxy controls alone are those of the functions', () => {
  const source = readFileSync(join(CDK, '..', '..', 'shared', 'web', 'src', 'proxy.rs'), 'utf8');
  const [, list = ''] = /const RESERVED: \[&str; \d+\] = \[([^\]]*)\]/.exec(source) ?? [];
  assert.deepEqual(
    RESERVED_HEADERS,
    [...list.matchAll(/"([^"]+)"/g)].map(([, header]) => header),
  );
});

test("more routes than Lambda's variables hold are refused", () => {
  const { stack, latchkey } = guarded();
  const api = restApi(stack);
  const paths = Array.from({ length: 120 }, (_, at) => `things-with-a-long-name-${at}`);
  const routes = Object.fromEntries(paths.map((path) => [`GET /${path}`, ['accounts:read']]));
  const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', {
    latchkey,
    api,
    environment: 'sandbox',
    routes,
    code: CODE,
  });
  paths.forEach((path) => api.root.addResource(path).addMethod('GET', MOCK, guard.methodOptions));
  assert.match(
    refusal(stack),
    /variables take \d+ bytes, of which the route map has \d+, and Lambda holds 4096/,
  );
});

test('a platform of another account or Region is refused', () => {
  const home = { account: '111111111111', region: 'eu-west-1' };
  const app = newApp();
  const deployed = new Latchkey(new Stack(app, 'Home', { env: home }), 'Latchkey', {
    issuer: ISSUER,
    code: CODE,
  });
  const named = guarded({ env: home });
  for (const env of [
    { ...home, account: '222222222222' },
    { ...home, region: 'us-east-1' },
  ]) {
    const away = (within: Stack): Stack =>
      new Stack(within.node.root as App, `Away${env.account}${env.region}`, { env });
    for (const latchkey of [deployed, named.latchkey]) {
      const stack = away(Stack.of(latchkey));
      assert.throws(
        () => rest({}, { stack, latchkey }),
        /works in the platform's account and Region/,
      );
    }
  }
  (rest({}, guarded({ env: home })).stack.node.root as App).synth();
});

test('leak_12_an_authorizer_that_the_tables_would_refuse_is_refused', () => {
  const operatorRoleArn =
    'arn:aws:iam::111111111111:role/operator,arn:aws:iam::111111111111:role/things-guard';
  const { stack, latchkey } = platform({ operatorRoleArn });
  const within = (id: string) => ({ stack: new Stack(stack.node.root as App, id), latchkey });
  const sentence =
    /refuse every role that its operatorRoleArn does not list: give the authorizer a roleName/;
  assert.throws(() => rest({}, within('Nameless')), sentence);
  assert.throws(() => rest({ roleName: 'guard' }, within('Unlisted')), sentence);
  const { guard } = rest({ roleName: 'things-guard' }, within('Listed'));
  assert.equal(resource<iam.CfnRole>(guard, 'SampleAuthorizerRole').roleName, 'things-guard');
});

// -- Of the API -----------------------------------------------------------------------------------

test('a method without the authorizer is refused, unless it is said to be public', () => {
  const open = (props: Partial<RestProps>): Stack => {
    const { stack, api } = rest(props);
    api.root.addMethod('GET', MOCK);
    return stack;
  };
  assert.match(
    refusal(open({})),
    /GET \/ is open to everybody: give it the authorizer, or list it in publicRoutes/,
  );
  (open({ publicRoutes: ['GET /'] }).node.root as App).synth();
  assert.match(
    refusal(open({ publicRoutes: ['GET /', 'GET /gone'] })),
    /GET \/gone is listed, and the API has no such route/,
  );
  assert.match(
    refusal(open({ publicRoutes: ['GET /', 'GET /things'] })),
    /GET \/things is in publicRoutes and guarded/,
  );
});

test('a method whose authorizer was overridden is refused', () => {
  const { stack, api } = rest();
  const method = api.node
    .findChild('Default')
    .node.findChild('things')
    .node.findChild('GET') as apigateway.Method;
  (method.node.defaultChild as apigateway.CfnMethod).addPropertyOverride(
    'AuthorizationType',
    'NONE',
  );
  assert.match(refusal(stack), /GET \/things is open to everybody/);
});

test('a route of the map that the API lacks is refused', () => {
  const routes = { ...ROUTES, 'POST /things': ['accounts:write'] };
  assert.match(
    refusal(rest({ routes }).stack),
    /POST \/things is listed, and the API has no such route/,
  );
});

test('an API that is an OpenAPI document, or in another stack, is refused', () => {
  const { stack, latchkey } = guarded();
  const document = new apigateway.SpecRestApi(stack, 'Document', {
    apiDefinition: apigateway.ApiDefinition.fromInline({ openapi: '3.0.1' }),
  });
  const attach = (scope: Stack, api: apigateway.IRestApi): unknown =>
    LatchkeyAuthorizer.forRest(scope, `Guard${api.node.id}`, {
      latchkey,
      api,
      environment: 'sandbox',
      routes: ROUTES,
      code: CODE,
    });
  assert.throws(() => attach(stack, document), /is an OpenAPI document: name the authorizer in it/);
  const other = new Stack(stack.node.root as App, 'Other');
  assert.throws(
    () => attach(other, restApi(stack)),
    /it is in another stack than the API Guarded\/Rest/,
  );
});

test('missing gateway responses are refused, and so are two of one, and one with another status', () => {
  const missing = refusal(rest({ gatewayResponses: false }).stack);
  for (const type of [
    'UNAUTHORIZED',
    'ACCESS_DENIED',
    'AUTHORIZER_FAILURE',
    'AUTHORIZER_CONFIGURATION_ERROR',
  ]) {
    assert.match(missing, new RegExp(`without the gateway response ${type}`));
  }
  const mine = (statusCode: string, props: Partial<RestProps> = {}): string => {
    const { stack, api } = rest(props);
    api.addGatewayResponse('Mine', { type: apigateway.ResponseType.UNAUTHORIZED, statusCode });
    return refusal(stack);
  };
  assert.match(
    mine('401'),
    /two gateway responses UNAUTHORIZED: leave yours out, or say gatewayResponses: false/,
  );
  assert.match(
    mine('200', { gatewayResponses: false }),
    /UNAUTHORIZED has the status 200 instead of 401/,
  );
  const { stack, api } = rest({ gatewayResponses: false });
  for (const [type, statusCode] of [
    ['UNAUTHORIZED', '401'],
    ['ACCESS_DENIED', '403'],
    ['AUTHORIZER_FAILURE', '503'],
    ['AUTHORIZER_CONFIGURATION_ERROR', '503'],
  ] as const) {
    api.addGatewayResponse(type, { type: apigateway.ResponseType.of(type), statusCode });
  }
  (stack.node.root as App).synth();
});

test('an HTTP API with an open route, a gone one or another ones guard is refused', () => {
  const open = http();
  open.route('/things', open.guard.authorizer);
  open.route('/open');
  assert.match(refusal(open.stack), /GET \/open is open to everybody/);

  const gone = http();
  gone.route('/other', gone.guard.authorizer);
  assert.match(refusal(gone.stack), /GET \/things is listed, and the API has no such route/);

  // The event of an HTTP API names the route: a method that ANY serves is not found in the map.
  const any = http();
  any.api.addRoutes({
    path: '/things',
    integration: httpIntegration(),
    authorizer: any.guard.authorizer,
  });
  assert.match(refusal(any.stack), /GET \/things is listed, and the API has no such route/);

  const { stack, guard } = http();
  const theirs = new apigatewayv2.HttpApi(stack, 'Theirs');
  assert.throws(
    () =>
      theirs.addRoutes({
        path: '/things',
        integration: httpIntegration(),
        authorizer: guard.authorizer,
      }),
    /is of another API than the one that it guards/,
  );
  assert.throws(
    () => http({ routes: { $connect: [] } }),
    /routes has '\$connect', which WebSocket APIs alone have/,
  );
});

test('a WebSocket API whose $connect is open, missing or joined by another route is refused', () => {
  const socket = (routes: Record<string, string[]> = { $connect: [] }) => {
    const { stack, latchkey } = guarded();
    const api = new apigatewayv2.WebSocketApi(stack, 'Socket');
    const guard = LatchkeyAuthorizer.forWebSocket(stack, 'Guard', {
      latchkey,
      api,
      environment: 'sandbox',
      routes,
      code: CODE,
    });
    return { stack, api, guard };
  };
  assert.match(refusal(socket().stack), /\$connect is listed, and the API has no such route/);
  const open = socket();
  open.api.addRoute('$connect', { integration: webSocketIntegration() });
  assert.match(refusal(open.stack), /\$connect is open to everybody/);
  assert.throws(
    () => socket({ $connect: [], $default: [] }),
    /routes has '\$default': a WebSocket API is authorized at \$connect alone/,
  );
});
