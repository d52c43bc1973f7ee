// What is tried again, and how often.
import { expect, it, vi } from 'vitest';
import { fetched } from './fetched';

it('tries again what a browser gave up, and not for ever', async () => {
  vi.useFakeTimers();
  const part = vi.fn().mockRejectedValueOnce(new TypeError('Failed to fetch')).mockResolvedValue('page');
  const answer = fetched(part);
  await vi.runAllTimersAsync();
  expect(await answer).toBe('page');
  expect(part).toHaveBeenCalledTimes(2);
  const never = vi.fn().mockRejectedValue(new TypeError('Failed to fetch'));
  const failed = expect(fetched(never)).rejects.toThrow('Failed to fetch');
  await vi.runAllTimersAsync();
  await failed;
  expect(never).toHaveBeenCalledTimes(3);
  vi.useRealTimers();
});
