// The route -> scope map: what shared/guard/src/routes.rs reads from LATCHKEY_ROUTES, checked
// before it is deployed.
import { readFileSync } from 'node:fs';

import { fileOfLib } from './template';

/**
 * Which scopes open which route; a route that is not in it is closed. Any one of the scopes
 * suffices, and an empty list stands for any valid credential but those of the platform's staff.
 *
 * A route is `METHOD /resource/{template}`, `ANY /resource/{template}` for the methods that are not
 * listed beside it, `$default` (HTTP APIs) or `$connect` (WebSocket APIs). The method that was
 * called decides, whatever the API's own route is made for.
 */
export type Routes = Readonly<Record<string, readonly string[]>>;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'ANY'];

// The same in shared/domain/src/scope.rs.
const SCOPE = /^(?=.{1,64}$)[a-z0-9_]+:(read|write|execute|pii:read)$/;

/** The scopes of a catalogue, a CSV file whose first column is `scope`. */
export function scopesOf(file: string = fileOfLib('scopes.csv')): ReadonlySet<string> {
  const [head = '', ...rows] = readFileSync(file, 'utf8').trim().split(/\r?\n/);
  if (head.split(',')[0] !== 'scope') {
    throw new Error(`${file} is no catalogue of scopes: its first column is not called scope`);
  }
  return new Set(rows.map((row) => row.split(',')[0] ?? ''));
}

/**
 * What is wrong with a map, one sentence each. Without a catalogue scopes are only checked for how
 * they are spelled.
 */
export function objections(routes: Routes, catalogue: ReadonlySet<string> | undefined): string[] {
  const listed = Object.entries(routes);
  if (listed.length === 0) {
    return [
      'routes is empty: nobody could call anything. List each route with the scopes that open it.',
    ];
  }
  const names = new Map<string, string>();
  return listed.flatMap(([route, scopes]) => {
    const unknown = scopes.filter((scope) =>
      catalogue === undefined ? !SCOPE.test(scope) : !catalogue.has(scope),
    );
    return [
      ...wrongRoute(route, names),
      ...unknown.map(
        (scope) =>
          `routes has an unknown scope for '${route}': '${scope}'. The route would be closed ` +
          'to everybody.',
      ),
    ];
  });
}

function wrongRoute(route: string, names: Map<string, string>): string[] {
  if (route === '$default' || route === '$connect') {
    return [];
  }
  const [method = '', path = '', ...more] = route.split(' ');
  const shape = METHODS.includes(method) && more.length === 0 ? shapeOf(path) : undefined;
  if (shape === undefined) {
    return [`routes has a wrong route '${route}': expected METHOD /path, $default or $connect.`];
  }
  const other = names.get(shape);
  names.set(shape, path);
  return other === undefined || other === path
    ? []
    : [`routes has two names for one resource: '${other}' and '${path}'.`];
}

/** A path with its variables' names left out; nothing for what is no path. */
function shapeOf(path: string): string | undefined {
  const plain = /^(?:(?![{}%\\+])[!-~])+$/;
  if (path === '/') {
    return path;
  }
  const segments = path.split('/');
  if (segments.shift() !== '' || segments.length === 0) {
    return undefined;
  }
  const shapes = segments.map((segment, at) => {
    if (!segment.startsWith('{')) {
      return plain.test(segment) ? segment : undefined;
    }
    const rest = segment.endsWith('+}');
    const name = segment.slice(1, rest ? -2 : -1);
    const last = at === segments.length - 1;
    return segment.endsWith('}') && plain.test(name) && (last || !rest)
      ? rest
        ? '{+}'
        : '{}'
      : undefined;
  });
  return shapes.includes(undefined) ? undefined : shapes.join('/');
}
