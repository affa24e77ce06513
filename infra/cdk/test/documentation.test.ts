// docs/cdk.md: what it shows for SAM users is what the transform takes, and is as safe as the
// constructs are.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { GATEWAY_RESPONSES } from '../lib/inspection';
import type { Template } from '../lib/template';
import { CDK, directory, python, translate } from './fixtures';

const GUIDE = readFileSync(join(CDK, '..', '..', 'docs', 'cdk.md'), 'utf8');

/** A template with a snippet of the guide, the function that it names, and a route for it. */
function template(kind: string): string {
  const [, snippet = ''] =
    new RegExp(`<!-- sam ${kind} -->\n\`\`\`yaml\n([^]*?)\`\`\``).exec(GUIDE) ?? [];
  const responses = GATEWAY_RESPONSES.map((name) => `      ${name}: {StatusCode: 403}`).join('\n');
  const resources = snippet
    .replace(/( +GatewayResponses:).*/, `$1\n${responses}`)
    .replace(/^(?=.)/gm, '  ');
  const api = {
    rest: 'Api, Properties: {RestApiId: !Ref ThingsApi',
    http: 'HttpApi, Properties: {ApiId: !Ref ThingsApi',
  }[kind];
  const events =
    api === undefined
      ? ''
      : `\n      Events:\n        Things: {Type: ${api}, Method: GET, Path: /things}}`;
  return `
Transform: AWS::Serverless-2016-10-31
Parameters: {Unused: {Type: String, Default: ""}}
Resources:
  SampleAuthorizerFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: authorizer}}
    Properties:
      CodeUri: .
      Runtime: provided.al2023
      Handler: bootstrap
      Role: arn:aws:iam::000000000000:role/it
  Things:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: things}}
    Properties:
      CodeUri: .
      Runtime: provided.al2023
      Handler: bootstrap
      Role: arn:aws:iam::000000000000:role/it${events}
${resources}`;
}

for (const [kind, safe] of [
  ['rest', /"authorizerResultTtlInSeconds": 0,[^]*"type": "request"/],
  ['http', /"authorizerPayloadFormatVersion": "2.0",\s*"authorizerResultTtlInSeconds": 0,/],
  ['websocket', /"AuthorizerType": "REQUEST"/],
] as const) {
  test(`the guide's SAM snippet for ${kind} is translated, and caches nothing`, (t) => {
    const found = python();
    if (found === undefined) {
      t.skip('no Python with aws-sam-translator here (.ci/tools installs one)');
      return;
    }
    const file = join(directory(), 'template.yaml');
    writeFileSync(file, template(kind));
    const made = translate(found, '--print', file);
    assert.match(made, safe);
    if (kind === 'rest') {
      assert.doesNotMatch(made, /identitySource/);
      const body = (JSON.parse(made) as Template).Resources.ThingsApi?.Properties?.Body as Record<
        string,
        object
      >;
      assert.deepEqual(
        Object.keys(body['x-amazon-apigateway-gateway-responses'] ?? {}).sort(),
        [...GATEWAY_RESPONSES].sort(),
      );
    }
  });
}

test('the guide names each property of the constructs that is not a parameter of the template', () => {
  const source = readFileSync(join(CDK, 'lib', 'authorizer-function.ts'), 'utf8');
  const properties = [...source.matchAll(/^ {2}readonly (\w+)\??: /gm)].map(
    ([, name]) => name ?? '',
  );
  assert.ok(properties.length > 15);
  for (const name of [...properties, 'preserveLogicalIds']) {
    assert.match(GUIDE, new RegExp(`\\b${name}\\b`), name);
  }
});
