// One authorizer, attached to each of API Gateway's three kinds of API.
import { CfnResource, Duration, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';

import {
  AuthorizerFunction,
  type HttpProps,
  refuse,
  type RestProps,
  type WebSocketProps,
} from './authorizer-function';
import {
  calls,
  changedResponse,
  describedFaults,
  GATEWAY_RESPONSES,
  PLATFORM_RESPONSES,
} from './inspection';
import {
  mayBe,
  mentions,
  namedPropertiesOf,
  namedReferent,
  type Properties,
  propertiesOf,
  type Referent,
  referentOf,
  resourcesOf,
  typeOf,
} from './resolved';
import type { Routes } from './routes';

/** A route of an API as it stands in the app, and whether the authorizer guards it. */
interface Served {
  readonly route: string;
  readonly guarded: boolean;
}

/** In front of a REST API. Its methods take `methodOptions`. */
export class LatchkeyRestAuthorizer extends AuthorizerFunction {
  readonly authorizer: apigateway.RequestAuthorizer;
  /**
   * What makes a method a guarded one:
   * `resource.addMethod('GET', integration, guard.methodOptions)`.
   */
  readonly methodOptions: apigateway.MethodOptions;
  private readonly responses: readonly (readonly [string, CfnResource])[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RestProps,
  ) {
    super(scope, id, props);
    const { api } = props;
    refuse(this, [...notDescribed(api), ...besideApi(this, api), ...onlyMethods(props.routes)]);
    const resultsCacheTtl = Duration.seconds(0);
    this.authorizer = new apigateway.RequestAuthorizer(this, 'Authorizer', {
      handler: this.function,
      identitySources: [],
      resultsCacheTtl,
    });
    this.authorizer._attachToApi(api);
    // CDK writes an empty text for no identity source; CloudFormation wants none.
    (this.authorizer.node.defaultChild as apigateway.CfnAuthorizer).identitySource = undefined;
    this.methodOptions = {
      authorizer: this.authorizer,
      authorizationType: apigateway.AuthorizationType.CUSTOM,
    };
    this.responses = (props.gatewayResponses === false ? [] : GATEWAY_RESPONSES).map((name) => {
      const response = PLATFORM_RESPONSES[name];
      const made = new apigateway.GatewayResponse(this, name, {
        restApi: api,
        type: apigateway.ResponseType.of(name),
        statusCode: response?.statusCode,
        responseHeaders: response?.responseParameters.Headers,
        templates: response?.responseTemplates,
      });
      return [name, made.node.defaultChild as CfnResource];
    });
  }

  protected override inspect(): string[] {
    const { api, routes, publicRoutes = [] } = this.props;
    const described = referentOf(this, api.restApiId);
    const mine = this.authorizer.node.defaultChild as CfnResource;
    const served = resourcesOf(this, 'AWS::ApiGateway::Method')
      .map((it): [CfnResource, Properties] => [it, namedPropertiesOf(it)])
      .filter(([it, { RestApiId }]) => mayBe(it, RestApiId, described))
      .map(([it, properties]): Served => {
        const route = `${textOf(properties.HttpMethod)} ${pathOf(it, properties)}`;
        return { route, guarded: isGuarded(it, properties, mine) };
      });
    // The event names the method that was called, so that a method is listed that ANY serves.
    const serves = (route: string): boolean => {
      const [method, path] = route.split(' ');
      return served.some(
        (it) =>
          it.route === route ||
          it.route === `ANY ${path}` ||
          (method === 'ANY' && it.route.endsWith(` ${path}`)),
      );
    };
    return [
      ...describedFaults(described),
      ...diverted(mine, this.made),
      ...this.responses.flatMap(([name, response]) => changedResponse(response, name)),
      ...routeFaults(served, routes, publicRoutes, serves),
    ];
  }
}

/** In front of an HTTP API, with payload 2.0. Its routes take `authorizer`. */
export class LatchkeyHttpAuthorizer extends AuthorizerFunction {
  /**
   * What makes a route a guarded one:
   * `api.addRoutes({ path, methods, integration, authorizer: guard.authorizer })`.
   */
  readonly authorizer: apigatewayv2.IHttpRouteAuthorizer;
  private readonly attached: apigatewayv2.HttpAuthorizer;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: HttpProps,
  ) {
    const answers = props.responses ?? 'simple';
    super(scope, id, props, answers);
    const { api } = props;
    refuse(this, [...besideApi(this, api), ...withoutConnect(props.routes)]);
    this.attached = new apigatewayv2.HttpAuthorizer(this, 'Authorizer', {
      httpApi: api,
      type: apigatewayv2.HttpAuthorizerType.LAMBDA,
      authorizerName: id,
      authorizerUri: uriOf(this),
      payloadFormatVersion: apigatewayv2.AuthorizerPayloadVersion.VERSION_2_0,
      enableSimpleResponses: answers === 'simple',
      resultsCacheTtl: Duration.seconds(0),
      // HTTP APIs answer 401 by themselves to a call without the header; there is no gateway
      // response to word it otherwise.
      identitySource: ['$request.header.Authorization'],
    });
    permit(this, api.apiId, this.attached.authorizerId);
    this.authorizer = routeAuthorizer(
      this,
      (route: apigatewayv2.IHttpRoute) => route.httpApi.apiId === api.apiId,
      this.attached.authorizerId,
    );
  }

  protected override inspect(): string[] {
    const { api, routes, publicRoutes = [] } = this.props;
    const served = routesOf(api, this.attached);
    // The event names the route, not the method that was called.
    const serves = (route: string): boolean => {
      const [method, path] = route.split(' ');
      return served.some(
        (it) => it.route === route || (method === 'ANY' && it.route.endsWith(` ${path}`)),
      );
    };
    return [
      ...apiFaults(api, this.attached, this.made),
      ...routeFaults(served, routes, publicRoutes, serves),
    ];
  }
}

