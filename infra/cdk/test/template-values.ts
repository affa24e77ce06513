// Templates in one spelling, to compare them: what CloudFormation would make of either. Written
// apart from lib/, which it judges.

export type Section = Record<string, Record<string, unknown>>;

interface Conditional {
  readonly Resources: Readonly<Record<string, object>>;
  readonly Outputs?: Readonly<Record<string, object>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Mappings?: Readonly<
    Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>
  >;
}

/** A template under these values of its parameters: without what its conditions leave out. */
export function evaluated(
  template: Conditional,
  values: Record<string, unknown>,
): { Resources: Section; Outputs: Section } {
  const holds = (condition: string): boolean =>
    truth(template.Conditions?.[condition], values, holds);
  const find = (path: unknown): unknown => {
    const [map = '', first = '', second = ''] = canonical(path, values, {}) as string[];
    return template.Mappings?.[map]?.[first]?.[second];
  };
  const reduced = (section: Readonly<Record<string, object>>): Section => {
    const kept = Object.entries(section as Section).filter(
      ([, { Condition: it }]) => it === undefined || holds(it as string),
    );
    return Object.fromEntries(
      kept.map(([name, { Condition: _, ...entry }]) => [
        name,
        branch(entry, holds, find) as Record<string, unknown>,
      ]),
    );
  };
  return { Resources: reduced(template.Resources), Outputs: reduced(template.Outputs ?? {}) };
}

function truth(
  expression: unknown,
  values: Record<string, unknown>,
  holds: (name: string) => boolean,
): boolean {
  const [[name, argument] = ['', undefined]] = Object.entries(
    expression as Record<string, unknown>,
  );
  const of = (it: unknown): boolean => truth(it, values, holds);
  const list = argument as unknown[];
  switch (name) {
    case 'Condition':
      return holds(argument as string);
    case 'Fn::Equals':
      return canonical(list[0], values, {}) === canonical(list[1], values, {});
    case 'Fn::Not':
      return !of(list[0]);
    case 'Fn::And':
      return list.every(of);
    case 'Fn::Or':
      return list.some(of);
    default:
      throw new Error(`unknown condition ${JSON.stringify(expression)}`);
  }
}

function branch(
  value: unknown,
  holds: (name: string) => boolean,
  find: (path: unknown) => unknown,
): unknown {
  if (Array.isArray(value)) {
    return value.map((it) => branch(it, holds, find)).filter((it) => it !== undefined);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if ('Fn::If' in value) {
    const [condition, yes, no] = value['Fn::If'] as [string, unknown, unknown];
    return branch(holds(condition) ? yes : no, holds, find);
  }
  if ('Fn::FindInMap' in value) {
    return find(value['Fn::FindInMap']);
  }
  if ('Ref' in value && value.Ref === 'AWS::NoValue') {
    return undefined;
  }
  const members = Object.entries(value).map(([key, it]) => [key, branch(it, holds, find)]);
  return Object.fromEntries(members.filter(([, it]) => it !== undefined));
}

/**
 * A value in one spelling: references within texts as `${name.attribute}`, scalars as texts,
 * resources by the template's names.
 */
export function canonical(
  value: unknown,
  values: Record<string, unknown>,
  names: Record<string, string>,
): unknown {
  const of = (it: unknown): unknown => canonical(it, values, names);
  const named = (reference: string): string => {
    const [id = '', ...attribute] = reference.split('.');
    return [names[id] ?? id, ...attribute].join('.');
  };
  if (Array.isArray(value)) {
    return value.map(of);
  }
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  const [[name, argument] = ['', undefined], ...more] = Object.entries(value);
  if (more.length > 0 || name === '') {
    const members = Object.entries(value).map(([key, it]) => [
      key,
      key === 'DependsOn'
        ? [it]
            .flat()
            .map((id) => named(String(id)))
            .sort()
        : of(it),
    ]);
    return Object.fromEntries(members);
  }
  switch (name) {
    case 'Ref':
      return (argument as string) in values
        ? of(values[argument as string])
        : `\${${named(argument as string)}}`;
    case 'Fn::GetAtt':
      return `\${${named([argument].flat().join('.'))}}`;
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      const texts = of(parts);
      return Array.isArray(texts) && texts.every((it) => typeof it === 'string')
        ? texts.join(separator)
        : { [name]: [separator, texts] };
    }
    case 'Fn::Split': {
      const [separator, text] = [(argument as unknown[])[0], of((argument as unknown[])[1])] as [
        string,
        unknown,
      ];
      // What is not known yet stays to be split.
      return typeof text === 'string' && !text.includes('${')
        ? text.split(separator)
        : { [name]: [separator, text] };
    }
    case 'Fn::Sub': {
      const [text, bound] = [argument].flat() as [string, Record<string, unknown> | undefined];
      return text.replace(/\$\{([^!}][^}]*)\}/g, (_, it: string) => {
        const given =
          bound !== undefined && it in bound ? bound[it] : it in values ? values[it] : undefined;
        return given === undefined ? `\${${named(it)}}` : String(of(given));
      });
    }
    default:
      return { [name]: of(argument) };
  }
}

/** Where two values differ, one line each. */
export function differences(path: string, wanted: unknown, found: unknown): string[] {
  if (isObject(wanted) && isObject(found)) {
    const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort();
    return keys.flatMap((key) => differences(`${path}.${key}`, wanted[key], found[key]));
  }
  const say = (value: unknown): string =>
    value === undefined
      ? 'none'
      : isObject(value) && 'Properties' in value
        ? JSON.stringify(value.Properties)
        : JSON.stringify(value);
  return JSON.stringify(wanted) === JSON.stringify(found)
    ? []
    : [`${path}: SAM has ${say(wanted)}, CDK has ${say(found)}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
