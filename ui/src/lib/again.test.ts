// What is tried again, how often, and what isn't.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { again } from './again';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const gone = () => new TypeError('Failed to fetch');

it('tries again what was lost, and not for ever', async () => {
  const act = vi.fn().mockRejectedValueOnce(gone()).mockResolvedValue('there');
  const answer = again(act);
  await vi.runAllTimersAsync();
  expect(await answer).toBe('there');
  expect(act).toHaveBeenCalledTimes(2);
  const never = vi.fn().mockRejectedValue(gone());
  const failed = expect(again(never)).rejects.toThrow('Failed to fetch');
  await vi.advanceTimersByTimeAsync(2_000);
  await failed;
  expect(never).toHaveBeenCalledTimes(3);
});

it('doesn’t try again what was answered', async () => {
  const refused = vi.fn().mockRejectedValue(new Error('no'));
  await expect(again(refused, { lost: (error) => error instanceof TypeError })).rejects.toThrow('no');
  expect(refused).toHaveBeenCalledOnce();
});

it('doesn’t try again what nobody waits for: before, or while it waits', async () => {
  const abort = new AbortController();
  const act = vi.fn().mockRejectedValue(gone());
  const failed = expect(again(act, { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  await vi.advanceTimersByTimeAsync(100);
  abort.abort();
  await failed;
  await expect(again(act, { signal: abort.signal })).rejects.toThrow('Failed to fetch');
  await vi.runAllTimersAsync();
  expect(act).toHaveBeenCalledTimes(2);
});
