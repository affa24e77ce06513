// What is wired to an authorizer's function, wherever in the app it is wired: a construct of ours cannot be unsafe by its
// properties, but CDK lets anybody write an authorizer of their own that names its function.
import {
  type CfnResource,
  DefaultTokenResolver,
  type IResolvable,
  type IResolveContext,
  Reference,
  Stack,
  Stage,
  StringConcat,
  Tokenization,
} from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';

import { PLATFORM } from './template';

/** The gateway's answers that make an authorizer's refusals what the product says: 401, 403 and 503 (twice). */
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
  const responses = body?.['x-amazon-apigateway-gateway-responses'] as Record<string, Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(responses).map(([type, { statusCode, responseTemplates, responseParameters }]) => {
      const headers = Object.entries(responseParameters as Record<string, string>);
      const named = headers.map(([name, value]) => [name.replace('gatewayresponse.header.', ''), value]);
      const templates = responseTemplates as Record<string, string>;
      return [
        type,
        {
          statusCode: String(statusCode),
          responseTemplates: templates,
          responseParameters: { Headers: Object.fromEntries(named) },
        },
      ];
    }),
  );
})();

type Properties = Readonly<Record<string, unknown>>;

/** Every construct that the values of `value` refer to, through aliases and versions of functions too. */
export function targets(scope: IConstruct, value: unknown): ReadonlySet<IConstruct> {
  const found = new Set<IConstruct>();
  class Finder extends DefaultTokenResolver {
    override resolveToken(
      token: IResolvable,
      context: IResolveContext,
      postProcessor: Parameters<DefaultTokenResolver['resolveToken']>[2],
    ) {
      if (Reference.isReference(token)) {
        const { target } = token;
        if (!found.has(target)) {
          found.add(target);
          if (target instanceof lambda.CfnAlias || target instanceof lambda.CfnVersion) {
            targets(target, target.functionName).forEach((further) => found.add(further));
          }
        }
      }
      return super.resolveToken(token, context, postProcessor);
    }
  }
  Tokenization.resolve(value, { scope, resolver: new Finder(new StringConcat()), preparing: false });
  return found;
}

/** A resource's entry in the template, before its tokens are resolved. Its properties alone would lack what was overridden. */
function entryOf(resource: CfnResource): unknown {
  return (resource as unknown as { _toCloudFormation(): unknown })._toCloudFormation();
}

/** A resource's properties as they will stand in the template, with whatever was overridden. */
export function propertiesOf(resource: CfnResource): Properties {
  const { Resources } = Stack.of(resource).resolve(entryOf(resource)) as {
    Resources: Record<string, { Properties?: Properties }>;
  };
  return Object.values(Resources)[0]?.Properties ?? {};
}

/** All constructs that are deployed together with this one or from the same app. */
export function appOf(construct: IConstruct): IConstruct[] {
  return (Stage.of(construct) ?? construct.node.root).node.findAll();
}

/** Everything wrong with the authorizers of the app that call one of these functions, one sentence each. */
export function inspectAuthorizers(functions: readonly lambda.CfnFunction[]): string[] {
  const [first] = functions;
  return first === undefined ? [] : appOf(first).flatMap((it) => inspectOne(it, functions));
}

function inspectOne(it: IConstruct, functions: readonly lambda.CfnFunction[]): string[] {
  if (it instanceof apigateway.CfnAuthorizer) {
    return calls(it, functions) ? [...restFaults(it.node.path, propertiesOf(it)), ...missingResponses(it)] : [];
  }
  if (it instanceof apigatewayv2.CfnAuthorizer) {
    const called = functions.find((one) => calls(it, [one]));
    return called === undefined ? [] : httpFaults(it, propertiesOf(it), called);
  }
  if (it instanceof apigateway.CfnRestApi || it instanceof apigatewayv2.CfnApi) {
    return calls(it, functions) ? documentFaults(it, functions) : [];
  }
  return [];
}

function calls(resource: CfnResource, functions: readonly lambda.CfnFunction[]): boolean {
  const named = targets(resource, entryOf(resource));
  return functions.some((one) => named.has(one));
}

const CACHE = 'caches results, and a revoked credential would pass until the cache forgets it: set the TTL to 0';

function restFaults(path: string, { Type, AuthorizerResultTtlInSeconds, IdentitySource }: Properties): string[] {
  return [
    ...(Type === 'REQUEST'
      ? []
      : [
          `${path} is a ${String(Type)} authorizer, which sees neither the caller's address nor the matched resource: make it a REQUEST authorizer.`,
        ]),
    // API Gateway's own default is 300 seconds.
    ...(Number(AuthorizerResultTtlInSeconds ?? 300) === 0 ? [] : [`${path} ${CACHE}.`]),
    ...(isEmpty(IdentitySource)
      ? []
      : [
          `${path} has an identity source, and API Gateway would refuse a call without it before the authorizer sees and logs it: leave it out.`,
        ]),
  ];
}

