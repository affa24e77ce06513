// The platform as a construct: infra/template.yaml, as the SAM transform makes it, in a CDK stack.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type CfnElement, type CfnOutput, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct, type IConstruct } from 'constructs';

import { LatchkeyCode } from './code';
import { inspectAuthorizers } from './inspection';
import { FUNCTIONS, type LatchkeyParameters, PARAMETERS } from './parameters';
import {
  failedRules,
  objection,
  PLATFORM,
  settled,
  taken,
  type Template,
  type Values,
} from './template';

/** What is said of a platform that is to be made. */
export interface LatchkeyProps extends LatchkeyParameters {
  /**
   * The functions' programs.
   *
   * @default - built by cargo-lambda from the checkout that this package lies in
   */
  readonly code?: LatchkeyCode;
  /**
   * Whether resources keep the names that they have in the template, as `sam deploy` gives them: a
   * stack that SAM deployed goes on under the CDK without being made anew.
   *
   * @default false
   */
  readonly preserveLogicalIds?: boolean;
}

/**
 * A platform that authorizers work for: a `Latchkey` of this app, or one that `Latchkey.fromNames`
 * knows.
 */
export interface ILatchkey extends IConstruct {
  /** The name of its stack, by which its alarms know what to count. */
  readonly stackName: string;
  /** The tokens' issuer. */
  readonly issuer: string;
  readonly sandboxAudience: string;
  readonly liveAudience: string;
  /** What every secret begins with. */
  readonly brand: string;
  /** The functions' own catalogue of scopes, when the platform has one. */
  readonly scopeCatalogueFile: string;
  /** The layer that has it. */
  readonly scopeCatalogueLayer: string;
  /**
   * The roles that may touch data beside the platform's own, with commas between; empty when none
   * are shut out.
   */
  readonly operatorRoleArn: string;
  readonly tables: {
    readonly core: dynamodb.ITable;
    readonly feed: dynamodb.ITable;
  };
  readonly pepperSecret: secretsmanager.ISecret;
  readonly dataKey: kms.IKey;
}

/**
 * A platform that another app, or SAM, deployed in this account and Region: what its output
 * OperatorEnvironment says.
 */
export interface LatchkeyNames {
  /**
   * The name of its stack: what an authorizer refuses is counted with what the platform refuses.
   */
  readonly stackName: string;
  readonly issuer: string;
  readonly coreTable: string;
  readonly feedTable: string;
  /** The whole ARN of the peppers' secret, with its suffix. */
  readonly pepperSecretArn: string;
  readonly dataKeyArn: string;
  /** @default urn:latchkey:sandbox */
  readonly sandboxAudience?: string;
  /** @default urn:latchkey:live */
  readonly liveAudience?: string;
  /** @default lk */
  readonly brand?: string;
  /** @default - the built-in catalogue */
  readonly scopeCatalogueFile?: string;
  /** @default - none */
  readonly scopeCatalogueLayer?: string;
  /** @default - none: the tables shut nobody out */
  readonly operatorRoleArn?: string;
}

/** Latchkey in a stack: one of it, since logs are named by the stack. */
export class Latchkey extends Construct implements ILatchkey {
  /** A platform that this app does not deploy. */
  static fromNames(scope: Construct, id: string, names: LatchkeyNames): ILatchkey {
    return new Imported(scope, id, names);
  }

  readonly stackName: string;
  readonly issuer: string;
  readonly sandboxAudience: string;
  readonly liveAudience: string;
  readonly brand: string;
  readonly scopeCatalogueFile: string;
  readonly scopeCatalogueLayer: string;
  readonly operatorRoleArn: string;
  /** The API. Its routes come from the template; those added here are not of its deployment. */
  readonly restApi: apigateway.IRestApi;
  readonly tables: Readonly<Record<'core' | 'feed' | 'audit' | 'usage', dynamodb.ITable>>;
  readonly functions: Readonly<Record<keyof typeof FUNCTIONS, lambda.IFunction>>;
  /** The keys that sign tokens: one of a kind, or two while it is rolled. */
  readonly signingKeys: Readonly<Record<'sandbox' | 'live', readonly kms.IKey[]>>;
  readonly dataKey: kms.IKey;
  readonly pepperSecret: secretsmanager.ISecret;
  /** The template's outputs, such as OperatorEnvironment, under the names that they have there. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Everything of the template, by its names there. */
  readonly template: CfnInclude;

