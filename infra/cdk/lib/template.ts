// The translated template: its parameters' rules, and its conditions as far as they are known at
// synth.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Token } from 'aws-cdk-lib';

/** A parameter as the template declares it. */
export interface ParameterRules {
  readonly Type: string;
  readonly Default?: unknown;
  readonly AllowedPattern?: string;
  readonly AllowedValues?: readonly unknown[];
  readonly ConstraintDescription?: string;
  readonly MinLength?: number | string;
  readonly MaxLength?: number | string;
  readonly MinValue?: number | string;
  readonly MaxValue?: number | string;
}

/** An assertion of a rule. */
interface Assertion {
  readonly Assert: unknown;
  readonly AssertDescription?: string;
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly Properties?: Record<string, unknown>;
}

export interface Template {
  readonly Parameters: Readonly<Record<string, ParameterRules>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Mappings?: Readonly<
    Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>
  >;
  readonly Rules?: Readonly<
    Record<string, { RuleCondition?: unknown; Assertions: readonly Assertion[] }>
  >;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<
    Record<string, { readonly Condition?: string; readonly Value: unknown }>
  >;
}

/** The value of every parameter; a token is a value that is not known yet. */
export type Values = Readonly<Record<string, unknown>>;

/** A file of lib/, from where the compiled code lies. */
export function fileOfLib(name: string): string {
  return join(__dirname, '..', '..', 'lib', name);
}

function read(name: string): Template {
  return JSON.parse(readFileSync(fileOfLib(name), 'utf8')) as Template;
}

/** The platform's template: infra/template.yaml as the SAM transform makes it. */
export const PLATFORM = read('latchkey.template.json');
/** Of it the sample authorizer alone; what it names of the platform is a parameter. */
export const AUTHORIZER = read('authorizer.template.json');

/**
 * What the template says against a value of a parameter, as a sentence; nothing when it is
 * acceptable.
 */
export function objection(rules: ParameterRules, value: unknown): string | undefined {
  if (Array.isArray(value)) {
    return value.map((member) => objection(rules, member)).find((found) => found !== undefined);
  }
  if (Token.isUnresolved(value)) {
    return undefined;
  }
  const text = String(value);
  const wrong =
    (rules.AllowedPattern !== undefined &&
      !new RegExp(`^(?:${rules.AllowedPattern})$`).test(text)) ||
    (rules.MinLength !== undefined && text.length < Number(rules.MinLength)) ||
    (rules.MaxLength !== undefined && text.length > Number(rules.MaxLength));
  if (wrong) {
    return rules.ConstraintDescription ?? `must match ${rules.AllowedPattern ?? 'its length'}`;
  }
  if (
    rules.AllowedValues !== undefined &&
    !rules.AllowedValues.some((allowed) => String(allowed) === text)
  ) {
    return `must be one of ${rules.AllowedValues.join(', ')}`;
  }
  if (rules.Type !== 'Number') {
    return undefined;
  }
  if (text.trim() === '' || !Number.isFinite(Number(text))) {
    return 'must be a number';
  }
  const { MinValue: least = -Infinity, MaxValue: most = Infinity } = rules;
  const outside = Number(text) < Number(least) || Number(text) > Number(most);
  return outside ? `must be ${least} to ${most}` : undefined;
}

/**
 * A value as CloudFormation would take it: lists are texts with commas there, and an empty text is
 * a list of one.
 */
export function taken(rules: ParameterRules, value: unknown): unknown {
  if (rules.Type.includes('List') && typeof value === 'string' && !Token.isUnresolved(value)) {
    return value.split(',');
  }
  return typeof value === 'boolean' ? String(value) : value;
}

/** The assertions of the template's rules that the values fail, in the template's words. */
export function failedRules(template: Template, values: Values): string[] {
  const logic = new Logic(template, values);
  return Object.entries(template.Rules ?? {}).flatMap(([name, rule]) => {
    const applies = rule.RuleCondition === undefined || logic.holds(rule.RuleCondition);
    const failed = applies
      ? rule.Assertions.filter((assertion) => !logic.holds(assertion.Assert))
      : [];
    return failed.map((assertion) => assertion.AssertDescription ?? `${name} does not hold`);
  });
}

