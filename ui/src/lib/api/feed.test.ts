// The shared stream is there before pages ask for their lists, and nobody waits for long.
import { afterEach, expect, it, vi } from 'vitest';
import { feed } from './feed.svelte';

afterEach(() => {
  feed.close();
  vi.unstubAllGlobals();
});

it('is ready when the server has answered', async () => {
  let answer: (response: Response) => void = () => {};
  const asked = vi.fn(() => new Promise<Response>((resolve) => (answer = resolve)));
  vi.stubGlobal('fetch', asked);
  let ready = false;
  const waiting = feed.ready(60_000).then(() => (ready = true));
  await Promise.resolve();
  expect(asked).toHaveBeenCalledTimes(1);
  expect(ready).toBe(false);
  answer(new Response(new ReadableStream({ start: () => {} }), { headers: { 'content-type': 'text/event-stream' } }));
  await waiting;
  expect(feed.state.kind).toBe('live');
  // It is one connection for everybody.
  await feed.ready();
  expect(asked).toHaveBeenCalledTimes(1);
});

it('is ready when a connection that was lost at once is there after all', async () => {
  const asked = vi.fn<() => Promise<Response>>().mockRejectedValueOnce(new TypeError('Failed to fetch'));
  asked.mockImplementation(async () => new Response(new ReadableStream({ start: () => {} }), { headers: { 'content-type': 'text/event-stream' } }));
  vi.stubGlobal('fetch', asked);
  await feed.ready(60_000);
  expect(asked).toHaveBeenCalledTimes(2);
  expect(feed.state.kind).toBe('live');
});

it('a server that says nothing doesn’t hold up the page', async () => {
  vi.stubGlobal('fetch', vi.fn(() => new Promise<Response>(() => {})));
  await feed.ready(5);
  expect(feed.state.kind).toBe('connecting');
});
