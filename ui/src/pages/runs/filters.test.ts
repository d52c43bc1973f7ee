// The list's filters and the address bar.
import { describe, expect, it } from 'vitest';
import { asQuery, asWhich, exactly, filtersOf, given, moment, searchOf, toggled, within } from './filters';

describe('filters', () => {
  it('reads what it knows and leaves out what is empty', () => {
    expect(filtersOf(new URLSearchParams('state=failed,running&text= a b &page=3&tag='))).toEqual({ state: 'failed,running', text: 'a b' });
  });
  it('writes one form, whatever the order', () => {
    const filters = filtersOf(new URLSearchParams('state=failed&text=a%20%26%20b'));
    expect(searchOf(filters)).toBe('text=a+%26+b&state=failed');
    for (const view of given) expect(searchOf(filtersOf(new URLSearchParams(view.search)))).toBe(view.search);
  });
  it('takes out what is not set', () => {
    expect(exactly({ tag: 'x' })).toMatchObject({ tag: 'x', state: null, text: null });
  });
  it('counts back from now', () => {
    expect(moment('24h', 100_000_000)).toBe(String(100_000_000 - 86_400_000));
    expect(moment('2026-11-21T00:00:00Z', 5)).toBe('2026-11-21T00:00:00Z');
    expect(asQuery({ since: '1m', text: 'x' }, 60_001)).toEqual({ since: '1', text: 'x' });
  });
  it('asks for values of the input as the API does', () => {
    expect(asQuery({ input: 'zone=a.example note="two words"' }, 0)).toEqual({ 'input.zone': 'a.example', 'input.note': 'two words' });
    expect(asWhich({ input: 'zone=a', tag: 'x' }, 0)).toEqual({ input: { zone: 'a' }, tag: 'x' });
  });
  it('narrows states to those that something can be done in', () => {
    expect(within(undefined, ['failed'])).toBe('failed');
    expect(within('waiting,succeeded', ['queued', 'waiting'])).toBe('waiting');
    expect(within('succeeded', ['failed'])).toBeNull();
    expect(within('succeeded', [])).toBe('succeeded');
  });
  it('puts states in and takes them out', () => {
    expect(toggled(undefined, 'failed')).toBe('failed');
    expect(toggled('failed,running', 'failed')).toBe('running');
    expect(toggled('failed', 'failed')).toBeUndefined();
  });
});
