// A rehearsal's answer as the page reads it, whatever comes.
import { describe, expect, it } from 'vitest';
import { originOf } from './draft';
import { planOf, summaryOf } from './plan';

describe('a plan', () => {
  it('is read with what is missing left out', () => {
    expect(planOf(null)).toMatchObject({ state: '', steps: [], grants: [], problem: null });
    expect(planOf({ plan: [{ sign: 'explode', things: ['a', 1] }, 3], problem: 'x', duration_ms: '1' })).toMatchObject({ steps: [{ sign: 'change', things: ['a'], note: null }], problem: null, durationMs: null });
  });
  it('is summed up in words', () => {
    const step = (sign: string, things: string[] = [], undo = false) => ({ sign, things, undo });
    expect(summaryOf(planOf({ plan: [] }))).toBe('changes nothing outside of the run');
    expect(summaryOf(planOf({ plan: [step('create', ['a', 'b']), step('create'), step('change'), step('wait'), step('remove', ['c']), step('remove', ['c'], true)] }))).toBe('makes 3 things, changes 1 thing, removes 1 thing, waits once, undoes 1 thing');
  });
  it('a draft knows where it was begun', () => {
    expect(originOf('r', { a: 1 })).toBe(originOf('r', { a: 1 }));
    expect(new Set([originOf(null, null), originOf('r', null), originOf(null, { a: 1 }), originOf(null, { a: 2 })]).size).toBe(4);
  });
});
