// What an entry of the audit log changed, place by place.
import { expect, it } from 'vitest';
import { differences } from './difference';

it('names the places that differ, and nothing else', () => {
  const before = { cron: '0 3 * * *', tags: ['a'], input: { who: 'x' }, gone: 1 };
  const after = { cron: '0 4 * * *', tags: ['a', 'b'], input: { who: 'x' }, fresh: null };
  expect(differences(before, after)).toEqual([
    { place: 'cron', kind: 'changed', before: '0 3 * * *', after: '0 4 * * *' },
    { place: 'tags › 1', kind: 'added', after: 'b' },
    { place: 'fresh', kind: 'added', after: null },
    { place: 'gone', kind: 'taken', before: 1 },
  ]);
});
it('lists what is new, and what is gone, place by place', () => {
  expect(differences(null, { name: 'ann', on: { a: 1 } })).toEqual([{ place: 'name', kind: 'added', after: 'ann' }, { place: 'on › a', kind: 'added', after: 1 }]);
  expect(differences({ name: 'ann' }, null)).toEqual([{ place: 'name', kind: 'taken', before: 'ann' }]);
  expect(differences(null, null)).toEqual([]);
  expect(differences('a', { b: 1 })).toEqual([{ place: '', kind: 'changed', before: 'a', after: { b: 1 } }]);
});
