// What is wired to an authorizer's function, wherever in the app it is wired: a construct of ours
// cannot be unsafe by its properties, but CDK lets anybody write an authorizer of their own that
// names its function.
import { CfnResource, Stack } from 'aws-cdk-lib';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import { isDeepStrictEqual } from 'node:util';

import {
  appOf,
  entryOf,
  mayBe,
  mentions,
  namedPropertiesOf,
  namedReferent,
  type Properties,
  propertiesOf,
  type Referent,
  resourcesOf,
  targets,
  typeOf,
} from './resolved';
import { PLATFORM } from './template';

/**
 * The gateway's answers that make an authorizer's refusals what the product says: 401, 403 and 503
 * (twice).
 */
export const GATEWAY_RESPONSES = [
  'UNAUTHORIZED',
  'ACCESS_DENIED',
  'AUTHORIZER_FAILURE',
  'AUTHORIZER_CONFIGURATION_ERROR',
] as const;

/** One such answer, as the platform's own API has it. */
export interface GatewayResponse {
  readonly statusCode: string;
  readonly responseTemplates: Record<string, string>;
  readonly responseParameters: { Headers: Record<string, string> };
}

/** The platform's gateway responses: of the template, so that they are written once. */
export const PLATFORM_RESPONSES = ((): Readonly<Record<string, GatewayResponse>> => {
  const body = PLATFORM.Resources.Api?.Properties?.Body as Record<string, unknown> | undefined;
  const responses = body?.['x-amazon-apigateway-gateway-responses'] as Record<
    string,
    Record<string, unknown>
  >;
  return Object.fromEntries(
    Object.entries(responses).map(
      ([type, { statusCode, responseTemplates, responseParameters }]) => {
        const headers = Object.entries(responseParameters as Record<string, string>);
        const named = headers.map(([name, value]) => [
          name.replace('gatewayresponse.header.', ''),
          value,
        ]);
        const templates = responseTemplates as Record<string, string>;
        return [
          type,
          {
            statusCode: String(statusCode),
            responseTemplates: templates,
            responseParameters: { Headers: Object.fromEntries(named) },
          },
        ];
      },
    ),
  );
})();

/**
 * Everything wrong with the authorizers of the app that call one of these functions, one sentence
 * each.
 */
export function inspectAuthorizers(functions: readonly lambda.CfnFunction[]): string[] {
  const [first] = functions;
  return first === undefined
    ? []
    : [...new Set(appOf(first).flatMap((it) => inspectOne(it, functions)))];
}

function inspectOne(it: IConstruct, functions: readonly lambda.CfnFunction[]): string[] {
  if (!CfnResource.isCfnResource(it)) {
    return [];
  }
  switch (typeOf(it)) {
    case 'AWS::ApiGateway::Authorizer': {
      if (!calls(it, functions)) {
        return [];
      }
      const api = namedReferent(it, namedPropertiesOf(it).RestApiId);
      return [
        ...restFaults(it.node.path, propertiesOf(it)),
        ...missingResponses(it, api),
        ...cacheFaults(it, api),
      ];
    }
    case 'AWS::ApiGatewayV2::Authorizer': {
      const called = functions.find((one) => calls(it, [one]));
      return called === undefined ? [] : httpFaults(it, propertiesOf(it), called);
    }
    case 'AWS::ApiGateway::RestApi':
      return calls(it, functions) ? [...documentFaults(it, functions), ...cacheFaults(it, it)] : [];
    case 'AWS::ApiGatewayV2::Api':
      return calls(it, functions) ? documentFaults(it, functions) : [];
    default:
      return [];
  }
}

/** Whether a resource names one of the functions, by a reference or by its name in the template. */
export function calls(resource: CfnResource, functions: readonly lambda.CfnFunction[]): boolean {
  const named = targets(resource, entryOf(resource));
  const text = JSON.stringify(propertiesOf(resource));
  return functions.some((one) => named.has(one) || mentions(resource, text, one));
}

const CACHE =
  'caches results, and a revoked credential would pass until the cache forgets it: ' +
  'set the TTL to 0';

