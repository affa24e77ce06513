// What is unsafe stops the synthesis, with a sentence that says so.
import { App, Duration, Fn, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer, HttpLambdaResponseType, WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { LatchkeyAuthorizer, type LatchkeyAuthorizerProps, type LatchkeyRestAuthorizer, type RestProps } from '../lib';
import { RESERVED_HEADERS } from '../lib/proxy';
import { CDK, CODE, directory, guarded, httpIntegration, MOCK, newApp, platform, refusal, restApi, webSocketIntegration } from './fixtures';

const ROUTES = { 'GET /things': ['accounts:read'] };

interface Rest {
  readonly stack: Stack;
  readonly api: apigateway.RestApi;
  readonly guard: LatchkeyRestAuthorizer;
}

/** A REST API that is guarded as it should be. */
function rest(props: Partial<RestProps> = {}, { stack, latchkey } = guarded()): Rest {
  const api = restApi(stack);
  const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', { latchkey, api, environment: 'sandbox', routes: ROUTES, code: CODE, ...props });
  api.root.addResource('things').addMethod('GET', MOCK, guard.methodOptions);
  return { stack, api, guard };
}

function resource<T>(guard: LatchkeyRestAuthorizer, id: string): T {
  return guard.node.findChild('Template').node.findChild(id) as T;
}

function http(props: Partial<LatchkeyAuthorizerProps> & { responses?: 'simple' | 'iam' } = {}) {
  const { stack, latchkey } = guarded();
  const api = new apigatewayv2.HttpApi(stack, 'Http');
  const guard = LatchkeyAuthorizer.forHttp(stack, 'Guard', { latchkey, api, environment: 'sandbox', routes: ROUTES, code: CODE, ...props });
  const route = (path: string, authorizer?: apigatewayv2.IHttpRouteAuthorizer): void => {
    api.addRoutes({ path, methods: [apigatewayv2.HttpMethod.GET], integration: httpIntegration(), authorizer });
  };
  return { stack, api, guard, route };
}

test('the guarded API of these tests is one that is not refused', () => {
  const { stack } = rest();
  (stack.node.root as App).synth();
});

// -- Of the properties ---------------------------------------------------------------------------------------------------

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
  assert.throws(() => rest({}, guarded({}, own)), /has a catalogue of scopes of its own: name that file here by scopeCatalogue/);
  const scopeCatalogue = join(directory(), 'scopes.csv');
  writeFileSync(scopeCatalogue, 'scope,organization\nships:read,yes\n');
  const routes = { 'GET /things': ['ships:read'] };
  (rest({ routes, scopeCatalogue }, guarded({}, own)).stack.node.root as App).synth();
  assert.throws(() => rest({ scopeCatalogue }, guarded({}, own)), /unknown scope for 'GET \/things': 'accounts:read'/);
});

test('both kinds at once are refused', () => {
  for (const environment of ['sandbox,live', 'production', '']) {
    const props = { environment } as unknown as Partial<RestProps>;
    assert.throws(() => rest(props), /an authorizer takes sandbox or live, never both/, environment);
  }
  const { stack, guard } = rest();
  const made = resource<lambda.CfnFunction>(guard, 'SampleAuthorizerFunction');
  made.addPropertyOverride('Environment.Variables.LATCHKEY_ACCEPTED_KINDS', 'sandbox,live');
  assert.match(refusal(stack), /LATCHKEY_ACCEPTED_KINDS is 'sandbox,live'/);
});

test('the audience of the other kind, or of nobody, is refused', () => {
  for (const audience of ['urn:latchkey:live', 'https://things.example.com', '']) {
    assert.throws(() => rest({ audience }), /sandbox tokens name 'urn:latchkey:sandbox': none would be accepted/, audience);
  }
});

test('a trusted header without a proxy that proves itself is refused', () => {
  const { stack, latchkey } = guarded();
  const secret = new secretsmanager.Secret(stack, 'Proof');
  const whole = { addressHeader: 'CloudFront-Viewer-Address', proofHeader: 'X-Proof', secret };
  for (const lacking of ['addressHeader', 'proofHeader', 'secret'] as const) {
    const trustedProxy = { ...whole, [lacking]: lacking === 'secret' ? undefined : '' } as unknown as typeof whole;
    assert.throws(() => rest({ trustedProxy }, { stack: new Stack(newApp(), `Without${lacking}`), latchkey }), /trustedProxy needs addressHeader, proofHeader and secret/);
  }
  for (const [change, sentence] of [
    [{ addressHeader: 'X-Forwarded-For' }, /x-forwarded-for is trusted as the header of a proxy, and callers write it too/],
    [{ proofHeader: 'cloudfront-viewer-address' }, /cloudfront-viewer-address is to carry both the address and the proof/],
  ] as const) {
    const it = guarded();
    const mine = new secretsmanager.Secret(it.stack, 'Proof');
    assert.match(refusal(rest({ trustedProxy: { ...whole, secret: mine, ...change } }, it).stack), sentence);
  }
  const it = guarded();
  const encryptionKey = new kms.Key(it.stack, 'Key');
  const sealed = new secretsmanager.Secret(it.stack, 'Proof', { encryptionKey });
  assert.throws(() => rest({ trustedProxy: { ...whole, secret: sealed } }, it), /sealed under a key that the authorizer may not use/);

  const made = rest();
  const authorizer = resource<lambda.CfnFunction>(made.guard, 'SampleAuthorizerFunction');
  authorizer.addPropertyOverride('Environment.Variables.LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER', 'X-Forwarded-For');
  assert.match(refusal(made.stack), /a forwarded address is trusted without LATCHKEY_TRUSTED_PROXY_PROOF_HEADER and LATCHKEY_TRUSTED_PROXY_SECRET/);
});