/**
 * A template without rules, mappings and conditions: each is decided by the values, and what it
 * keeps out is gone. CloudFormation could not decide them: it lets them name parameters alone, and
 * a value may be a token.
 */
export function settled(template: Template, values: Values): Template {
  const logic = new Logic(template, values);
  const settle = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      return value.map(settle).filter((member) => member !== undefined);
    }
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    const [name, argument] = single(value);
    if (name === 'Fn::If') {
      const [condition, yes, no] = argument as [string, unknown, unknown];
      return settle(logic.holds({ Condition: condition }) ? yes : no);
    }
    if (name === 'Fn::FindInMap') {
      return logic.found(argument as unknown[]);
    }
    if (name === 'Ref' && argument === 'AWS::NoValue') {
      return undefined;
    }
    const members = Object.entries(value).map(([key, member]) => [key, settle(member)]);
    return Object.fromEntries(members.filter(([, member]) => member !== undefined));
  };
  const kept = Object.entries(template.Resources).filter(
    ([, { Condition: it }]) => it === undefined || logic.holds({ Condition: it }),
  );
  const names = kept.map(([name]) => name);
  const resources = kept.map(([name, { Condition: _, DependsOn: before = [], ...resource }]) => {
    const waitsFor = [before].flat().filter((it) => names.includes(it));
    return [
      name,
      {
        ...(settle(resource) as Resource),
        ...(waitsFor.length === 0 ? {} : { DependsOn: waitsFor }),
      },
    ];
  });
  const outputs = Object.entries(template.Outputs ?? {}).filter(
    ([, { Condition: it }]) => it === undefined || logic.holds({ Condition: it }),
  );
  return {
    Parameters: template.Parameters,
    Resources: Object.fromEntries(resources) as Template['Resources'],
    Outputs: Object.fromEntries(
      outputs.map(([name, { Condition: _, ...output }]) => [name, settle(output)]),
    ) as Template['Outputs'],
  };
}

/**
 * CloudFormation's functions of conditions and rules, over known values. A token equals only
 * itself.
 */
class Logic {
  constructor(
    private readonly template: Template,
    private readonly values: Values,
  ) {}

  holds(expression: unknown): boolean {
    const [name, argument] = single(expression);
    const all = argument as unknown[];
    switch (name) {
      case 'Fn::Equals':
        return String(this.value(all[0])) === String(this.value(all[1]));
      case 'Fn::Not':
        return !this.holds(all[0]);
      case 'Fn::And':
        return all.every((member) => this.holds(member));
      case 'Fn::Or':
        return all.some((member) => this.holds(member));
      case 'Fn::Contains':
        return (this.value(all[0]) as unknown[]).some(
          (member) => String(member) === String(this.value(all[1])),
        );
      case 'Condition': {
        const condition = this.template.Conditions?.[argument as string];
        if (condition !== undefined) {
          return this.holds(condition);
        }
      }
    }
    throw unknown(expression);
  }

  /** What a mapping has. */
  found(path: readonly unknown[]): unknown {
    const [map = '', first = '', second = ''] = path.map((key) => String(this.value(key)));
    const value = this.template.Mappings?.[map]?.[first]?.[second];
    if (value === undefined) {
      throw unknown({ 'Fn::FindInMap': path });
    }
    return value;
  }

  private value(expression: unknown): unknown {
    if (Array.isArray(expression)) {
      return expression.map((member) => this.value(member));
    }
    if (typeof expression !== 'object' || expression === null) {
      return expression;
    }
    const [name, argument] = single(expression);
    if (name === 'Ref' && (argument as string) in this.values) {
      return this.values[argument as string];
    }
    if (name === 'Fn::Join') {
      const [separator, members] = argument as [string, unknown];
      return (this.value(members) as unknown[]).map(String).join(separator);
    }
    throw unknown(expression);
  }
}

function unknown(expression: unknown): Error {
  return new Error(
    `lib/template.ts does not know ${JSON.stringify(expression)}, which the template's ` +
      'conditions now use',
  );
}

function single(expression: unknown): [string, unknown] {
  const entries =
    typeof expression === 'object' && expression !== null ? Object.entries(expression) : [];
  return entries.length === 1 && entries[0] !== undefined ? entries[0] : ['', undefined];
}
