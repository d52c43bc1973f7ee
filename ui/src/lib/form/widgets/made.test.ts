// A key that is made here isn't lost unseen: it has to be downloaded, and somebody has to say that they have it.
import { cleanup, render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import Probe from '../Probe.test.svelte';
import { widgets } from '.';
import { isLost, keyFaults, leaving, made } from './made.svelte';

const schema = { type: 'object', properties: { key: { type: 'string', title: 'Key', 'x-widget': 'ssh-key' } }, required: ['key'] };
function form(value?: unknown) {
  let now: unknown;
  render(Probe, { schema, widgets, ...(value ? { first: value } : {}), onvalue: (next: unknown) => (now = next) });
  return { user: userEvent.setup(), value: () => now as { key: string } };
}
beforeEach(() => {
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:x');
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
});
afterEach(() => {
  made.clear();
  localStorage.clear();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('holds a form back until somebody says that they have saved it', async () => {
  const { user, value } = form();
  await user.click(screen.getByRole('button', { name: 'Make a key' }));
  await screen.findByText('Made here');
  expect(keyFaults(value())).toEqual([{ pointer: '/key', message: expect.stringContaining('Download the private half') }]);
  // Downloading alone isn't having it: a browser may have refused it.
  expect(screen.queryByLabelText(/I have saved/)).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Download the private half' }));
  expect(keyFaults(value())).toHaveLength(1);
  await user.click(screen.getByLabelText(/I have saved the private half/));
  expect(keyFaults(value())).toEqual([]);
  await screen.findByText('Private half saved');
  await user.click(screen.getByLabelText(/I have saved the private half/));
  expect(keyFaults(value())).toHaveLength(1);
});

it('asks before the page is left, and not within the wizard', async () => {
  const { user, value } = form();
  const ask = vi.fn(() => false);
  vi.stubGlobal('confirm', ask);
  const guard = leaving(value, (path) => path.startsWith('/new/a/b'));
  expect(guard('/runs')).toBe(true);
  await user.click(screen.getByRole('button', { name: 'Make a key' }));
  await screen.findByText('Made here');
  expect([guard('/runs'), guard(''), guard('/new/a/b/review'), guard('/new/a/c')]).toEqual([false, false, true, false]);
  ask.mockReturnValue(true);
  expect([guard('/runs'), guard('')]).toEqual([true, false]);
});

it('says that a key is lost when its page was closed before', async () => {
  const { user, value } = form();
  await user.click(screen.getByRole('button', { name: 'Make a key' }));
  await screen.findByText('Made here');
  const line = value().key;
  // Another page, with the draft of this one. What is remembered of it is public.
  expect(JSON.stringify({ ...localStorage })).not.toContain('PRIVATE');
  made.clear();
  cleanup();
  expect(isLost(line)).toBe(true);
  form({ key: line });
  expect(screen.getByRole('alert').textContent).toContain('never saved');
  expect(keyFaults({ key: line })).toEqual([{ pointer: '/key', message: expect.stringContaining('Make another one') }]);
  // One that somebody has pasted is theirs to know.
  expect(keyFaults({ deep: [{ key: 'ssh-ed25519 AAAA me@example' }] })).toEqual([]);
});