test('the headers that no proxy controls alone are those of the functions', () => {
  const source = readFileSync(join(CDK, '..', '..', 'shared', 'web', 'src', 'proxy', 'mod.rs'), 'utf8');
  const [, list = ''] = /const RESERVED: \[&str; \d+\] = \[([^\]]*)\]/.exec(source) ?? [];
  assert.deepEqual(RESERVED_HEADERS, [...list.matchAll(/"([^"]+)"/g)].map(([, header]) => header));
});

test("more routes than Lambda's variables hold are refused", () => {
  const { stack, latchkey } = guarded();
  const api = restApi(stack);
  const paths = Array.from({ length: 120 }, (_, at) => `things-with-a-long-name-${at}`);
  const routes = Object.fromEntries(paths.map((path) => [`GET /${path}`, ['accounts:read']]));
  const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', { latchkey, api, environment: 'sandbox', routes, code: CODE });
  paths.forEach((path) => api.root.addResource(path).addMethod('GET', MOCK, guard.methodOptions));
  assert.match(refusal(stack), /variables take \d+ bytes, of which the route map has \d+, and Lambda holds 4096/);
});

test('a platform of another account or Region is refused', () => {
  const { latchkey } = platform({}, newApp());
  const at = (account: string, region: string) => guarded({ env: { account, region } });
  const theirs = at('111111111111', 'eu-west-1').latchkey;
  for (const [account, region] of [['222222222222', 'eu-west-1'], ['111111111111', 'us-east-1']] as const) {
    const { stack } = at(account, region);
    assert.throws(() => rest({}, { stack, latchkey: theirs }), /works in the platform's account and Region/, `${account} ${region}`);
  }
  assert.ok(latchkey);
});

// -- Of the API ----------------------------------------------------------------------------------------------------------

test('a method without the authorizer is refused, unless it is said to be public', () => {
  const open = (props: Partial<RestProps>): Stack => {
    const { stack, api } = rest(props);
    api.root.addMethod('GET', MOCK);
    return stack;
  };
  assert.match(refusal(open({})), /GET \/ is open to everybody: give it the authorizer, or list it in publicRoutes/);
  (open({ publicRoutes: ['GET /'] }).node.root as App).synth();
  assert.match(refusal(open({ publicRoutes: ['GET /', 'GET /gone'] })), /GET \/gone is listed, and the API has no such route/);
  assert.match(refusal(open({ publicRoutes: ['GET /', 'GET /things'] })), /GET \/things is in publicRoutes and guarded/);
});

test('a method whose authorizer was overridden is refused', () => {
  const { stack, api } = rest();
  const method = api.node.findChild('Default').node.findChild('things').node.findChild('GET') as apigateway.Method;
  (method.node.defaultChild as apigateway.CfnMethod).addPropertyOverride('AuthorizationType', 'NONE');
  assert.match(refusal(stack), /GET \/things is open to everybody/);
});

test('a route of the map that the API lacks is refused', () => {
  const routes = { ...ROUTES, 'POST /things': ['accounts:write'] };
  assert.match(refusal(rest({ routes }).stack), /POST \/things is listed, and the API has no such route/);
});

test('an API that is an OpenAPI document, or in another stack, is refused', () => {
  const { stack, latchkey } = guarded();
  const document = new apigateway.SpecRestApi(stack, 'Document', { apiDefinition: apigateway.ApiDefinition.fromInline({ openapi: '3.0.1' }) });
  const attach = (scope: Stack, api: apigateway.IRestApi): unknown =>
    LatchkeyAuthorizer.forRest(scope, `Guard${api.node.id}`, { latchkey, api, environment: 'sandbox', routes: ROUTES, code: CODE });
  assert.throws(() => attach(stack, document), /is an OpenAPI document: name the authorizer in it/);
  const other = new Stack(stack.node.root as App, 'Other');
  assert.throws(() => attach(other, restApi(stack)), /it is in another stack than the API Guarded\/Rest/);
});

test('missing gateway responses are refused, and so are two of one, and one with another status', () => {
  const missing = refusal(rest({ gatewayResponses: false }).stack);
  for (const type of ['UNAUTHORIZED', 'ACCESS_DENIED', 'AUTHORIZER_FAILURE', 'AUTHORIZER_CONFIGURATION_ERROR']) {
    assert.match(missing, new RegExp(`without the gateway response ${type}`));
  }
  const mine = (statusCode: string, props: Partial<RestProps> = {}): string => {
    const { stack, api } = rest(props);
    api.addGatewayResponse('Mine', { type: apigateway.ResponseType.UNAUTHORIZED, statusCode });
    return refusal(stack);
  };
  assert.match(mine('401'), /two gateway responses UNAUTHORIZED: leave yours out, or say gatewayResponses: false/);
  assert.match(mine('200', { gatewayResponses: false }), /UNAUTHORIZED has the status 200 instead of 401/);
  const { stack, api } = rest({ gatewayResponses: false });
  for (const [type, statusCode] of [['UNAUTHORIZED', '401'], ['ACCESS_DENIED', '403'], ['AUTHORIZER_FAILURE', '503'], ['AUTHORIZER_CONFIGURATION_ERROR', '503']] as const) {
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
  any.api.addRoutes({ path: '/things', integration: httpIntegration(), authorizer: any.guard.authorizer });
  assert.match(refusal(any.stack), /GET \/things is listed, and the API has no such route/);

  const { stack, guard } = http();
  const theirs = new apigatewayv2.HttpApi(stack, 'Theirs');
  assert.throws(() => theirs.addRoutes({ path: '/things', integration: httpIntegration(), authorizer: guard.authorizer }), /is of another API than the one that it guards/);
  assert.throws(() => http({ routes: { $connect: [] } }), /routes has '\$connect', which WebSocket APIs alone have/);
});

test('a WebSocket API whose $connect is open, missing or joined by another route is refused', () => {
  const socket = (routes: Record<string, string[]> = { $connect: [] }) => {
    const { stack, latchkey } = guarded();
    const api = new apigatewayv2.WebSocketApi(stack, 'Socket');
    const guard = LatchkeyAuthorizer.forWebSocket(stack, 'Guard', { latchkey, api, environment: 'sandbox', routes, code: CODE });
    return { stack, api, guard };
  };
  assert.match(refusal(socket().stack), /\$connect is listed, and the API has no such route/);
  const open = socket();
  open.api.addRoute('$connect', { integration: webSocketIntegration() });
  assert.match(refusal(open.stack), /\$connect is open to everybody/);
  assert.throws(() => socket({ $connect: [], $default: [] }), /routes has '\$default': a WebSocket API is authorized at \$connect alone/);
});

// -- Of authorizers that somebody else wrote around our function -------------------------------------------------------------

const SOURCES = [apigateway.IdentitySource.header('Authorization')];

/** Another REST API with an authorizer of its owner's, that calls our function. */
function foreign(make: (stack: Stack, handler: lambda.IFunction) => apigateway.IAuthorizer): string {
  const { stack, guard } = rest();
  const api = new apigateway.RestApi(stack, 'Foreign');
  api.root.addMethod('GET', MOCK, { authorizer: make(stack, guard.function) });
  return refusal(stack);
}

test('a cache is refused, wherever in the app it is', () => {
  const sentence = /Guarded\/Theirs\/Resource caches results, and a revoked credential would pass until the cache forgets it/;
  assert.match(foreign((stack, handler) => new apigateway.RequestAuthorizer(stack, 'Theirs', { handler, identitySources: SOURCES })), sentence);
  const resultsCacheTtl = Duration.seconds(1);
  assert.match(foreign((stack, handler) => new apigateway.RequestAuthorizer(stack, 'Theirs', { handler, identitySources: SOURCES, resultsCacheTtl })), sentence);

  const { stack, guard } = rest();
  (guard.authorizer.node.defaultChild as apigateway.CfnAuthorizer).authorizerResultTtlInSeconds = undefined;
  assert.match(refusal(stack), /Guarded\/Guard\/Authorizer\/Resource caches results/, "API Gateway's own default is five minutes");

  const overridden = rest();
  (overridden.guard.authorizer.node.defaultChild as apigateway.CfnAuthorizer).addPropertyOverride('AuthorizerResultTtlInSeconds', 60);
  assert.match(refusal(overridden.stack), /Guarded\/Guard\/Authorizer\/Resource caches results/);
});

test('a TOKEN authorizer and an identity source are refused', () => {
  const resultsCacheTtl = Duration.seconds(0);
  const token = foreign((stack, handler) => new apigateway.TokenAuthorizer(stack, 'Theirs', { handler, resultsCacheTtl }));
  assert.match(token, /Guarded\/Theirs\/Resource is a TOKEN authorizer, which sees neither the caller's address nor the matched resource/);
  const sources = foreign((stack, handler) => new apigateway.RequestAuthorizer(stack, 'Theirs', { handler, identitySources: SOURCES, resultsCacheTtl }));
  assert.match(sources, /Guarded\/Theirs\/Resource has an identity source/);
});

test("somebody else's authorizer needs the gateway responses on its own API", () => {
  const resultsCacheTtl = Duration.seconds(0);
  const theirs = foreign((stack, handler) => new apigateway.RequestAuthorizer(stack, 'Theirs', { handler, identitySources: [], resultsCacheTtl }));
  assert.match(theirs, /Guarded\/Theirs\/Resource guards an API without the gateway response AUTHORIZER_FAILURE/);
  assert.doesNotMatch(theirs, /Guarded\/Guard\/Authorizer\/Resource guards/);
});

test('a version or an alias of the function is the function', () => {
  const { stack, guard } = rest();
  const version = new lambda.CfnVersion(stack, 'Version', { functionName: guard.function.functionName });
  const alias = new lambda.CfnAlias(stack, 'Alias', { functionName: guard.function.functionName, functionVersion: version.attrVersion, name: 'live' });
  const api = new apigateway.RestApi(stack, 'Foreign');
  new apigateway.CfnAuthorizer(stack, 'Theirs', { restApiId: api.restApiId, name: 'theirs', type: 'TOKEN', authorizerUri: `arn:aws:apigateway:x:lambda:path/2015-03-31/functions/${alias.ref}/invocations` });
  api.root.addMethod('GET', MOCK);
  assert.match(refusal(stack), /Guarded\/Theirs is a TOKEN authorizer/);
});

test("the platform's own authorizers are looked after in the same way", () => {
  const { stack, latchkey } = platform();
  const authorizer = new apigateway.TokenAuthorizer(stack, 'Token', { handler: latchkey.functions.sampleAuthorizer });
  restApi(stack).root.addMethod('GET', MOCK, { authorizer });
  const found = refusal(stack);
  assert.match(found, /Platform\/Token\/Resource is a TOKEN authorizer/);
  assert.match(found, /Platform\/Token\/Resource caches results/);

  const changed = platform();
  const api = changed.latchkey.template.getResource('Api') as apigateway.CfnRestApi;
  api.addPropertyOverride('Body.components.securitySchemes.SampleAuthorizer.x-amazon-apigateway-authorizer.authorizerResultTtlInSeconds', 300);
  assert.match(refusal(changed.stack), /Api \(SampleAuthorizer\) caches results/);
});

test('an OpenAPI document that names our function is read', () => {
  const { stack, guard } = rest();
  const authorizerUri = Fn.sub('arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${It}/invocations', { It: guard.function.functionArn });
  const scheme = { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri } };
  new apigateway.CfnRestApi(stack, 'Document', { body: { openapi: '3.0.1', components: { securitySchemes: { Ours: scheme } } } });
  const found = refusal(stack);
  assert.match(found, /Guarded\/Document \(Ours\) is a TOKEN authorizer/);
  assert.match(found, /Guarded\/Document \(Ours\) caches results/);
  assert.match(found, /Guarded\/Document guards an API without the gateway response UNAUTHORIZED/);
});

test('an HTTP authorizer with a cache, or in the form that the function does not answer in, is refused', () => {
  const theirs = (props: ConstructorParameters<typeof HttpLambdaAuthorizer>[2], responses?: 'iam'): string => {
    const { stack, guard, route, api } = http({ responses, publicRoutes: ['GET /theirs'] });
    route('/things', guard.authorizer);
    const other = new apigatewayv2.HttpApi(stack, 'Foreign');
    other.addRoutes({ path: '/', integration: httpIntegration(), authorizer: new HttpLambdaAuthorizer('Theirs', guard.function, props) });
    route('/theirs');
    assert.ok(api);
    return refusal(stack);
  };
  const responseTypes = [HttpLambdaResponseType.SIMPLE];
  assert.match(theirs({ responseTypes }), /Theirs\/Resource caches results/);
  const resultsCacheTtl = Duration.seconds(0);
  assert.match(theirs({ responseTypes, resultsCacheTtl }, 'iam'), /expects simple responses and its function answers with iam ones/);
});

test('a WebSocket authorizer of somebody else is none of a cache', () => {
  const { stack, guard } = rest();
  const api = new apigatewayv2.WebSocketApi(stack, 'Socket');
  api.addRoute('$connect', { integration: webSocketIntegration(), authorizer: new WebSocketLambdaAuthorizer('Theirs', guard.function) });
  (stack.node.root as App).synth();
});
