// The platform as a construct: its properties, what it exposes, where its programs come from.
import { App, Stack, Token } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sns from 'aws-cdk-lib/aws-sns';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Latchkey, LatchkeyCode, type LatchkeyProps } from '../lib';
import { PARAMETERS } from '../lib/parameters';
import { PLATFORM } from '../lib/template';
import { CODE, directory, ISSUER, newApp, platform, programs, refusal } from './fixtures';

test('each parameter of the template is a property', () => {
  assert.deepEqual(Object.values(PARAMETERS).sort(), Object.keys(PLATFORM.Parameters).sort());
});

test('what the template says of its parameters is refused in its words', () => {
  const refused: [Partial<Record<keyof LatchkeyProps, unknown>>, RegExp][] = [
    [{ issuer: undefined }, /Platform\/Latchkey: issuer is missing/],
    [{ issuer: 'http://auth.example.com' }, /issuer must be an https origin/],
    [{ issuer: `${ISSUER}/` }, /issuer must be an https origin/],
    [{ issuer: `https://${'a'.repeat(300)}` }, /issuer must be/],
    [{ brand: 'LK' }, /brand must be 2 to 12 lower-case letters, and is 'LK'/],
    [{ tokenLifetimeSeconds: 59 }, /tokenLifetimeSeconds must be 60 to 3600/],
    [{ logRetentionDays: 8 }, /logRetentionDays must be one of 7, 14/],
    [{ architecture: 'riscv' }, /architecture must be one of arm64, x86_64/],
    [{ apiRateLimit: 0 }, /apiRateLimit must be 1 to 10000/],
    [{ apiRateLimit: 'many' }, /apiRateLimit must be a number/],
    [{ portalUrl: 'http://portal.example.com' }, /portalUrl must be an https address/],
    [{ sandboxAudience: 'urn:latchkey:live' }, /SandboxAudience and LiveAudience must differ/],
  ];
  for (const [props, sentence] of refused) {
    assert.throws(() => platform(props as Partial<LatchkeyProps>), sentence, JSON.stringify(props));
  }
});

test('a value that is known at the deployment alone is taken', () => {
  const app = newApp();
  const layers = new Stack(app, 'Layers');
  const layer = new lambda.LayerVersion(layers, 'Scopes', {
    code: lambda.Code.fromAsset(programs(183, ['scopes'])),
  });
  const scopes = {
    scopeCatalogueFile: '/opt/scopes.csv',
    scopeCatalogueLayer: layer.layerVersionArn,
  };
  const { stack } = platform(scopes, app);
  const made = Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
  const layered = made.filter(({ Properties }) => Properties.Layers !== undefined);
  assert.equal(
    layered.length,
    made.filter(
      ({ Properties }) =>
        'LATCHKEY_SCOPE_CATALOGUE_FILE' in (Properties.Environment?.Variables ?? {}),
    ).length,
  );
  assert.match(JSON.stringify(layered[0]?.Properties.Layers), /Fn::ImportValue/);
});

test('no parameter, rule or condition of the template is left to the deployment', () => {
  const { Parameters, Rules, Conditions } = Template.fromStack(platform().stack).toJSON();
  assert.deepEqual(
    [Object.keys(Parameters), Object.keys(Rules), Conditions],
    [['BootstrapVersion'], ['CheckBootstrapVersion'], undefined],
  );
});

test('it exposes the API, tables, functions, keys and outputs', () => {
  const { stack, latchkey } = platform();
  const exposed = {
    api: latchkey.restApi.restApiId,
    usage: latchkey.tables.usage.tableArn,
    stream: latchkey.tables.audit.tableStreamArn,
    tokens: latchkey.functions.tokens.functionArn,
    live: latchkey.signingKeys.live.map((it) => it.keyArn),
    data: latchkey.dataKey.keyArn,
    pepper: latchkey.pepperSecret.secretArn,
  };
  const id = (name: string): string => stack.getLogicalId(latchkey.template.getResource(name));
  assert.deepEqual(stack.resolve(exposed), {
    api: { Ref: id('Api') },
    usage: { 'Fn::GetAtt': [id('UsageTable'), 'Arn'] },
    stream: { 'Fn::GetAtt': [id('AuditTable'), 'StreamArn'] },
    tokens: { 'Fn::GetAtt': [id('TokensFunction'), 'Arn'] },
    live: [{ 'Fn::GetAtt': [id('LiveSigningKey'), 'Arn'] }],
    data: { 'Fn::GetAtt': [id('DataKey'), 'Arn'] },
    pepper: { Ref: id('PepperSecret') },
  });
  assert.ok(Token.isUnresolved(latchkey.outputs.OperatorEnvironment));
  assert.deepEqual(
    Object.keys(Template.fromStack(stack).toJSON().Outputs).sort(),
    Object.keys(latchkey.outputs).sort(),
  );
  assert.ok(
    'OperatorEnvironment' in latchkey.outputs,
    "the README's command asks for it by this name",
  );
});

