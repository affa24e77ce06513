// A platform, and in another stack three APIs that it guards: how the constructs are used.
import { type App, Stack } from 'aws-cdk-lib';
import { LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import * as integrations from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';

import { Latchkey, LatchkeyAuthorizer, type LatchkeyCode } from '../lib';

/** The example, in an app. Without code cargo-lambda builds it. */
export function example(app: App, code?: LatchkeyCode): { platform: Stack; guarded: Stack } {
  const architecture = app.node.tryGetContext('architecture') as 'arm64' | 'x86_64' | undefined;
  const platform = new Stack(app, 'Platform');
  const issuer = 'https://auth.example.com';
  const latchkey = new Latchkey(platform, 'Latchkey', { issuer, code, architecture });

  const guarded = new Stack(app, 'Guarded');
  const source = 'exports.handler = async () => ({ statusCode: 200, body: "{}" });';
  const handler = new Function(guarded, 'Things', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline(source),
  });
  const routes = { 'GET /v1/things': ['accounts:read'], 'POST /v1/things': ['accounts:write'] };
  const common = { latchkey, environment: 'sandbox', routes, code, architecture } as const;

  // A REST API: the methods take the guard's options.
  const rest = new RestApi(guarded, 'Rest');
  const restGuard = LatchkeyAuthorizer.forRest(guarded, 'RestGuard', { ...common, api: rest });
  const things = rest.root.addResource('v1').addResource('things');
  things.addMethod('GET', new LambdaIntegration(handler), restGuard.methodOptions);
  things.addMethod('POST', new LambdaIntegration(handler), restGuard.methodOptions);

  // An HTTP API: the routes take the guard's authorizer.
  const http = new HttpApi(guarded, 'Http');
  const httpGuard = LatchkeyAuthorizer.forHttp(guarded, 'HttpGuard', { ...common, api: http });
  const integration = new integrations.HttpLambdaIntegration('HttpThings', handler);
  http.addRoutes({
    path: '/v1/things',
    methods: [HttpMethod.GET, HttpMethod.POST],
    integration,
    authorizer: httpGuard.authorizer,
  });

  // A WebSocket API: $connect takes it, and the other routes are reached through a connection.
  const socket = new WebSocketApi(guarded, 'Socket');
  const socketGuard = LatchkeyAuthorizer.forWebSocket(guarded, 'SocketGuard', {
    ...common,
    api: socket,
    routes: { $connect: ['accounts:read'] },
  });
  const events = new integrations.WebSocketLambdaIntegration('SocketThings', handler);
  socket.addRoute('$connect', { integration: events, authorizer: socketGuard.authorizer });
  socket.addRoute('$default', { integration: events });
  const stage = { webSocketApi: socket, stageName: 'main', autoDeploy: true };
  new WebSocketStage(guarded, 'SocketStage', stage);
  return { platform, guarded };
}