  constructor(scope: Construct, id: string, props: LatchkeyProps) {
    super(scope, id);
    onlyOneLibrary(this);
    this.stackName = Stack.of(this).stackName;
    const values = valuesOf(this, props);
    this.issuer = values.Issuer as string;
    this.sandboxAudience = values.SandboxAudience as string;
    this.liveAudience = values.LiveAudience as string;
    this.brand = values.Brand as string;
    this.scopeCatalogueFile = values.ScopeCatalogueFile as string;
    this.scopeCatalogueLayer = values.ScopeCatalogueLayer as string;
    this.operatorRoleArn = values.OperatorRoleArn as string;

    this.template = include(this, PLATFORM, values, props.preserveLogicalIds);
    const code = props.code ?? LatchkeyCode.fromSource();
    const made = this.template.node.children.filter((it) => it instanceof lambda.CfnFunction);
    made.forEach((it) => setCode(this, it, code));

    const get = <T extends CfnElement>(name: string): T =>
      this.template.getResource(name) as CfnElement as T;
    const api = get<apigateway.CfnRestApi>('Api');
    this.restApi = apigateway.RestApi.fromRestApiAttributes(this, 'Api', {
      restApiId: api.ref,
      rootResourceId: api.attrRootResourceId,
    });
    const key = (name: string): kms.IKey =>
      kms.Key.fromKeyArn(this, name, get<kms.CfnKey>(name).attrArn);
    this.dataKey = key('DataKey');
    const keys = (...names: string[]): kms.IKey[] =>
      names.filter((name) => this.template.node.tryFindChild(name) !== undefined).map(key);
    this.signingKeys = {
      sandbox: keys('SandboxSigningKey', 'SandboxSigningKeyB'),
      live: keys('LiveSigningKey', 'LiveSigningKeyB'),
    };
    const table = (name: string): dynamodb.ITable => {
      const { attrArn: tableArn, attrStreamArn: tableStreamArn } = get<dynamodb.CfnTable>(name);
      return dynamodb.Table.fromTableAttributes(this, name, {
        tableArn,
        tableStreamArn,
        encryptionKey: this.dataKey,
      });
    };
    this.tables = {
      core: table('CoreTable'),
      feed: table('FeedTable'),
      audit: table('AuditTable'),
      usage: table('UsageTable'),
    };
    const secretCompleteArn = get<secretsmanager.CfnSecret>('PepperSecret').ref;
    const encryptionKey = this.dataKey;
    this.pepperSecret = secretsmanager.Secret.fromSecretAttributes(this, 'PepperSecret', {
      secretCompleteArn,
      encryptionKey,
    });
    const functions = Object.entries(FUNCTIONS).map(([property, name]) => {
      const functionArn = get<lambda.CfnFunction>(name).attrArn;
      return [
        property,
        lambda.Function.fromFunctionAttributes(this, name, { functionArn, sameEnvironment: true }),
      ];
    });
    this.functions = Object.fromEntries(functions) as Record<
      keyof typeof FUNCTIONS,
      lambda.IFunction
    >;
    const outputs = this.template.node.findChild('$Outputs').node.children.map((it) => {
      const output = it as CfnOutput;
      // The README's commands find the stack by these names.
      output.overrideLogicalId(output.node.id);
      return [output.node.id, output.value as string];
    });
    this.outputs = Object.fromEntries(outputs) as Record<string, string>;

    const authorizers = [FUNCTIONS.managementAuthorizer, FUNCTIONS.sampleAuthorizer].map((name) =>
      get<lambda.CfnFunction>(name),
    );
    this.node.addValidation({
      validate: () => [...onlyOneOfStack(this), ...inspectAuthorizers(authorizers)],
    });
  }
}

class Imported extends Construct implements ILatchkey {
  readonly stackName: string;
  readonly issuer: string;
  readonly sandboxAudience: string;
  readonly liveAudience: string;
  readonly brand: string;
  readonly scopeCatalogueFile: string;
  readonly scopeCatalogueLayer: string;
  readonly operatorRoleArn: string;
  readonly tables: ILatchkey['tables'];
  readonly pepperSecret: secretsmanager.ISecret;
  readonly dataKey: kms.IKey;

