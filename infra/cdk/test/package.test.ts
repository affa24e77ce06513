// What is installed of this package, and in which way.
import { App, Stack } from 'aws-cdk-lib';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { Latchkey } from '../lib';
import { CDK, CODE, ISSUER, platform } from './fixtures';

test('the package has the constructs, and what they read', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: CDK,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const needed of [
    'dist/lib/index.js',
    'dist/lib/index.d.ts',
    'lib/latchkey.template.json',
    'lib/authorizer.template.json',
    'lib/scopes.csv',
  ]) {
    assert.ok(paths.includes(needed), needed);
  }
  assert.deepEqual(
    paths.filter((path) => /test|node_modules|cdk\.out/.test(path)),
    [],
  );
});

test('two copies of aws-cdk-lib are refused, since neither sees the constructs of the other', () => {
  // CDK loads its parts when they are first used: ours are loaded by this.
  platform();
  const [OurStack, ours] = [
    Stack,
    Object.keys(require.cache).filter((file) => file.includes('/node_modules/aws-cdk-lib/')),
  ];
  const kept = ours.map((file) => [file, require.cache[file]] as const);
  ours.forEach((file) => delete require.cache[file]);
  try {
    const theirs = require('aws-cdk-lib') as { App: typeof App; Stack: typeof Stack };
    assert.notEqual(theirs.Stack, OurStack);
    const stack = new theirs.Stack(new theirs.App(), 'Theirs');
    assert.throws(
      () => new Latchkey(stack, 'Latchkey', { issuer: ISSUER, code: CODE }),
      /have each a copy of aws-cdk-lib. Install what 'npm pack' makes/,
    );
  } finally {
    kept.forEach(([file, module]) => (require.cache[file] = module));
  }
});
