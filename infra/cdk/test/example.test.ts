// The example: what cdk-nag finds in it is explained, and nothing is explained that is not found.
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { ACKNOWLEDGED, acknowledge } from '../bin/acknowledged';
import { example } from '../bin/example';
import { CDK, CODE, newApp } from './fixtures';

interface Finding {
  readonly path: string;
  readonly rule: string;
}

/** What cdk-nag says of the example, errors and warnings. */
function findings(explained: boolean): Finding[] {
  const app = newApp();
  example(app, CODE);
  if (explained) {
    acknowledge(app);
  }
  const { violations } = new AwsSolutionsChecks(app).validateScope(app);
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath = '' }) => ({
      path: constructPath,
      rule: ruleName.replace('AwsSolutions-', ''),
    })),
  );
}

test('cdk-nag finds nothing that is not explained', () => {
  assert.deepEqual(findings(true), []);
});

test('each explanation is of something that cdk-nag finds, and says why', () => {
  const found = findings(false);
  assert.ok(found.length > 0);
  for (const [path, rule, reason] of ACKNOWLEDGED) {
    assert.ok(
      found.some((it) => it.path.startsWith(path) && it.rule === rule),
      `${rule} at ${path} is not found any more`,
    );
    assert.ok(reason.length > 30, `${rule} at ${path} has no reason`);
  }
});

test('with cdk-nag the example is synthesized', () => {
  const app = newApp();
  const { guarded } = example(app, CODE);
  acknowledge(app);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  const template = Template.fromStack(guarded);
  template.resourceCountIs('AWS::ApiGateway::Authorizer', 1);
  template.resourceCountIs('AWS::ApiGatewayV2::Authorizer', 2);
});

test('a newcomer reads it in sixty lines', () => {
  const lines = readFileSync(join(CDK, 'bin', 'example.ts'), 'utf8')
    .trimEnd()
    .split('\n');
  assert.ok(lines.length <= 60, `${lines.length} lines`);
});
