// The next times while one types: asked once the typing pauses, and late answers don't win.
import { render, screen, waitFor } from '@testing-library/svelte';
import { expect, it, vi } from 'vitest';
import CronPreview from './CronPreview.svelte';

const answer = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': status === 200 ? 'application/json' : 'application/problem+json' } });
const preview = (words: string) => ({ words, next: [{ at_ms: 1_795_265_400_000, wall: '2026-11-21T13:50:00+01:00' }], clock_changes: [{ at_ms: 1_806_195_600_000, by_minutes: 60, next: [{ at_ms: 1_806_195_600_000, wall: '2027-03-28T03:00:00+02:00' }] }] });

it('shows the times, and what is wrong instead of old ones', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (url: string) => {
    const cron = new URL(url, 'http://here').searchParams.get('cron')!;
    asked.push(cron);
    if (cron.startsWith('61')) return Promise.resolve(answer({ code: 'invalid_input', detail: 'Number out of bounds', pointer: '/cron' }, 400));
    // What was asked first is answered last.
    return new Promise((resolve) => setTimeout(() => resolve(answer(preview(`At ${cron}`))), cron.startsWith('1') ? 400 : 10));
  });
  const { rerender } = render(CronPreview, { cron: '', timeZone: 'Europe/Berlin' });
  screen.getByText(/shown here while you type/);
  expect(asked).toEqual([]);
  await rerender({ cron: '1 * * * *' });
  await waitFor(() => expect(asked).toEqual(['1 * * * *']));
  await rerender({ cron: '2 * * *' });
  await rerender({ cron: '2 * * * *' });
  await waitFor(() => screen.getByText('At 2 * * * *'));
  screen.getByText('Sat 21 Nov 2026, 13:50 (+01:00)');
  expect(screen.getByRole('list', { name: 'When the clocks change' }).textContent).toBe('1 h forward: Sun 28 Mar 2027, 03:00 (+02:00)');
  await new Promise((resolve) => setTimeout(resolve, 450));
  screen.getByText('At 2 * * * *');
  // Only what stood still was asked.
  expect(asked).toEqual(['1 * * * *', '2 * * * *']);
  await rerender({ cron: '61 * * * *' });
  await waitFor(() => screen.getByText('Number out of bounds'));
  expect(screen.queryByText('At 2 * * * *')).toBeNull();
  vi.unstubAllGlobals();
});
