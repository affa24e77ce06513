// The platform of the CDK is the platform of SAM: resource by resource, property by property.
import { CfnResource } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { PARAMETERS } from '../lib/parameters';
import { objection, PLATFORM } from '../lib/template';
import {
  CDK,
  CODE,
  directory,
  ISSUER,
  type Platform,
  platform,
  python,
  translate,
  X86_CODE,
} from './fixtures';
import { canonical, differences, evaluated, type Section } from './template-values';

const NO_PYTHON = 'no Python with aws-sam-translator here (.ci/tools installs one)';

test('lib/ is what infra/template.yaml says now', (t) => {
  const found = python();
  if (found === undefined) {
    t.skip(NO_PYTHON);
    return;
  }
  translate(found, '--check');
});

/** A text that a parameter takes and that is not its default, of whatever it is a name. */
const SAMPLES = [
  'arn:aws:lambda:us-east-1:000000000000:layer:scopes:1',
  'acme',
  'https://portal.example.com',
  '/opt/scopes.csv',
  'X-Proof',
  'urn:acme:sandbox',
  'urn:acme:live',
  'vpc-0123456789abcdef0',
  'arn:aws:secretsmanager:us-east-1:000000000000:secret:it-AbCdEf',
  'arn:aws:sns:us-east-1:000000000000:it',
  'arn:aws:iam::000000000000:role/it',
  'arn:aws:wafv2:us-east-1:000000000000:regional/webacl/it/0f1e2d3c-0000-4000-8000-000000000000',
  'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  'sg-0123456789abcdef0',
  'rtb-0123456789abcdef0',
  'ops@example.com',
];
/** Parameters of which a rule lets only one be given: each variant gives another. */
const EXCLUSIVE = ['AlarmTopicArn', 'AlarmEmail'];

