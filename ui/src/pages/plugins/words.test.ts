// Plugins in words.
import { expect, it } from 'vitest';
import { changesOf, reachOf } from './words';

it('says by host what may be reached, and whether it may change something', () => {
  const { hosts, others } = reachOf(['http:GET https://api.a.example/v1/*', 'http:PATCH https://api.a.example/v1/domains', 'http:GET http://b.example', 'exec:ls']);
  expect(hosts.map((one) => [one.host, one.changes, one.ways.map((way) => `${way.words} ${way.path}`)])).toEqual([
    ['api.a.example', true, ['read from /v1/*', 'change at /v1/domains']], ['b.example', false, ['read from (without TLS) /']],
  ]);
  expect(others).toEqual(['exec:ls']);
});

it('reads a difference, also none', () => {
  expect(changesOf({ added: ['x'], removed: [1, 'y'], text: '' })).toEqual({ added: ['x'], removed: ['y'] });
  expect(changesOf(null)).toEqual({ added: [], removed: [] });
});
