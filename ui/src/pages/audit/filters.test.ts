// Filters of the audit log go to the address and back, and the API is asked what they say.
import { describe, expect, it } from 'vitest';
import { anySet, asked, fromQuery, pageOf, toQuery } from './filters';

const none = fromQuery(new URLSearchParams());
const through = (filters: typeof none) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(toQuery(filters))) if (value) query.set(name, String(value));
  return fromQuery(query);
};

describe('filters of the audit log', () => {
  it('survive the address', () => {
    const filters = { ...none, actor: 'token:ann/ci', action: 'user.', within: 'own', since: '2026-11-21T11:00:00.000Z', until: '2026-11-21T12:00:00.000Z' };
    expect(through(filters)).toEqual(filters);
    expect(through(none)).toEqual(none);
    expect(anySet(none)).toBe(false);
    expect(anySet(filters)).toBe(true);
  });
  it('drop the dates of a span that counts back from now', () => {
    expect(through({ ...none, within: '24h', since: '2026-11-21T11:00:00.000Z' })).toEqual({ ...none, within: '24h' });
  });
  it('ask for what they say', () => {
    expect(asked({ ...none, within: '1h', actor: 'ann' }, 10_000_000, null)).toEqual({ actor: 'ann', action: undefined, target: undefined, organisation: undefined, since_ms: 6_400_000, until_ms: undefined });
    expect(asked({ ...none, within: 'own', since: '1970-01-01T00:00:01.000Z', until: 'no date' }, 0, 'acme')).toMatchObject({ since_ms: 1_000, until_ms: undefined, organisation: 'acme' });
    expect(asked({ ...none, organisation: 'other' }, 0, 'acme').organisation).toBe('other');
    // Dates that a span has left behind don't count.
    expect(asked({ ...none, since: '1970-01-01T00:00:01.000Z' }, 0, null).since_ms).toBeUndefined();
  });
  it('know the page of what an entry is about', () => {
    expect(pageOf('schedule.update', '01abc')).toBe('/schedules/01abc');
    expect(pageOf('workflow.save', 'lab/tour')).toBe('/workflows/lab/tour');
    expect(pageOf('user.create', 'ann')).toBe('/users/ann');
    expect(pageOf('schedule.delete', '01abc')).toBeUndefined();
    expect(pageOf('token.issue', '01abc')).toBeUndefined();
  });
});
