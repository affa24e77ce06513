// What the template will say, with whatever was overridden: an attribute of a construct says only
// what it was made with, and a resource may be written without any construct of its own.
import {
  CfnResource,
  DefaultTokenResolver,
  type IResolvable,
  type IResolveContext,
  Reference,
  Stack,
  Stage,
  StringConcat,
  Tokenization,
} from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

export type Properties = Readonly<Record<string, unknown>>;

type PostProcessor = Parameters<DefaultTokenResolver['resolveToken']>[2];

/** All constructs that are deployed together with this one or from the same app. */
export function appOf(construct: IConstruct): IConstruct[] {
  return (Stage.of(construct) ?? construct.node.root).node.findAll();
}

/** The app's resources of these types, whatever made them. */
export function resourcesOf(construct: IConstruct, ...types: string[]): CfnResource[] {
  return appOf(construct)
    .filter((it) => CfnResource.isCfnResource(it))
    .filter((it) => types.includes(typeOf(it)));
}

/** A resource's type, which may be overridden as well. */
export function typeOf(resource: CfnResource): string {
  const { rawOverrides } = resource as unknown as { rawOverrides: { Type?: unknown } };
  return String(rawOverrides.Type ?? resource.cfnResourceType);
}

/**
 * Every construct that the values of `value` refer to, through aliases and versions of functions
 * too.
 */
export function targets(scope: IConstruct, value: unknown): ReadonlySet<IConstruct> {
  const found = new Set<IConstruct>();
  class Finder extends DefaultTokenResolver {
    override resolveToken(
      token: IResolvable,
      context: IResolveContext,
      postProcessor: PostProcessor,
    ) {
      if (Reference.isReference(token)) {
        const { target } = token;
        if (!found.has(target)) {
          found.add(target);
          const type = CfnResource.isCfnResource(target) ? typeOf(target) : '';
          if (type === 'AWS::Lambda::Alias' || type === 'AWS::Lambda::Version') {
            targets(target, entryOf(target as CfnResource)).forEach((further) =>
              found.add(further),
            );
          }
        }
      }
      return super.resolveToken(token, context, postProcessor);
    }
  }
  Tokenization.resolve(value, {
    scope,
    resolver: new Finder(new StringConcat()),
    preparing: false,
  });
  return found;
}

/**
 * A resource's entry in the template, before its tokens are resolved. Its properties alone would
 * lack what was overridden.
 */
export function entryOf(resource: CfnResource): unknown {
  return (resource as unknown as { _toCloudFormation(): unknown })._toCloudFormation();
}

/** A resource's properties as they will stand in the template, with whatever was overridden. */
export function propertiesOf(resource: CfnResource): Properties {
  return onlyProperties(Stack.of(resource).resolve(entryOf(resource)));
}

/**
 * The same, with each reference to a resource naming the construct's path, which is one for all
 * stacks.
 */
export function namedPropertiesOf(resource: CfnResource): Properties {
  return onlyProperties(named(resource, entryOf(resource)));
}

function onlyProperties(entry: unknown): Properties {
  const { Resources } = entry as { Resources?: Record<string, { Properties?: Properties }> };
  return Object.values(Resources ?? {})[0]?.Properties ?? {};
}

class Namer extends DefaultTokenResolver {
  override resolveToken(
    token: IResolvable,
    context: IResolveContext,
    postProcessor: PostProcessor,
  ): unknown {
    return Reference.isReference(token) && CfnResource.isCfnResource(token.target)
      ? { Ref: token.target.node.path }
      : super.resolveToken(token, context, postProcessor);
  }
}

function named(scope: IConstruct, value: unknown): unknown {
  return Tokenization.resolve(value, {
    scope,
    resolver: new Namer(new StringConcat()),
    preparing: false,
  });
}

/** What an id stands for: a resource of the app, or else the text or the import that it is. */
export type Referent = CfnResource | string;

/** What a value stands for, that is yet to be resolved. */
export function referentOf(scope: IConstruct, value: unknown): Referent {
  return namedReferent(scope, named(scope, value));
}

/** What a value of `namedPropertiesOf` stands for. */
export function namedReferent(scope: IConstruct, value: unknown): Referent {
  const { Ref, 'Fn::GetAtt': attribute } = (value ?? {}) as Record<string, unknown>;
  const name = Ref ?? (Array.isArray(attribute) ? attribute[0] : attribute);
  const found =
    typeof name !== 'string'
      ? undefined
      : name.includes('/')
        ? atPath(scope, name)
        : logical(scope, name);
  return found ?? JSON.stringify(value ?? null);
}

/**
 * Whether a value of `namedPropertiesOf` may stand for this: one that is put together of several is
 * taken to.
 */
export function mayBe(scope: IConstruct, value: unknown, wanted: Referent): boolean {
  const found = namedReferent(scope, value);
  if (typeof found !== 'string' || typeof wanted === 'string') {
    return found === wanted;
  }
  return found.includes(JSON.stringify(wanted.node.path)) || mentions(scope, found, wanted);
}

/** Whether a text of a template has a resource's name. */
export function mentions(scope: IConstruct, text: string, resource: CfnResource): boolean {
  return (
    Stack.of(scope) === Stack.of(resource) &&
    new RegExp(`\\b${Stack.of(resource).getLogicalId(resource)}\\b`).test(text)
  );
}

function atPath(scope: IConstruct, path: string): CfnResource | undefined {
  const root: IConstruct = scope.node.root;
  const found = path
    .split('/')
    .reduce<IConstruct | undefined>((at, id) => at?.node.tryFindChild(id), root);
  return CfnResource.isCfnResource(found) ? found : undefined;
}

function logical(scope: IConstruct, id: string): CfnResource | undefined {
  const stack = Stack.of(scope);
  const resources = stack.node.findAll().filter((it) => CfnResource.isCfnResource(it));
  return resources.find(
    (it) => Stack.of(it) === stack && stack.getLogicalId(it) === id.split('.')[0],
  );
}
