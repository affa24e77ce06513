// infra/permissions.csv is what the synthesized policies grant: every row, and nothing else.
import { CfnResource, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { CDK, guarded, platform, rest } from './fixtures';
import { canonical, type Section } from './template-values';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Principal?: { readonly AWS?: string | string[] };
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

/** Function, action, resource, condition and by what it is granted. */
type Row = string;

const secret = (name: string): string =>
  `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-AbCdEf`;

/** Keys whose values are permissions of their own. */
const CLASSES = ['dynamodb:LeadingKeys', 'kms:ViaService'];

function table(): Row[] {
  const [head, ...lines] = readFileSync(join(CDK, '..', 'permissions.csv'), 'utf8')
    .trim()
    .split('\n');
  assert.equal(head, 'function,action,resource,condition,granted_by,why');
  return lines.map((line) => line.split(',').slice(0, 5).join(','));
}

/** What a statement grants a function, one row for each action, resource and class. */
function expand(
  who: string,
  { Action, Resource, Condition = {} }: Statement,
  grantedBy: string,
  on?: string,
): Row[] {
  const conditions = Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({ operator, key, values: [values].flat() })),
  );
  const classes = conditions.find(
    ({ operator, key }) => CLASSES.includes(key) && operator !== 'Null',
  );
  const written = (only?: string): string =>
    conditions
      .map((it) => {
        const values = it === classes && only !== undefined ? only : it.values.join(' ');
        return `${it.operator} ${it.key} ${values}`;
      })
      .sort()
      .join('; ');
  return [Action]
    .flat()
    .flatMap((action) =>
      [Resource]
        .flat()
        .flatMap((resource) =>
          (classes?.values ?? [undefined]).map((only) =>
            [who, action, on ?? named(resource), written(only), grantedBy].join(','),
          ),
        ),
    );
}

/** A resource as the table names it. */
function named(resource: string): string {
  return resource
    .replace(/^\$\{(\w+)(\.Arn)?\}/, '$1')
    .replace(/^arn:.*:secret:(\w+)-AbCdEf$/, '$1');
}

/** Everything that the policies of a stack grant its functions. */
function granted(stack: Stack, names: Record<string, string>): Row[] {
  const { Resources } = Template.fromStack(stack).toJSON() as { Resources: Section };
  const all = Object.entries(canonical(Resources, {}, names) as Section);
  const of = (type: string): [string, Record<string, unknown>][] =>
    all
      .filter(([, it]) => it.Type === type)
      .map(([id, it]) => [names[id] ?? id, it.Properties as Record<string, unknown>]);
  const holders = new Map(
    of('AWS::Lambda::Function').map(([name, { Role }]) => [String(Role), name]),
  );
  const statements = (document: unknown): Statement[] =>
    [(document as { Statement: Statement[] }).Statement].flat();
  const byRole = of('AWS::IAM::RolePolicy').flatMap(([, { RoleName, PolicyDocument }]) => {
    const who = holders.get(String(RoleName).replace('}', '.Arn}'));
    return who === undefined
      ? []
      : statements(PolicyDocument).flatMap((it) => expand(who, it, 'role'));
  });
  const byKey = of('AWS::KMS::Key').flatMap(([key, { KeyPolicy }]) =>
    statements(KeyPolicy).flatMap((it) => {
      const whom = [it.Principal?.AWS ?? []].flat().map((arn) => holders.get(arn));
      return whom.flatMap((who) => (who === undefined ? [] : expand(who, it, 'key policy', key)));
    }),
  );
  return [...byRole, ...byKey].map((row) =>
    row.startsWith('SampleAuthorizerFunction')
      ? row.replace('P#sandbox', 'P#${SampleEnvironment}')
      : row,
  );
}

function namesIn(...scopes: { node: { children: unknown[] } }[]): Record<string, string> {
  const made = scopes
    .flatMap((scope) => scope.node.children)
    .filter((it) => CfnResource.isCfnResource(it as object)) as CfnResource[];
  return Object.fromEntries(made.map((it) => [it.stack.getLogicalId(it), it.node.id]));
}

test('leak_5_the_platform_grants_what_the_table_says_and_nothing_else', () => {
  const { stack, latchkey } = platform({
    trustedProxyAddressHeader: 'CloudFront-Viewer-Address',
    trustedProxyProofHeader: 'X-Proof',
    trustedProxySecretArn: secret('TrustedProxySecretArn'),
    canarySecretArn: secret('CanarySecretArn'),
    sandboxSigningKeys: 'ab',
    liveSigningKeys: 'ab',
  });
  const found = granted(stack, namesIn(latchkey.template));
  assert.deepEqual(found.sort(), table().sort());
});

test('leak_5_an_attached_authorizer_is_granted_what_the_sample_authorizer_is', () => {
  const { stack, latchkey } = guarded();
  const proof = secretsmanager.Secret.fromSecretCompleteArn(
    stack,
    'Proof',
    secret('TrustedProxySecretArn'),
  );
  const trustedProxy = {
    addressHeader: 'CloudFront-Viewer-Address',
    proofHeader: 'X-Proof',
    secret: proof,
  };
  const { guard } = rest({ trustedProxy }, { stack, latchkey });
  const named: [RegExp, string][] = [
    [/arn:\$\{AWS::Partition\}:dynamodb:[^,]*:table\/(core|feed)/, 'Table'],
    [/\bpepper\b/, 'PepperSecret'],
    [/arn:\$\{AWS::Partition\}:kms:[^,]*:key\/[0-9a-f-]+/, 'DataKey'],
  ];
  const capital = (text = ''): string => text.charAt(0).toUpperCase() + text.slice(1);
  const found = granted(stack, namesIn(guard.node.findChild('Template'))).map((row) =>
    named.reduce(
      (text, [arn, name]) =>
        text.replace(arn, (_, which?: string) => (name === 'Table' ? capital(which) + name : name)),
      row,
    ),
  );
  assert.deepEqual(
    found.sort(),
    table()
      .filter((row) => row.startsWith('SampleAuthorizerFunction'))
      .sort(),
  );
});
