// The tree of organisations, as it is listed.
import { expect, it } from 'vitest';
import { tree, type Organisation } from './standing';

const one = (name: string, kind: Organisation['kind'], parent?: string) => ({ name, title: '', kind, parent, suspended: false, reason: '', quotas: {}, created_at_ms: 0, version: 1 }) as Organisation;

it('shows who is under whom, and who is under nobody in sight', () => {
  const all = [one('gamma', 'customer', 'platform'), one('acme', 'customer', 'north'), one('platform', 'platform'), one('north', 'franchisee', 'platform'), one('beta', 'customer', 'north'), one('alone', 'customer', 'elsewhere')];
  expect(tree(all).map(({ row, depth, below }) => `${'.'.repeat(depth)}${row.name} ${below}`)).toEqual(['platform 2', '.north 2', '..acme 0', '..beta 0', '.gamma 0', 'alone 0']);
  expect(tree([])).toEqual([]);
});
