// The server's word while one types: asked when typing pauses, and only the last answer counts.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Checks } from './checks.svelte';

let answers: ((fits: boolean) => void)[] = [];
let asked: unknown[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  [answers, asked] = [[], []];
  vi.stubGlobal('fetch', (_: string, options: RequestInit) => {
    asked.push((JSON.parse(String(options.body)) as { input: unknown }).input);
    return new Promise<Response>((resolve, reject) => {
      answers.push((fits) => resolve(Response.json({ fits, faults: fits ? [] : [{ pointer: '/a', message: 'no' }] })));
      options.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
    });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('asks once for many keys, and forgets what came too late', async () => {
  const checks = new Checks();
  for (const a of ['x', 'xy', 'xyz']) checks.ask('lab/x', { a });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toEqual([{ a: 'xyz' }]);
  checks.ask('lab/x', { a: 'other' });
  await vi.advanceTimersByTimeAsync(1_000);
  answers[0]!(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(checks.of({ a: 'xyz' })).toBeNull();
  answers[1]!(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(checks.of({ a: 'other' })).toMatchObject({ fits: false, faults: [{ pointer: '/a' }] });
  expect(checks.of({ a: 'another' })).toBeNull();
});