/** The nth other value of each parameter; its default when it has no more. */
function others(nth: number): Record<string, unknown> {
  const entries = Object.entries(PARAMETERS).map(([property, name]) => {
    const rules = PLATFORM.Parameters[name];
    if (rules === undefined || rules.Default === undefined) {
      return [property, ISSUER];
    }
    if (EXCLUSIVE.includes(name) && EXCLUSIVE[nth % EXCLUSIVE.length] !== name) {
      return [property, rules.Default];
    }
    const { Default: usual, AllowedValues, Type } = rules;
    const numbers = [Number(usual) + 1, Number(usual) - 1];
    const texts = name.startsWith('Live') ? [...SAMPLES].reverse() : SAMPLES;
    const candidates =
      AllowedValues ?? (Type === 'Number' || /^[0-9]+$/.test(String(usual)) ? numbers : texts);
    const possible = candidates.filter(
      (it) => String(it) !== String(usual) && objection(rules, it) === undefined,
    );
    assert.ok(possible.length > 0, `SAMPLES lacks a value for ${name}`);
    // The audiences are never to be one; of layers and ARNs one is enough.
    const at = /(Audience|Layer|Arn)$/.test(name) ? 0 : nth;
    return [property, possible[at] ?? (AllowedValues === undefined ? possible[0] : usual)];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

const CHOICES = Object.values(PLATFORM.Parameters).map((it) => it.AllowedValues?.length ?? 2);
const VARIANTS: readonly Record<string, unknown>[] = [
  {},
  ...Array.from({ length: Math.min(Math.max(...CHOICES) - 1, 3) }, (_, nth) => others(nth)),
];

VARIANTS.forEach((given, nth) => {
  const chosen = nth === 0 ? 'the defaults' : `other value ${nth} of every parameter`;
  test(`the synthesized platform is SAM's, with ${chosen}`, () => {
    const code = given.architecture === 'x86_64' ? X86_CODE : CODE;
    const made = platform({ ...given, code });
    const found = Template.fromStack(made.stack).toJSON() as Record<string, Section>;
    const names = namesOf(made);
    const values = valuesOf(given);
    const wanted = evaluated(PLATFORM, values);
    const report = [
      ...differences(
        'Resources',
        plain(wanted.Resources, values, {}),
        plain(found.Resources, {}, names),
      ),
      ...differences('Outputs', plain(wanted.Outputs, values, {}), plain(found.Outputs, {}, names)),
    ];
    assert.deepEqual(report, [], `\n${report.join('\n')}`);
    assert.ok(Object.keys(found.Resources ?? {}).length > 100, 'all of it was compared');
  });
});

test('these values make each condition of the template true once and false once', () => {
  for (const name of Object.keys(PLATFORM.Conditions ?? {})) {
    const outcomes = VARIANTS.map(
      (given) => name in decided(PLATFORM.Conditions ?? {}, valuesOf(given)),
    );
    assert.deepEqual([...new Set(outcomes)].sort(), [false, true], name);
  }
});

/** The conditions that hold. */
function decided(
  conditions: Readonly<Record<string, unknown>>,
  values: Record<string, unknown>,
): Section {
  const marked = Object.fromEntries(
    Object.keys(conditions).map((name) => [name, { Condition: name }]),
  );
  return evaluated({ Resources: marked, Conditions: conditions }, values).Resources;
}

test('the comparison sees a property that differs, one that is missing, and a resource too many', () => {
  const made = platform();
  const found = structuredClone(Template.fromStack(made.stack).toJSON()) as Record<string, Section>;
  const names = namesOf(made);
  const [tokens, table] = ['TokensFunction', 'CoreTable'].map((name) =>
    made.stack.getLogicalId(made.latchkey.template.getResource(name)),
  );
  const resources = found.Resources as Record<
    string,
    { Properties: Record<string, unknown>; DeletionPolicy?: string }
  >;
  Object.assign(resources[tokens ?? '']?.Properties ?? {}, { Timeout: 29 });
  delete resources[table ?? '']?.DeletionPolicy;
  resources.Another = { Properties: {} };
  const report = differences(
    'Resources',
    plain(evaluated(PLATFORM, valuesOf({})).Resources, valuesOf({}), {}),
    plain(resources, {}, names),
  );
  assert.deepEqual(report, [
    'Resources.Another: SAM has none, CDK has {}',
    'Resources.CoreTable.DeletionPolicy: SAM has "Retain", CDK has none',
    'Resources.TokensFunction.Properties.Timeout: SAM has "28", CDK has "29"',
  ]);
});

test('another route makes another deployment, so that API Gateway serves it', (t) => {
  const deployments = (text: string): string[] =>
    Object.keys((JSON.parse(text) as typeof PLATFORM).Resources).filter((name) =>
      /^ApiDeployment/.test(name),
    );
  const now = deployments(JSON.stringify(PLATFORM));
  assert.equal(now.length, 1);
  const made = platform();
  const [id] = Object.keys(
    Template.fromStack(made.stack).findResources('AWS::ApiGateway::Deployment'),
  );
  assert.ok(id?.includes(now[0] ?? '-'), `${id} carries SAM's hash of the routes`);
  const found = python();
  if (found === undefined) {
    t.skip(NO_PYTHON);
    return;
  }
  const source = readFileSync(join(CDK, '..', 'template.yaml'), 'utf8');
  const changed = source.replace(
    'Path: /v1/whoami, Auth: {Authorizer: NONE}',
    'Path: /v1/whoareyou, Auth: {Authorizer: NONE}',
  );
  assert.notEqual(changed, source);
  const file = join(directory(), 'template.yaml');
  writeFileSync(file, changed);
  assert.notDeepEqual(deployments(translate(found, '--print', file)), now);
});

test('a stack that SAM deployed keeps its resources when they keep their names', () => {
  const { stack } = platform({ preserveLogicalIds: true });
  const { Resources = {} } = Template.fromStack(stack).toJSON() as Record<string, Section>;
  const wanted = evaluated(PLATFORM, valuesOf({})).Resources;
  assert.deepEqual(Object.keys(Resources).sort(), Object.keys(wanted).sort());
});

function valuesOf(props: Record<string, unknown>): Record<string, unknown> {
  const given: Record<string, unknown> = { issuer: ISSUER, ...props };
  const entries = Object.entries(PARAMETERS).map(([property, name]) => {
    const { Default, Type = '' } = PLATFORM.Parameters[name] ?? {};
    const value = given[property] ?? Default;
    return [name, Type.includes('List') ? String(value).split(',') : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function namesOf({ stack, latchkey }: Platform): Record<string, string> {
  const made = latchkey.template.node.children.filter((it) => CfnResource.isCfnResource(it));
  return Object.fromEntries(made.map((it) => [stack.getLogicalId(it), it.node.id]));
}

/** A section in one spelling, without what only says where code lies and where a construct is. */
function plain(
  section: Section | undefined,
  values: Record<string, unknown>,
  names: Record<string, string>,
): Section {
  const entries = Object.entries(section ?? {}).map(([id, { Metadata: _, ...entry }]) => {
    const { Properties } = entry as { Properties?: Record<string, unknown> };
    const code =
      Properties?.Code === undefined ? {} : { Properties: { ...Properties, Code: 'elsewhere' } };
    return [names[id] ?? id, canonical({ ...entry, ...code }, values, names)];
  });
  return Object.fromEntries(entries) as Section;
}
