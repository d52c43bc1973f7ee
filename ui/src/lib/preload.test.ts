// A part's files come before it is imported, and are fetched again if they are lost.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Missing, preload } from './preload';

const fetched = vi.fn<typeof fetch>();
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('fetch', fetched);
  fetched.mockReset();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.head.replaceChildren();
});
const file = () => new Response('export default 1');

it('imports only when all files are there', async () => {
  fetched.mockRejectedValueOnce(new TypeError('Failed to fetch')).mockResolvedValueOnce(new Response('', { status: 503 })).mockImplementation(async () => file());
  const part = vi.fn(async () => 'page');
  const page = preload(part, ['assets/a-1.js']);
  await vi.advanceTimersByTimeAsync(300);
  expect(part).not.toHaveBeenCalled();
  await vi.runAllTimersAsync();
  expect(await page).toBe('page');
  expect(fetched).toHaveBeenCalledTimes(3);
  // What came once isn't fetched again.
  await preload(part, ['assets/a-1.js']);
  expect(fetched).toHaveBeenCalledTimes(3);
});

it('imports nothing if one can’t be had, and may be asked again', async () => {
  const part = vi.fn(async () => 'page');
  fetched.mockResolvedValueOnce(new Response('', { status: 404 }));
  await expect(preload(part, ['assets/b-1.js'])).rejects.toMatchObject({ status: 404 });
  // The server has answered.
  expect(fetched).toHaveBeenCalledOnce();
  fetched.mockRejectedValue(new TypeError('Failed to fetch'));
  const failed = expect(preload(part, ['assets/b-1.js'])).rejects.toBeInstanceOf(Missing);
  await vi.runAllTimersAsync();
  await failed;
  expect(fetched).toHaveBeenCalledTimes(4);
  expect(part).not.toHaveBeenCalled();
  fetched.mockReset().mockImplementation(async () => file());
  expect(await preload(part, ['assets/b-1.js'])).toBe('page');
});

it('takes what the page names as there', async () => {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = '/assets/c-1.js';
  document.head.append(link);
  expect(await preload(async () => 'page', ['assets/c-1.js'])).toBe('page');
  expect(fetched).not.toHaveBeenCalled();
});