function restFaults(
  path: string,
  { Type, AuthorizerResultTtlInSeconds, IdentitySource }: Properties,
): string[] {
  return [
    ...(Type === 'REQUEST'
      ? []
      : [
          `${path} is a ${String(Type)} authorizer, which sees neither the caller's address ` +
            'nor the matched resource: make it a REQUEST authorizer.',
        ]),
    // API Gateway's own default is 300 seconds.
    ...(Number(AuthorizerResultTtlInSeconds ?? 300) === 0 ? [] : [`${path} ${CACHE}.`]),
    ...(isEmpty(IdentitySource)
      ? []
      : [
          `${path} has an identity source, and API Gateway would refuse a call without it ` +
            'before the authorizer sees and logs it: leave it out.',
        ]),
  ];
}

function missingResponses(authorizer: CfnResource, api: Referent): string[] {
  const statuses = resourcesOf(authorizer, 'AWS::ApiGateway::GatewayResponse')
    .filter((it) => mayBe(it, namedPropertiesOf(it).RestApiId, api))
    .map(propertiesOf)
    .map(({ ResponseType, StatusCode }): [unknown, unknown] => [ResponseType, StatusCode]);
  return responseFaults(authorizer.node.path, statuses);
}

/** A gateway response that was made here says what the platform's own does. */
export function changedResponse(response: CfnResource, type: string): string[] {
  const { ResponseType, StatusCode, ResponseTemplates, ResponseParameters } =
    propertiesOf(response);
  const wanted = PLATFORM_RESPONSES[type];
  const headers = Object.entries(wanted?.responseParameters.Headers ?? {});
  const parameters = Object.fromEntries(
    headers.map(([name, value]) => [`gatewayresponse.header.${name}`, value]),
  );
  const same =
    ResponseType === type &&
    String(StatusCode) === wanted?.statusCode &&
    isDeepStrictEqual(ResponseTemplates ?? {}, wanted.responseTemplates) &&
    isDeepStrictEqual(ResponseParameters ?? {}, parameters);
  return same
    ? []
    : [
        `${response.node.path} was changed: leave it as it is, or say gatewayResponses: false ` +
          'and write all four yourself.',
      ];
}

/** API Gateway's cache of responses knows callers apart by the parameters of a method alone. */
function cacheFaults(scope: IConstruct, api: Referent): string[] {
  return resourcesOf(scope, 'AWS::ApiGateway::Stage', 'AWS::ApiGateway::Deployment')
    .filter((it) => mayBe(it, namedPropertiesOf(it).RestApiId, api))
    .filter((it) => hasCache(propertiesOf(it)))
    .map(
      (it) =>
        `${it.node.path} caches responses of a guarded API, and API Gateway's cache does not ` +
        "heed the Authorization header: one caller's answer would go to another. Leave " +
        'cachingEnabled and cacheClusterEnabled out.',
    );
}

/**
 * Whether a cache is on anywhere in a stage; what is known only when it is deployed counts as on.
 */
function hasCache(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).some(([name, it]) =>
      name === 'CachingEnabled' || name === 'CacheClusterEnabled'
        ? !isOff(it)
        : name !== 'Variables' && hasCache(it),
    )
  );
}

function isOff(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    String(value).toLowerCase() === 'false'
  );
}

const DESCRIBING = ['Body', 'BodyS3Location', 'CloneFrom', 'Target', 'RouteKey'];

/**
 * An API that is described by its own resource has routes that no other resource of the app shows.
 */
export function describedFaults(api: Referent): string[] {
  if (typeof api === 'string') {
    return [];
  }
  const properties = propertiesOf(api);
  return DESCRIBING.filter((name) => !isEmpty(properties[name])).map(
    (name) =>
      `${api.node.path} has ${name}, which makes routes that cannot be seen here, and that ` +
      'would be open to everybody: describe each route by a construct.',
  );
}

/**
 * Of an API's gateway responses, by type and status: each that is needed stands once, with its
 * status.
 */