/**
 * In front of a WebSocket API: it decides at `$connect`, and what happens to the credential later
 * closes no connection.
 */
export class LatchkeyWebSocketAuthorizer extends AuthorizerFunction {
  /**
   * What makes `$connect` a guarded route:
   * `api.addRoute('$connect', { integration, authorizer: guard.authorizer })`.
   */
  readonly authorizer: apigatewayv2.IWebSocketRouteAuthorizer;
  private readonly attached: apigatewayv2.WebSocketAuthorizer;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: WebSocketProps,
  ) {
    super(scope, id, props);
    const { api } = props;
    refuse(this, [...besideApi(this, api), ...onlyConnect(props.routes)]);
    this.attached = new apigatewayv2.WebSocketAuthorizer(this, 'Authorizer', {
      webSocketApi: api,
      type: apigatewayv2.WebSocketAuthorizerType.LAMBDA,
      authorizerName: id,
      authorizerUri: uriOf(this),
      identitySource: [],
    });
    (this.attached.node.defaultChild as apigatewayv2.CfnAuthorizer).identitySource = undefined;
    permit(this, api.apiId, this.attached.authorizerId);
    const isMine = (route: apigatewayv2.IWebSocketRoute): boolean =>
      route.webSocketApi.apiId === api.apiId;
    this.authorizer = routeAuthorizer(this, isMine, this.attached.authorizerId);
  }

  protected override inspect(): string[] {
    // Only $connect can have an authorizer; the others are reached through a connection that has
    // one.
    const served = routesOf(this.props.api, this.attached).filter((it) => it.route === '$connect');
    return [
      ...apiFaults(this.props.api, this.attached, this.made),
      ...routeFaults(served, this.props.routes, [], (route) =>
        served.some((it) => it.route === route),
      ),
    ];
  }
}

function routeFaults(
  served: readonly Served[],
  routes: Routes,
  publicRoutes: readonly string[],
  serves: (route: string) => boolean,
): string[] {
  const open = served.filter((it) => !it.guarded && !publicRoutes.includes(it.route));
  const both = publicRoutes.filter(
    (route) => route in routes || served.some((it) => it.route === route && it.guarded),
  );
  const gone = [...Object.keys(routes), ...publicRoutes].filter((route) => !serves(route));
  return [
    ...open.map(
      (it) =>
        `${it.route} is open to everybody: give it the authorizer, or list it in publicRoutes.`,
    ),
    ...both.map((route) => `${route} is in publicRoutes and guarded: it can be one of the two.`),
    ...gone.map((route) => `${route} is listed, and the API has no such route.`),
  ];
}

function routesOf(
  api: apigatewayv2.IHttpApi | apigatewayv2.IWebSocketApi,
  attached: Construct,
): Served[] {
  const described = referentOf(attached, api.apiId);
  const mine = attached.node.defaultChild as CfnResource;
  return resourcesOf(attached, 'AWS::ApiGatewayV2::Route')
    .map((it): [CfnResource, Properties] => [it, namedPropertiesOf(it)])
    .filter(([it, { ApiId }]) => mayBe(it, ApiId, described))
    .map(([it, properties]) => ({
      route: textOf(properties.RouteKey),
      guarded: isGuarded(it, properties, mine),
    }));
}

/**
 * What the template says counts, and an id that is put together of several is not the authorizer's.
 */
function isGuarded(
  it: CfnResource,
  { AuthorizationType, AuthorizerId }: Properties,
  mine: CfnResource,
): boolean {
  return AuthorizationType === 'CUSTOM' && namedReferent(it, AuthorizerId) === mine;
}

