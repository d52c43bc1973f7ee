// A link that lets somebody in once: it leaves the address at once, asks for a password, and says what is wrong with it.
import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import LogIn from './LogIn.svelte';

const word = `admin:${'a'.repeat(64)}`;
const sent: unknown[] = [];
const answer = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' } });

beforeEach(() => {
  sent.length = 0;
  vi.stubGlobal('fetch', vi.fn(async (url: string, init?: RequestInit) => {
    if (!url.endsWith('/session/link')) return answer(200, []);
    sent.push(JSON.parse(String(init?.body)));
    return answer(401, { code: 'unauthenticated', detail: "the link isn't good", status: 401 });
  }));
});
afterEach(() => {
  vi.unstubAllGlobals();
  history.replaceState(null, '', '/');
});

it('a link asks for a password, and is nowhere to be seen', async () => {
  history.replaceState(null, '', `/#link=${word}`);
  render(LogIn);
  expect(location.hash).toBe('');
  expect(document.body.textContent).not.toContain(word.slice(6));
  const field = screen.getByLabelText(/A password for admin/);
  await userEvent.type(field, 'correct horse battery staple');
  await userEvent.click(screen.getByRole('button', { name: 'Come in' }));
  await waitFor(() => expect(screen.getByText(/the link isn't good/)).toBeTruthy());
  expect(sent).toEqual([{ token: word, password: 'correct horse battery staple' }]);
});

it('without one there is a name to log in with', () => {
  render(LogIn);
  expect(screen.getByLabelText(/Name or e-mail address/)).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Come in' })).toBeNull();
});
