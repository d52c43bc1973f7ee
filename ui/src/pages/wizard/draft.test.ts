// What somebody fills in is kept: when it fails, too, and when the page goes.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ServerDraft } from './draft.svelte';

const puts: { input: unknown; match: string | null; keepalive?: boolean }[] = [];
let answer: () => Promise<Response>;
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
beforeEach(() => {
  vi.useFakeTimers();
  puts.length = 0;
  answer = async () => json({ version: puts.length });
  vi.stubGlobal('fetch', vi.fn(async (_: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>;
    puts.push({ input: (JSON.parse(String(init.body)) as { input: unknown }).input, match: headers['if-match'] ?? headers['if-none-match'] ?? null, keepalive: init.keepalive });
    return answer();
  }));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('is sent again when somebody tries again, without another change', async () => {
  const draft = new ServerDraft('a/b', null);
  answer = () => Promise.reject(new TypeError('away'));
  draft.keep({ name: 'x' }, 'first');
  await vi.advanceTimersByTimeAsync(600);
  expect([draft.state, puts.length]).toEqual(['failed', 1]);
  answer = async () => json({ version: 1 });
  const again = draft.flush();
  expect(draft.state).toBe('keeping');
  await again;
  expect([draft.state, puts.length, puts[1]!.input]).toEqual(['kept', 2, { name: 'x' }]);
  // Nothing waits any more.
  await draft.flush();
  expect(puts).toHaveLength(2);
});

it('is tried again by itself after a while, until the form is left', async () => {
  const draft = new ServerDraft('a/b', null);
  answer = () => Promise.reject(new TypeError('away'));
  draft.keep({ name: 'x' }, 'first');
  await vi.advanceTimersByTimeAsync(5_000);
  expect([draft.state, puts.length]).toEqual(['failed', 1]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(puts).toHaveLength(2);
  draft.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(puts).toHaveLength(3);
});

it('sends what was typed since, not what failed before', async () => {
  const draft = new ServerDraft('a/b', null);
  answer = () => Promise.reject(new TypeError('away'));
  draft.keep({ name: 'x' }, 'first');
  const failing = draft.flush();
  await Promise.resolve();
  draft.keep({ name: 'xy' }, 'first');
  await failing;
  answer = async () => json({ version: 1 });
  await draft.flush();
  expect(puts.map((one) => one.input)).toEqual([{ name: 'x' }, { name: 'xy' }]);
  expect(draft.state).toBe('kept');
});

it('sends what waits when the page goes, so that it arrives though the page is gone', async () => {
  const draft = new ServerDraft('a/b', null);
  expect(draft.leave()).toBe(true);
  draft.keep({ name: 'x' }, 'first');
  expect(draft.leave()).toBe(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(puts).toEqual([{ input: { name: 'x' }, match: '*', keepalive: true }]);
});

it('can’t promise it when another one is under way, when it failed, and when it is too large', async () => {
  const draft = new ServerDraft('a/b', null);
  let give!: (response: Response) => void;
  answer = () => new Promise((resolve) => (give = resolve));
  draft.keep({ name: 'x' }, 'first');
  const first = draft.flush();
  await vi.advanceTimersByTimeAsync(0);
  draft.keep({ name: 'xy' }, 'first');
  expect(draft.leave()).toBe(false);
  answer = () => Promise.reject(new TypeError('away'));
  give(json({ version: 1 }));
  await first;
  await vi.advanceTimersByTimeAsync(0);
  expect(draft.state).toBe('failed');
  expect(draft.leave()).toBe(false);
  await vi.advanceTimersByTimeAsync(0);
  answer = async () => json({ version: 2 });
  draft.keep({ name: 'x'.repeat(70_000) }, 'first');
  expect(draft.leave()).toBe(false);
});

it('sends nothing more once somebody else has changed it', async () => {
  const draft = new ServerDraft('a/b', { input: {}, step: 'first', version: 3, updated_at_ms: 1 });
  answer = async () => json({ code: 'precondition_failed', detail: 'changed' }, 412);
  draft.keep({ name: 'x' }, 'first');
  await draft.flush();
  expect([draft.state, puts[0]!.match]).toEqual(['other', '"3"']);
  await draft.flush();
  expect([draft.leave(), puts.length]).toEqual([true, 1]);
});

it('knows what it has sent itself, though the answer was lost', async () => {
  const draft = new ServerDraft('a/b', null);
  answer = () => Promise.reject(new TypeError('away'));
  draft.keep({ name: 'x' }, 'first');
  await draft.flush();
  expect(draft.state).toBe('failed');
  vi.stubGlobal('fetch', vi.fn(async (_: string, init: RequestInit) => {
    if (init.method !== 'PUT') return json({ input: { name: 'x' }, step: 'first', version: 7, updated_at_ms: 1 });
    return (init.headers as Record<string, string>)['if-match'] === '"7"' ? json({ version: 8 }) : json({ code: 'precondition_failed', detail: 'there is one' }, 412);
  }));
  await draft.flush();
  expect(draft.state).toBe('kept');
});