  constructor(scope: Construct, id: string, names: LatchkeyNames) {
    super(scope, id);
    onlyOneLibrary(this);
    const { stackName, coreTable, feedTable, pepperSecretArn, dataKeyArn, ...rest } =
      names;
    this.stackName = stackName;
    const values = valuesOf(this, rest);
    this.issuer = values.Issuer as string;
    this.sandboxAudience = values.SandboxAudience as string;
    this.liveAudience = values.LiveAudience as string;
    this.brand = values.Brand as string;
    this.scopeCatalogueFile = values.ScopeCatalogueFile as string;
    this.scopeCatalogueLayer = values.ScopeCatalogueLayer as string;
    this.operatorRoleArn = values.OperatorRoleArn as string;
    this.tables = {
      core: dynamodb.Table.fromTableName(this, 'CoreTable', coreTable),
      feed: dynamodb.Table.fromTableName(this, 'FeedTable', feedTable),
    };
    this.pepperSecret = secretsmanager.Secret.fromSecretCompleteArn(
      this,
      'PepperSecret',
      pepperSecretArn,
    );
    this.dataKey = kms.Key.fromKeyArn(this, 'DataKey', dataKeyArn);
  }
}

/** The template's parameters as the properties say, refused in the template's words. */
function valuesOf(scope: Construct, props: LatchkeyParameters): Values {
  const values: Record<string, unknown> = {};
  for (const [property, name] of Object.entries(PARAMETERS)) {
    const rules = PLATFORM.Parameters[name];
    const given = props[property as keyof LatchkeyParameters] ?? rules?.Default;
    if (rules === undefined || given === undefined) {
      throw new Error(`${scope.node.path}: ${property} is missing.`);
    }
    const wrong = objection(rules, given);
    if (wrong !== undefined) {
      throw new Error(`${scope.node.path}: ${property} ${wrong}, and is '${String(given)}'.`);
    }
    values[name] = taken(rules, given);
  }
  const failed = failedRules(PLATFORM, values);
  if (failed.length > 0) {
    throw new Error(`${scope.node.path}: ${failed.join(' ')}`);
  }
  return values;
}

/** A template with its parameters' values in place of them. CfnInclude reads files alone. */
export function include(
  scope: Construct,
  template: Template,
  values: Values,
  preserveLogicalIds = false,
): CfnInclude {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-'));
  try {
    const templateFile = join(directory, 'template.json');
    writeFileSync(templateFile, JSON.stringify(settled(template, values)));
    return new CfnInclude(scope, 'Template', {
      templateFile,
      parameters: { ...values },
      preserveLogicalIds,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The program that the translation names in the code's place: its key is the binary. */
export function setCode(scope: Construct, made: lambda.CfnFunction, code: LatchkeyCode): void {
  const { s3Key: binary = '' } = made.code as lambda.CfnFunction.CodeProperty;
  const [architecture] = made.architectures ?? [];
  const processor =
    architecture === lambda.Architecture.X86_64.name
      ? lambda.Architecture.X86_64
      : lambda.Architecture.ARM_64;
  const program = code.of(binary, processor);
  // A code is bound where its asset is to lie: beside its function.
  const bound = program.bind(new Construct(scope, `${made.node.id}Code`));
  made.code = { s3Bucket: bound.s3Location?.bucketName, s3Key: bound.s3Location?.objectKey };
  program.bindToResource(made);
}

/**
 * Constructs of another copy of aws-cdk-lib are none of those that are looked for here: nothing
 * would be seen, or refused.
 */
export function onlyOneLibrary(scope: Construct): void {
  if (!(Stack.of(scope) instanceof Stack)) {
    throw new Error(
      `${scope.node.path}: the app and latchkey-cdk have each a copy of aws-cdk-lib. Install ` +
        "what 'npm pack' makes of infra/cdk, not its directory, so that they share one.",
    );
  }
}

function onlyOneOfStack(platform: Latchkey): string[] {
  const stack = Stack.of(platform);
  const others = stack.node
    .findAll()
    .filter((it) => it instanceof Latchkey && it !== platform && Stack.of(it) === stack);
  return others.length === 0
    ? []
    : [
        'A stack holds one Latchkey, since its logs are named by the stack: put ' +
          `${others[0]?.node.path} into a stack of its own.`,
      ];
}
