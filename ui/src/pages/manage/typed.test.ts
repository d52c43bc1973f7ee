// Filters that are typed quickly one after the other.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { router } from '$lib/router.svelte';
import { gathered } from './typed';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  router.path = '/';
});

it('keeps what two fields say within a moment, and says it once', () => {
  const said = vi.fn();
  const typed = gathered(said);
  typed({ actor: 'a' });
  typed({ actor: 'ann' });
  typed({ target: 'web' });
  vi.runAllTimers();
  expect(said.mock.calls).toEqual([[{ actor: 'ann', target: 'web' }]]);
  typed({ actor: '' });
  vi.runAllTimers();
  expect(said.mock.lastCall).toEqual([{ actor: '' }]);
});
it('says nothing on another page', () => {
  const said = vi.fn();
  gathered(said)({ actor: 'ann' });
  router.path = '/elsewhere';
  vi.runAllTimers();
  expect(said).not.toHaveBeenCalled();
});
