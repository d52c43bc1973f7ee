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

/** A request that is never answered, unless it is broken off. */
const hangs = (_: unknown, init?: RequestInit) =>
  new Promise<Response>((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error)));

it('fetches again what hangs, three times at most', async () => {
  const part = vi.fn(async () => 'page');
  fetched.mockImplementationOnce(hangs).mockImplementation(async () => file());
  const page = preload(part, ['assets/d-1.js']);
  await vi.advanceTimersByTimeAsync(9_900);
  expect(fetched).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(400);
  expect(await page).toBe('page');
  expect(fetched).toHaveBeenCalledTimes(2);
  fetched.mockReset().mockImplementation(hangs);
  const failed = expect(preload(part, ['assets/d-2.js'])).rejects.toMatchObject({ name: 'Error', status: 0 });
  await vi.advanceTimersByTimeAsync(31_000);
  await failed;
  expect(fetched).toHaveBeenCalledTimes(3);
  expect(fetched.mock.calls.every(([, init]) => init!.signal!.aborted)).toBe(true);
});

it('has patience with what comes slowly, and with what waits until that is there', async () => {
  let piece: (() => void) | undefined;
  let end: (() => void) | undefined;
  const body = new ReadableStream({
    start(stream) {
      piece = () => stream.enqueue(new Uint8Array(1));
      end = () => stream.close();
    },
  });
  let free: ((answer: Response) => void) | undefined;
  fetched.mockResolvedValueOnce(new Response(body)).mockImplementationOnce(() => new Promise((resolve) => (free = resolve)));
  const page = preload(async () => 'page', ['assets/e-1.js', 'assets/e-2.js']);
  for (let at = 0; at < 6; at += 1) {
    await vi.advanceTimersByTimeAsync(8_000);
    piece!();
  }
  await vi.advanceTimersByTimeAsync(1);
  end!();
  await vi.advanceTimersByTimeAsync(8_000);
  free!(file());
  expect(await page).toBe('page');
  expect(fetched).toHaveBeenCalledTimes(2);
});

it('is as lost if half of it came', async () => {
  const broken = () => new Response(new ReadableStream({ start: (stream) => stream.error(new TypeError('network error')) }));
  fetched.mockImplementation(async () => broken());
  const failed = expect(preload(async () => 'page', ['assets/f-1.js'])).rejects.toBeInstanceOf(Missing);
  await vi.runAllTimersAsync();
  await failed;
  expect(fetched).toHaveBeenCalledTimes(3);
});
