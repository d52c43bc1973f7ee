// Lists are fetched again when runs change, once for many events, and not for what is no concern of theirs.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { feed, type RunEvent } from '$lib/api';
import { endsIn, runsChanged } from './runsChanged';

const event = (kind: string, run: string, data: Record<string, unknown> = {}) => ({ kind, run, data, seq: 1, at_ms: 0 }) as RunEvent;
let tell: (events: RunEvent[]) => void;
beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(feed, 'listen').mockImplementation((listener) => {
    tell = listener;
    return () => (tell = () => {});
  });
});
afterEach(() => vi.useRealTimers());

it('asks once for many, and after that again', () => {
  const reload = vi.fn();
  const stop = runsChanged(reload, 100);
  for (let many = 0; many < 50; many += 1) tell([event('run.started', 'a'), event('step.waiting', 'a')]);
  vi.advanceTimersByTime(100);
  tell([event('step.waiting', 'a')]);
  vi.advanceTimersByTime(100);
  expect(reload).toHaveBeenCalledTimes(1);
  tell([event('run.started', 'b')]);
  stop();
  vi.advanceTimersByTime(100);
  expect(reload).toHaveBeenCalledTimes(1);
});

it('waits for an answer that takes long, and asks once more after it', async () => {
  let give!: () => void;
  const reload = vi.fn(() => new Promise<void>((resolve) => (give = resolve)));
  runsChanged(reload, 100);
  tell([event('run.started', 'a')]);
  await vi.advanceTimersByTimeAsync(100);
  for (let many = 0; many < 5; many += 1) {
    tell([event('run.started', 'b')]);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(reload).toHaveBeenCalledTimes(1);
  give();
  await vi.advanceTimersByTimeAsync(100);
  expect(reload).toHaveBeenCalledTimes(2);
});

it('hears of the ends of labs’ runs, and of those of which it can’t know', async () => {
  const reload = vi.fn();
  runsChanged(reload, 100, endsIn('lab'));
  const after = async (...events: RunEvent[]) => {
    tell(events);
    await vi.advanceTimersByTimeAsync(100);
    return reload.mock.calls.length;
  };
  expect(await after(event('run.launched', 'other', { workflow: 'labor/x' }), event('run.launched', 'mine', { workflow: 'lab/deploy' }), event('run.started', 'mine'))).toBe(0);
  expect(await after(event('run.failed', 'other'), event('run.rolled_back', 'other'))).toBe(0);
  expect(await after(event('run.succeeded', 'mine'))).toBe(1);
  expect(await after(event('run.cancelled', 'older'))).toBe(2);
});
