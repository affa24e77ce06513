// A platform, and in another stack three APIs that it guards: what one writes to use these constructs.
import { type App, Stack } from 'aws-cdk-lib';
import { LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration, WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';

import { Latchkey, LatchkeyAuthorizer, type LatchkeyCode } from '../lib';

/** The example, in an app. Without code cargo-lambda builds it. */
export function example(app: App, code?: LatchkeyCode): { platform: Stack; guarded: Stack } {
  const architecture = app.node.tryGetContext('architecture') as 'arm64' | 'x86_64' | undefined;
  const platform = new Stack(app, 'Platform');
  const latchkey = new Latchkey(platform, 'Latchkey', { issuer: 'https://auth.example.com', code, architecture });

  const guarded = new Stack(app, 'Guarded');
  const inline = Code.fromInline('exports.handler = async () => ({ statusCode: 200, body: "{}" });');
  const handler = new Function(guarded, 'Things', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code: inline });
  const routes = { 'GET /v1/things': ['accounts:read'], 'POST /v1/things': ['accounts:write'] };
  const common = { latchkey, environment: 'sandbox', code, architecture } as const;

  // A REST API: the methods take the guard's options.
  const rest = new RestApi(guarded, 'Rest');
  const restGuard = LatchkeyAuthorizer.forRest(guarded, 'RestGuard', { ...common, api: rest, routes });
  const things = rest.root.addResource('v1').addResource('things');
  things.addMethod('GET', new LambdaIntegration(handler), restGuard.methodOptions);
  things.addMethod('POST', new LambdaIntegration(handler), restGuard.methodOptions);

  // An HTTP API: the routes take the guard's authorizer.
  const http = new HttpApi(guarded, 'Http');
  const httpGuard = LatchkeyAuthorizer.forHttp(guarded, 'HttpGuard', { ...common, api: http, routes });
  const integration = new HttpLambdaIntegration('HttpThings', handler);
  http.addRoutes({
    path: '/v1/things',
    methods: [HttpMethod.GET, HttpMethod.POST],
    integration,
    authorizer: httpGuard.authorizer,
  });

  // A WebSocket API: $connect takes it, and the other routes are reached through a connection.
  const socket = new WebSocketApi(guarded, 'Socket');
  const socketRoutes = { $connect: ['accounts:read'] };
  const socketGuard = LatchkeyAuthorizer.forWebSocket(guarded, 'SocketGuard', { ...common, api: socket, routes: socketRoutes });
  const events = new WebSocketLambdaIntegration('SocketThings', handler);
  socket.addRoute('$connect', { integration: events, authorizer: socketGuard.authorizer });
  socket.addRoute('$default', { integration: events });
  new WebSocketStage(guarded, 'SocketStage', { webSocketApi: socket, stageName: 'main', autoDeploy: true });
  return { platform, guarded };
}
