// The end of a redemption, as the server tells it: with an app, and without one.
import { render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';
import { api } from '$lib/api';
import { router } from '$lib/router.svelte';
import Redemption from './Redemption.svelte';

const told = {
  run: '01aa', state: 'succeeded', ended: true, phases: [{ message: 'Making the organisation Bob', at_ms: 1 }], begun_at_ms: 1, ended_at_ms: 2, organisation: 'bob', title: 'Bob',
  email: 'bob@bob.test', environment: 'production', amount: 5_000, currency: 'EUR', told: false, from: { title: 'Acme', branded: false, colours: {} },
};
const shown = (more: Record<string, unknown>) => {
  vi.spyOn(api, 'post').mockResolvedValue({ ...told, ...more } as never);
  vi.spyOn(router, 'query', 'get').mockReturnValue(new URLSearchParams());
  router.hash = '#word';
  render(Redemption, { params: { run: '01aa' } });
};
afterEach(() => vi.restoreAllMocks());

it('opens the app', async () => {
  shown({ address: 'https://app.bob.example/' });
  expect((await screen.findByRole('link', { name: /Open your app/ })).getAttribute('href')).toBe('https://app.bob.example/');
  expect(screen.queryByText('No app comes with it here.')).toBeNull();
});

it('says why there is none to open', async () => {
  shown({});
  expect(await screen.findByText('No app comes with it here.')).toBeTruthy();
  expect(screen.getByText(/hasn’t set up an app/)).toBeTruthy();
  expect(screen.getByText('50.00 EUR')).toBeTruthy();
  expect(screen.queryByRole('link', { name: /Open your app/ })).toBeNull();
});
