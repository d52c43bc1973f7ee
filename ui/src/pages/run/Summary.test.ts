// What a run's first lines say of the time that it takes.
import { render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Schema } from '$lib/api';
import Summary from './Summary.svelte';
import type { Live } from './live.svelte';
import { pace } from './statistics';

const NOW = 1_000_000;
beforeEach(() => void vi.spyOn(Date, 'now').mockReturnValue(NOW));
afterEach(() => void vi.restoreAllMocks());

/** Earlier runs that took so long each, and this one, which was launched so long ago. */
function drawn(took: number[], since: number, state = 'running') {
  const items = took.map((ms, index) => ({ id: `earlier${index}`, launched_at_ms: 0, ended_at_ms: ms }));
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response(JSON.stringify({ items, next: null }), { headers: { 'content-type': 'application/json' } }));
  const run = { id: 'this', workflow: 't/x', state, waiting_on: [], tags: ['plan:01aa', 'night'], plan: '01aa', organisation: 'platform', launched_by: 'ada', launched_at_ms: NOW - since, ended_at_ms: state === 'running' ? null : NOW, recoveries: 0 };
  const now = { endedAt: state === 'running' ? undefined : NOW, annotations: new Map(), waitingOn: [] };
  render(Summary, { run: run as unknown as Schema<'RunShown'>, state, live: { loaded: true, now } as unknown as Live });
}

it('knows how a run stands to what it usually takes', () => {
  expect(pace(50, null)).toEqual({ late: false, left: null });
  expect(pace(40, 100)).toEqual({ late: false, left: 60 });
  expect(pace(120, 100)).toEqual({ late: false, left: null });
  expect(pace(151, 100)).toEqual({ late: true, left: null });
});

it('says how long it usually takes, and how much of that is left', async () => {
  drawn([60_000, 80_000, 100_000], 20_000);
  expect(await screen.findByText(/usually 1 min 20 s, about 1 min 00 s left/)).toBeTruthy();
  expect(screen.queryByText('longer than usual')).toBeNull();
});

it('says that it takes longer than usual', async () => {
  drawn([10_000], 15_500);
  expect(await screen.findByText('longer than usual')).toBeTruthy();
  expect(screen.queryByText(/left/)).toBeNull();
});

it('says neither of one that has ended, or of the first of its kind', async () => {
  drawn([10_000], 60_000, 'succeeded');
  expect(await screen.findByText(/usually 10.0 s$/)).toBeTruthy();
  expect(screen.queryByText('longer than usual')).toBeNull();
});

it('leads to the plan that it was launched with, instead of showing its tag', () => {
  drawn([], 10);
  expect(screen.getByRole('link', { name: 'launched as rehearsed' }).getAttribute('href')).toBe('/runs/this?part=plan');
  expect(screen.queryByText('plan:01aa')).toBeNull();
  expect(screen.getByText('night')).toBeTruthy();
  expect(screen.queryByText(/usually/)).toBeNull();
});