function responseFaults(path: string, given: readonly (readonly [unknown, unknown])[]): string[] {
  return GATEWAY_RESPONSES.flatMap((type) => {
    const statuses = given.filter(([of]) => of === type).map(([, status]) => String(status));
    const wanted = PLATFORM_RESPONSES[type]?.statusCode;
    if (statuses.length === 0) {
      return [
        `${path} guards an API without the gateway response ${type}: its callers would get API ` +
          "Gateway's own answer, and a failure would read as a 500.",
      ];
    }
    if (statuses.length > 1) {
      return [
        `${path} guards an API with two gateway responses ${type}: leave yours out, or say ` +
          'gatewayResponses: false to keep it.',
      ];
    }
    return statuses[0] === wanted
      ? []
      : [
          `${path} guards an API whose gateway response ${type} has the status ${statuses[0]} ` +
            `instead of ${wanted}.`,
        ];
  });
}

function httpFaults(it: CfnResource, properties: Properties, called: lambda.CfnFunction): string[] {
  const {
    AuthorizerType,
    AuthorizerResultTtlInSeconds,
    AuthorizerPayloadFormatVersion: version,
    EnableSimpleResponses,
  } = properties;
  const path = it.node.path;
  const faults =
    AuthorizerType === 'REQUEST'
      ? []
      : [`${path} is a ${String(AuthorizerType)} authorizer: make it a REQUEST authorizer.`];
  // WebSocket APIs have neither a cache nor a payload version.
  const unset = version === undefined ? 0 : 300;
  if (Number(AuthorizerResultTtlInSeconds ?? unset) !== 0) {
    faults.push(`${path} ${CACHE}.`);
  }
  const answers = variablesOf(called).LATCHKEY_HTTP_API_RESPONSE === 'iam' ? 'iam' : 'simple';
  const expects =
    EnableSimpleResponses === true || EnableSimpleResponses === 'true' ? 'simple' : 'iam';
  if (version === '2.0' && answers !== expects) {
    faults.push(
      `${path} expects ${expects} responses and its function answers with ${answers} ones: API ` +
        'Gateway would refuse every call.',
    );
  }
  return faults;
}

/** Of an API that is an OpenAPI document: the authorizers are in it. */
function documentFaults(api: CfnResource, functions: readonly lambda.CfnFunction[]): string[] {
  const document = (propertiesOf(api).Body ?? {}) as Record<string, unknown>;
  const components = document.components as Record<string, unknown> | undefined;
  const schemes = Object.entries({
    ...(document.securityDefinitions ?? {}),
    ...(components?.securitySchemes ?? {}),
  });
  const ids = functions.map((one) => Stack.of(one).getLogicalId(one));
  const faults = schemes.flatMap(([name, scheme]) => {
    const authorizer = (scheme as Record<string, unknown>)['x-amazon-apigateway-authorizer'] as
      Record<string, unknown> | undefined;
    const text = JSON.stringify(authorizer ?? {});
    if (authorizer === undefined || !ids.some((id) => text.includes(id))) {
      return [];
    }
    return restFaults(`${api.node.path} (${name})`, {
      Type: String(authorizer.type).toUpperCase(),
      AuthorizerResultTtlInSeconds: authorizer.authorizerResultTtlInSeconds,
      IdentitySource:
        typeOf(api) === 'AWS::ApiGateway::RestApi' ? authorizer.identitySource : undefined,
    });
  });
  if (typeOf(api) === 'AWS::ApiGatewayV2::Api') {
    return faults;
  }
  const responses = (document['x-amazon-apigateway-gateway-responses'] ?? {}) as Record<
    string,
    { statusCode?: unknown }
  >;
  return [
    ...faults,
    ...responseFaults(
      api.node.path,
      Object.entries(responses).map(([type, { statusCode }]) => [type, statusCode]),
    ),
  ];
}

/** A function's variables, as they will stand in the template. */
export function variablesOf(made: lambda.CfnFunction): Properties {
  const { Environment } = propertiesOf(made) as { Environment?: { Variables?: Properties } };
  return Environment?.Variables ?? {};
}

export function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}
