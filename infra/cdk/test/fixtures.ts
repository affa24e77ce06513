// Apps to test, with programs that are none: nothing here builds Rust.
import { App, ArnFormat, Stack, type StackProps } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as integrations from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  type ILatchkey,
  Latchkey,
  LatchkeyAuthorizer,
  type LatchkeyAuthorizerProps,
  LatchkeyCode,
  type LatchkeyProps,
  type LatchkeyRestAuthorizer,
  type RestProps,
} from '../lib';

export const CDK = join(__dirname, '..', '..');
export const ISSUER = 'https://auth.example.com';

/** A directory that goes when the tests end. */
export function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'latchkey-cdk-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Programs of this processor, as far as their first twenty bytes say. */
export function programs(
  machine = 183,
  names = ['management', 'tokens', 'sample-api', 'authorizer', 'audit', 'canary', 'compactor'],
): string {
  const made = directory();
  const header = Buffer.from('7f454c4602010100000000000000000003000000', 'hex');
  header.writeUInt16LE(machine, 18);
  for (const name of names) {
    mkdirSync(join(made, name));
    writeFileSync(join(made, name, 'bootstrap'), header);
  }
  return made;
}

export const CODE = LatchkeyCode.fromDirectory(programs());
export const X86_CODE = LatchkeyCode.fromDirectory(programs(62));

/** An app with the context of cdk.json, so that tests see what `cdk synth` sees. */
export function newApp(): App {
  const { context } = JSON.parse(readFileSync(join(CDK, 'cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  };
  return new App({ context, outdir: directory() });
}

export interface Platform {
  readonly stack: Stack;
  readonly latchkey: Latchkey;
}

export function platform(props: Partial<LatchkeyProps> = {}, app = newApp()): Platform {
  const stack = new Stack(app, 'Platform');
  return {
    stack,
    latchkey: new Latchkey(stack, 'Latchkey', { issuer: ISSUER, code: CODE, ...props }),
  };
}

/** A stack with a platform that it knows by names, which is quicker than one that it deploys. */
export function guarded(
  props: StackProps = {},
  names: { scopeCatalogueFile?: string } = {},
): { stack: Stack; latchkey: ILatchkey } {
  const stack = new Stack(newApp(), 'Guarded', props);
  const arnFormat = ArnFormat.COLON_RESOURCE_NAME;
  const latchkey = Latchkey.fromNames(stack, 'Latchkey', {
    stackName: 'platform',
    issuer: ISSUER,
    coreTable: 'core',
    feedTable: 'feed',
    pepperSecretArn: stack.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: 'pepper-AbCdEf',
      arnFormat,
    }),
    dataKeyArn: stack.formatArn({
      service: 'kms',
      resource: 'key',
      resourceName: '2f1c9d3e-0000-4000-8000-000000000000',
    }),
    ...names,
  });
  return { stack, latchkey };
}

export const MOCK = new apigateway.MockIntegration();

/** One for each API: CDK binds an integration once. */
export function httpIntegration(): apigatewayv2.HttpRouteIntegration {
  return new integrations.HttpUrlIntegration('Things', 'https://things.example.com');
}

export function restApi(stack: Stack): apigateway.RestApi {
  return new apigateway.RestApi(stack, 'Rest');
}

export function webSocketIntegration(): apigatewayv2.WebSocketRouteIntegration {
  return new integrations.WebSocketMockIntegration('Events');
}

export const ROUTES = { 'GET /things': ['accounts:read'] };

export interface Rest {
  readonly stack: Stack;
  readonly api: apigateway.RestApi;
  readonly guard: LatchkeyRestAuthorizer;
  readonly template: () => Template;
}

/** A REST API that is guarded as it should be. */
export function rest(props: Partial<RestProps> = {}, { stack, latchkey } = guarded()): Rest {
  const api = restApi(stack);
  const guard = LatchkeyAuthorizer.forRest(stack, 'Guard', {
    latchkey,
    api,
    environment: 'sandbox',
    routes: ROUTES,
    code: CODE,
    ...props,
  });
  api.root.addResource('things').addMethod('GET', MOCK, guard.methodOptions);
  return { stack, api, guard, template: () => Template.fromStack(stack) };
}

/** A resource of the template's sample authorizer in a guard. */
export function resource<T>(guard: LatchkeyRestAuthorizer, id: string): T {
  return guard.node.findChild('Template').node.findChild(id) as T;
}

/** An HTTP API without routes, and a guard for it. */
export function http(
  props: Partial<LatchkeyAuthorizerProps> & { responses?: 'simple' | 'iam' } = {},
) {
  const { stack, latchkey } = guarded();
  const api = new apigatewayv2.HttpApi(stack, 'Http');
  const guard = LatchkeyAuthorizer.forHttp(stack, 'Guard', {
    latchkey,
    api,
    environment: 'sandbox',
    routes: ROUTES,
    code: CODE,
    ...props,
  });
  const route = (path: string, authorizer?: apigatewayv2.IHttpRouteAuthorizer): void => {
    api.addRoutes({
      path,
      methods: [apigatewayv2.HttpMethod.GET],
      integration: httpIntegration(),
      authorizer,
    });
  };
  return { stack, api, guard, route };
}

/** What stops the synthesis of a stack's app. */
export function refusal(stack: Stack): string {
  let message = '';
  assert.throws(
    () => (stack.node.root as App).synth(),
    (error: Error) => {
      message = error.message;
      return true;
    },
  );
  return message;
}

/** A Python that can translate the template, if this machine has one. */
export function python(): string | undefined {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const candidates = [
    process.env.LATCHKEY_PYTHON,
    join(cache, 'latchkey-ci', 'venv', 'bin', 'python'),
    'python3',
  ];
  return candidates.find((candidate) => {
    if (candidate === undefined || (candidate.includes('/') && !existsSync(candidate))) {
      return false;
    }
    try {
      execFileSync(candidate, ['-c', 'import samtranslator'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs translate.py. */
export function translate(with_: string, ...args: string[]): string {
  return execFileSync(with_, [join(CDK, 'translate.py'), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
}
