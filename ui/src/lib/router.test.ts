// Paths and the pages behind them.
import { describe, expect, it } from 'vitest';
import { href, match } from './router.svelte';
import { find } from '../routes';

describe('paths', () => {
  it('fit segment by segment, and the rest as a whole', () => {
    expect(match('/runs/{id}', '/runs/01m')).toEqual({ id: '01m' });
    expect(match('/runs/{id}', '/runs/01m/')).toEqual({ id: '01m' });
    expect(match('/runs/{id}', '/runs')).toBeNull();
    expect(match('/runs/{id}', '/runs/a/b')).toBeNull();
    expect(match('/workflows/{name*}', '/workflows/lab/two-routers')).toEqual({ name: 'lab/two-routers' });
    expect(match('/runs/{id}', '/runs/%ff')).toBeNull();
    expect(match('/a.b', '/axb')).toBeNull();
  });

  it('are made as they are matched', () => {
    expect(href('/launch/{name*}', { name: 'lab/ä b' }, { from: '1', not: null })).toBe('/launch/lab/%C3%A4%20b?from=1');
    expect(match('/launch/{name*}', '/launch/lab/%C3%A4%20b')).toEqual({ name: 'lab/ä b' });
  });

  it('lead to the page that is meant', () => {
    expect(find('/')?.route.path).toBe('/');
    expect(find('/runs/7/diff')?.route.path).toBe('/runs/{id}/diff');
    expect(find('/edit')?.route.path).toBe('/edit');
    expect(find('/edit/lab/x')?.params).toEqual({ name: 'lab/x' });
    expect(find('/nothing')).toBeNull();
  });
});