/** Whether two ids are one: of one construct, or the same text. */
export function isSame(scope: IConstruct, id: string, otherScope: IConstruct, other: string): boolean {
  const others = targets(otherScope, other);
  if (others.size > 0) {
    return [...targets(scope, id)].some((it) => others.has(it));
  }
  return JSON.stringify(Stack.of(scope).resolve(id)) === JSON.stringify(Stack.of(otherScope).resolve(other));
}

function missingResponses(authorizer: apigateway.CfnAuthorizer): string[] {
  const responses = appOf(authorizer).filter((it) => it instanceof apigateway.CfnGatewayResponse);
  const ours = responses.filter((it) => isSame(it, it.restApiId, authorizer, authorizer.restApiId));
  const statuses = ours.map((it): [string, unknown] => [it.responseType, propertiesOf(it).StatusCode]);
  return responseFaults(authorizer.node.path, statuses);
}

/** Of an API's gateway responses, by type and status: each that is needed stands once, with its status. */
function responseFaults(path: string, given: readonly (readonly [string, unknown])[]): string[] {
  return GATEWAY_RESPONSES.flatMap((type) => {
    const statuses = given.filter(([of]) => of === type).map(([, status]) => String(status));
    const wanted = PLATFORM_RESPONSES[type]?.statusCode;
    if (statuses.length === 0) {
      return [
        `${path} guards an API without the gateway response ${type}: its callers would get API Gateway's own answer, and a failure would read as a 500.`,
      ];
    }
    if (statuses.length > 1) {
      return [
        `${path} guards an API with two gateway responses ${type}: leave yours out, or say gatewayResponses: false to keep it.`,
      ];
    }
    return statuses[0] === wanted
      ? []
      : [`${path} guards an API whose gateway response ${type} has the status ${statuses[0]} instead of ${wanted}.`];
  });
}

function httpFaults(it: apigatewayv2.CfnAuthorizer, properties: Properties, called: lambda.CfnFunction): string[] {
  const {
    AuthorizerType,
    AuthorizerResultTtlInSeconds,
    AuthorizerPayloadFormatVersion: version,
    EnableSimpleResponses,
  } = properties;
  const path = it.node.path;
  const faults =
    AuthorizerType === 'REQUEST' ? [] : [`${path} is a ${String(AuthorizerType)} authorizer: make it a REQUEST authorizer.`];
  // WebSocket APIs have neither a cache nor a payload version.
  const unset = version === undefined ? 0 : 300;
  if (Number(AuthorizerResultTtlInSeconds ?? unset) !== 0) {
    faults.push(`${path} ${CACHE}.`);
  }
  const answers = variablesOf(called).LATCHKEY_HTTP_API_RESPONSE === 'iam' ? 'iam' : 'simple';
  const expects = EnableSimpleResponses === true || EnableSimpleResponses === 'true' ? 'simple' : 'iam';
  if (version === '2.0' && answers !== expects) {
    faults.push(
      `${path} expects ${expects} responses and its function answers with ${answers} ones: API Gateway would refuse every call.`,
    );
  }
  return faults;
}

/** Of an API that is an OpenAPI document: the authorizers are in it. */
function documentFaults(api: apigateway.CfnRestApi | apigatewayv2.CfnApi, functions: readonly lambda.CfnFunction[]): string[] {
  const document = (propertiesOf(api).Body ?? {}) as Record<string, unknown>;
  const components = document.components as Record<string, unknown> | undefined;
  const schemes = Object.entries({ ...(document.securityDefinitions ?? {}), ...(components?.securitySchemes ?? {}) });
  const ids = functions.map((one) => Stack.of(one).getLogicalId(one));
  const faults = schemes.flatMap(([name, scheme]) => {
    const authorizer = (scheme as Record<string, unknown>)['x-amazon-apigateway-authorizer'] as
      | Record<string, unknown>
      | undefined;
    const text = JSON.stringify(authorizer ?? {});
    if (authorizer === undefined || !ids.some((id) => text.includes(id))) {
      return [];
    }
    return restFaults(`${api.node.path} (${name})`, {
      Type: String(authorizer.type).toUpperCase(),
      AuthorizerResultTtlInSeconds: authorizer.authorizerResultTtlInSeconds,
      IdentitySource: api instanceof apigateway.CfnRestApi ? authorizer.identitySource : undefined,
    });
  });
  if (api instanceof apigatewayv2.CfnApi) {
    return faults;
  }
  const responses = (document['x-amazon-apigateway-gateway-responses'] ?? {}) as Record<string, { statusCode?: unknown }>;
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