function apiFaults(
  api: apigatewayv2.IHttpApi | apigatewayv2.IWebSocketApi,
  attached: Construct,
  made: lambda.CfnFunction,
): string[] {
  return [
    ...describedFaults(referentOf(attached, api.apiId)),
    ...diverted(attached.node.defaultChild as CfnResource, made),
  ];
}

/** An authorizer that asks another function guards nothing. */
function diverted(authorizer: CfnResource, made: lambda.CfnFunction): string[] {
  const uri = JSON.stringify(propertiesOf(authorizer).AuthorizerUri ?? null);
  return calls(authorizer, [made]) && mentions(authorizer, uri, made)
    ? []
    : [
        `${authorizer.node.path} does not call the authorizer's function: leave its ` +
          'AuthorizerUri as it is.',
      ];
}

/**
 * The path of a method's resource: of one resource above the other, up to one that the app does not
 * make.
 */
function pathOf(method: CfnResource, properties: Properties): string {
  const parts: string[] = [];
  let below = method;
  let id = properties.ResourceId;
  for (let it = namedReferent(below, id); isResource(it); it = namedReferent(below, id)) {
    const { PathPart, ParentId } = namedPropertiesOf(it);
    parts.unshift(textOf(PathPart));
    below = it;
    id = ParentId;
  }
  const { scope } = below.node;
  const above =
    scope instanceof apigateway.Method
      ? scope.resource
      : scope instanceof apigateway.Resource
        ? scope.parentResource
        : undefined;
  // Of a resource that another app made its construct alone knows the path.
  const isAbove =
    above !== undefined && referentOf(below, above.resourceId) === namedReferent(below, id);
  const base = isAbove && above.path !== '/' ? above.path : '';
  return [base, ...parts].join('/') || '/';
}

function isResource(it: Referent): it is CfnResource {
  return typeof it !== 'string' && typeOf(it) === 'AWS::ApiGateway::Resource';
}

/**
 * A value that is known only when it is deployed is shown as the template has it, and equals no
 * route.
 */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

/** An API that is an OpenAPI document names authorizers in it, where no construct can put one. */
function notDescribed(api: apigateway.IRestApi): string[] {
  return api instanceof apigateway.SpecRestApi
    ? [
        `${api.node.path} is an OpenAPI document: name the authorizer in it, as docs/cdk.md ` +
          'shows, or describe the API by apigateway.RestApi.',
      ]
    : [];
}

/**
 * Methods name the authorizer and the authorizer names the API: in two stacks each would wait for
 * the other.
 */
function besideApi(authorizer: Construct, api: IConstruct): string[] {
  const resource = api.node.defaultChild;
  return CfnResource.isCfnResource(resource) && Stack.of(resource) !== Stack.of(authorizer)
    ? [`it is in another stack than the API ${api.node.path}: put it into the API's.`]
    : [];
}

function onlyMethods(routes: Routes): string[] {
  return Object.keys(routes)
    .filter((route) => route.startsWith('$'))
    .map((route) => `routes has '${route}', and REST APIs have no such route.`);
}

function withoutConnect(routes: Routes): string[] {
  return '$connect' in routes ? ["routes has '$connect', which WebSocket APIs alone have."] : [];
}

function onlyConnect(routes: Routes): string[] {
  const wrong = Object.keys(routes).filter((route) => route !== '$connect');
  return wrong.map(
    (route) => `routes has '${route}': a WebSocket API is authorized at $connect alone.`,
  );
}

function uriOf(authorizer: AuthorizerFunction): string {
  const { partition, region } = Stack.of(authorizer);
  const { functionArn } = authorizer.function;
  const path = `path/2015-03-31/functions/${functionArn}/invocations`;
  return `arn:${partition}:apigateway:${region}:lambda:${path}`;
}

function permit(authorizer: AuthorizerFunction, apiId: string, authorizerId: string): void {
  authorizer.function.addPermission('Invoke', {
    principal: new iam.ServicePrincipal('apigateway.amazonaws.com'),
    sourceArn: Stack.of(authorizer).formatArn({
      service: 'execute-api',
      resource: apiId,
      resourceName: `authorizers/${authorizerId}`,
    }),
  });
}

function routeAuthorizer<Route extends IConstruct>(
  authorizer: Construct,
  isMine: (route: Route) => boolean,
  authorizerId: string,
) {
  return {
    bind: ({ route }: { readonly route: Route }) => {
      refuse(
        authorizer,
        isMine(route) ? [] : [`${route.node.path} is of another API than the one that it guards.`],
      );
      return { authorizerId, authorizationType: 'CUSTOM' };
    },
  };
}
