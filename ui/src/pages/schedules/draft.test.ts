// What a schedule's form sends: everything for a new one, only what differs for one that is there.
import { describe, expect, it } from 'vitest';
import { changed, created, draftOf, empty, jitterText, localMs, localText, mistakes } from './draft';
import { wallClock } from './wall';

const view = {
  id: '01', name: 'nightly', description: '', workflow: 'lab/tour', organisation: 'platform', input: { stops: 2 }, tags: ['a', 'b'], cron: '0 3 * * *', time_zone: 'UTC',
  overlap: 'skip', missed: 'once', jitter_ms: 90_000, starts_at_ms: null, ends_at_ms: 1_800_000_000_000, paused: false, owner: 'ann', version: 3,
} as unknown as Parameters<typeof draftOf>[0];

describe('a schedule’s form', () => {
  it('sends nothing of what wasn’t touched', () => {
    const draft = draftOf(view);
    expect(changed(draft, { ...draft })).toEqual({});
    // The same input, laid out in another way, is the same.
    expect(changed(draft, { ...draft, input: '{"stops":2}' })).toEqual({});
    expect(changed(draft, { ...draft, cron: '0 4 * * *', tags: 'b' })).toEqual({ cron: '0 4 * * *', tags: ['b'] });
  });
  it('takes back what may be taken back', () => {
    const draft = draftOf(view);
    expect(changed(draft, { ...draft, jitter: '', ends: '' })).toEqual({ jitter: '0s', ends_at_ms: null });
  });
  it('sends all of a new one', () => {
    const draft = { ...empty(), name: ' nightly ', workflow: 'lab/tour', cron: '0 3 * * *', timeZone: 'Europe/Berlin', input: '{"stops":4}' };
    expect(created(draft)).toMatchObject({ name: 'nightly', cron: '0 3 * * *', time_zone: 'Europe/Berlin', input: { stops: 4 }, organisation: null, jitter: null, starts_at_ms: null });
    expect(mistakes(draft)).toEqual({});
  });
  it('says what is missing, and what can’t be', () => {
    expect(Object.keys(mistakes(empty()))).toEqual(['name', 'workflow', 'cron']);
    const draft = { ...empty(), name: 'a', workflow: 'b/c', cron: '* * * * *', starts: '2026-11-21T12:00', ends: '2026-11-21T12:00' };
    expect(Object.keys(mistakes(draft))).toEqual(['ends']);
  });
  it('keeps moments and spans', () => {
    const ms = 1_795_265_400_000;
    expect(localMs(localText(ms))).toBe(ms);
    expect(localText(null)).toBe('');
    expect(localMs('never')).toBeNull();
    expect([0, 90_000, 300_000, 3_600_000, 1_500].map(jitterText)).toEqual(['', '90s', '5m', '1h', '1500ms']);
  });
});

it('shows instants by the schedule’s clock, whatever this one’s is', () => {
  expect(wallClock('2026-11-22T02:30:00+01:00')).toBe('Sun 22 Nov 2026, 02:30 (+01:00)');
  expect(wallClock('2026-03-01T00:00:05Z')).toBe('Sun 1 Mar 2026, 00:00:05 (UTC)');
  expect(wallClock('what')).toBe('what');
});
