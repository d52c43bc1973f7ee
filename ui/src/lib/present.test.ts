// Which server is there, told by the files that its page names.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { present } from './present';

beforeEach(() => {
  const script = document.createElement('script');
  script.type = 'module';
  script.setAttribute('src', '/assets/index-old.js');
  // Not run: only its name matters.
  vi.stubGlobal('fetch', vi.fn());
  document.head.replaceChildren(script);
});
afterEach(() => {
  document.head.replaceChildren();
  vi.unstubAllGlobals();
});
const page = (script: string) => new Response(`<script type="module" src="${script}"></script>`);

it('ours, a newer one, or none', async () => {
  vi.mocked(fetch).mockResolvedValueOnce(page('/assets/index-old.js'));
  expect(await present()).toBe('ours');
  vi.mocked(fetch).mockResolvedValueOnce(page('/assets/index-new.js'));
  expect(await present()).toBe('another');
  vi.mocked(fetch).mockRejectedValueOnce(new TypeError('refused')).mockRejectedValueOnce(new TypeError('refused')).mockRejectedValueOnce(new TypeError('refused'));
  expect(await present()).toBe('none');
  vi.mocked(fetch).mockResolvedValueOnce(new Response('', { status: 502 }));
  expect(await present()).toBe('none');
});

it('none, if nothing is heard of it: that isn’t waited for again', async () => {
  vi.useFakeTimers();
  vi.mocked(fetch).mockImplementation(() => new Promise(() => {}));
  const told = present();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await told).toBe('none');
  expect(fetch).toHaveBeenCalledOnce();
  // Its page, too, may hang half-way.
  const body = new ReadableStream();
  vi.mocked(fetch).mockReset().mockResolvedValue(new Response(body));
  const half = present();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await half).toBe('none');
  vi.useRealTimers();
});
