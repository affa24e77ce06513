// The route map is read here as the authorizer reads it: these cases are those of
// shared/guard/src/routes.rs.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { objections, type Routes, scopesOf } from '../lib/routes';
import { CDK, directory } from './fixtures';

test('a map that the authorizer reads is accepted', () => {
  const routes: Routes = {
    'GET /': [],
    'GET /a/{x}': ['banks:read', 'accounts:read'],
    'POST /a/{x}': ['counterparties:pii:read'],
    'ANY /{rest+}': [],
    'GET /c/d/{rest+}': [],
    "GET /.well-known/it~_-!$&'()*,;=:@": [],
    $default: [],
    $connect: ['accounts:read'],
  };
  assert.deepEqual(objections(routes, scopesOf()), []);
});

test('a map that would stop the authorizer at its start is refused by name', () => {
  const refused: [Routes, RegExp][] = [
    [{}, /routes is empty/],
    [{ 'GET /a': ['banks'] }, /'banks'/],
    [{ 'GET /a': ['banks:erase'] }, /'banks:erase'/],
    [{ 'GET a': [] }, /'GET a'/],
    [{ 'FETCH /a': [] }, /'FETCH \/a'/],
    [{ 'get /a': [] }, /'get \/a'/],
    [{ 'GET /a/': [] }, /'GET \/a\/'/],
    [{ 'GET  /a': [] }, /'GET {2}\/a'/],
    [{ 'GET /a//b': [] }, /'GET \/a\/\/b'/],
    [{ 'GET /a/{b': [] }, /'GET \/a\/{b'/],
    [{ 'GET /a/{}': [] }, /'GET \/a\/{}'/],
    [{ 'GET /a/{b+}/c': [] }, /'GET \/a\/{b\+}\/c'/],
    [{ 'GET /a b': [] }, /'GET \/a b'/],
    [{ 'GET /a%2Fb': [] }, /'GET \/a%2Fb'/],
    [{ 'GET /ä': [] }, /'GET \/ä'/],
    [{ GET: [] }, /'GET'/],
    [{ $disconnect: [] }, /\$disconnect/],
    [
      { 'GET /a/{b}': [], 'POST /a/{c}': [] },
      /two names for one resource: '\/a\/{b}' and '\/a\/{c}'/,
    ],
  ];
  for (const [routes, sentence] of refused) {
    const [found, ...more] = objections(routes, scopesOf());
    assert.match(found ?? 'accepted', sentence, JSON.stringify(routes));
    assert.deepEqual(more, []);
  }
});

test('the catalogue is the one that is built into the functions', () => {
  const source = readFileSync(join(CDK, '..', '..', 'shared', 'domain', 'scopes.csv'), 'utf8');
  assert.equal(readFileSync(join(CDK, 'lib', 'scopes.csv'), 'utf8'), source);
  assert.ok(scopesOf().has('accounts:read'));
  assert.equal(scopesOf().size, source.trim().split('\n').length - 1);
  const other = join(directory(), 'prices.csv');
  writeFileSync(other, 'price\n1\n');
  assert.throws(() => scopesOf(other), /is no catalogue of scopes/);
});