test('while a signing key is rolled there are two of its kind', () => {
  const keys = (liveSigningKeys: 'a' | 'ab' | 'b'): number =>
    platform({ liveSigningKeys }).latchkey.signingKeys.live.length;
  assert.deepEqual([keys('a'), keys('ab'), keys('b')], [1, 2, 1]);
});

test('another stack can use what it exposes', () => {
  const app = newApp();
  const { latchkey } = platform({}, app);
  const other = new Stack(app, 'Other');
  new sns.Topic(other, 'Topic', { displayName: latchkey.tables.core.tableArn });
  assert.match(
    JSON.stringify(Template.fromStack(other).findResources('AWS::SNS::Topic')),
    /Fn::ImportValue/,
  );
});

test('tables, keys, secrets and logs stay when the stack goes', () => {
  const template = Template.fromStack(platform().stack);
  for (const type of [
    'AWS::DynamoDB::Table',
    'AWS::KMS::Key',
    'AWS::SecretsManager::Secret',
    'AWS::Logs::LogGroup',
  ]) {
    const found = Object.values(template.findResources(type));
    assert.ok(found.length > 0, type);
    assert.deepEqual(
      [...new Set(found.map((it) => `${it.DeletionPolicy} ${it.UpdateReplacePolicy}`))],
      ['Retain Retain'],
      type,
    );
  }
});

test('a function has the program that was built for it', () => {
  const { stack, latchkey } = platform();
  const { Resources } = Template.fromStack(stack).toJSON();
  const key = (name: string): string =>
    Resources[stack.getLogicalId(latchkey.template.getResource(name))].Properties.Code.S3Key;
  assert.match(key('TokensFunction'), /^[0-9a-f]{64}\.zip$/);
  assert.equal(key('ManagementFunction'), key('KeysFunction'), 'one program, deployed twice');
});

test('a program that is not there, or is for another processor, is named', () => {
  const code = (...built: Parameters<typeof programs>): Partial<LatchkeyProps> => ({
    code: LatchkeyCode.fromDirectory(programs(...built)),
  });
  assert.throws(
    () => platform(code(183, ['tokens'])),
    /There is no program at .*\/bootstrap: run 'cargo lambda build --release --arm64'/,
  );
  assert.throws(() => platform({ ...code(183, []), architecture: 'x86_64' }), /--release --x86-64/);
  assert.throws(
    () => platform(code(62)),
    /is built for x86_64, and the function is to run on arm64/,
  );
  assert.throws(
    () => platform({ architecture: 'x86_64' }),
    /is built for arm64, and the function is to run on x86_64/,
  );
});

test('without built programs cargo-lambda builds them, from a checkout that is there', () => {
  const nowhere = directory();
  assert.throws(
    () => platform({ code: LatchkeyCode.fromSource(nowhere) }),
    new RegExp(`There is no crate at ${join(nowhere, 'functions')}`),
  );
  // Bundling is off in this app, so that nothing is built; that the sources are found is what is
  // seen.
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] }, outdir: directory() });
  const { stack } = platform({ code: undefined }, app);
  assert.match(
    JSON.stringify(Template.fromStack(stack).findResources('AWS::Lambda::Function')),
    /"S3Key":"[0-9a-f]{64}\.zip"/,
  );
});

test('a checkout without cargo-lambda is told what to do', () => {
  const path = process.env.PATH;
  const empty = directory();
  process.env.PATH = empty;
  try {
    assert.throws(
      () => platform({ code: LatchkeyCode.fromSource() }),
      /it needs Rust and cargo-lambda .*fromDirectory/s,
    );
  } finally {
    process.env.PATH = path;
    rmSync(empty, { recursive: true });
  }
});

test('a stack holds one platform', () => {
  const { stack } = platform();
  new Latchkey(stack, 'Second', { issuer: ISSUER, code: CODE });
  assert.match(refusal(stack), /A stack holds one Latchkey/);
});
