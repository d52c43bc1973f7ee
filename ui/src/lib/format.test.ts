// Times, durations and sizes as words.
import { expect, it } from 'vitest';
import { absolute, atLeast, few, bytes, duration, plural, relative, shortId } from './format';

it('durations have the two units that matter', () => {
  expect([0, 340, 4_250, 185_000, 7_800_000, 273_600_000, -5].map(duration)).toEqual(['0 ms', '340 ms', '4.2 s', '3 min 05 s', '2 h 10 min', '3 d 4 h', '0 ms']);
});

it('moments are told from now, and absolutely', () => {
  const now = Date.UTC(2026, 10, 21, 12, 0, 0);
  const told = [0, 30_000, 300_000, 7_200_000, 3 * 86_400_000, -3_600_000].map((ago) => relative(now - ago, now));
  expect(told).toEqual(['now', '30 s ago', '5 min ago', '2 h ago', '3 days ago', 'in 1 h']);
  expect([59_400, 59_600, 59.6 * 60_000, 47.6 * 3_600_000].map((ago) => relative(now - ago, now))).toEqual(['59 s ago', '1 min ago', '1 h ago', '2 days ago']);
  expect(absolute(now, 'utc')).toBe('21 Nov 2026, 12:00:00 UTC');
});

it('numbers have units', () => {
  expect([bytes(12), bytes(3_500), bytes(5 << 20)]).toEqual(['12 B', '3.4 KiB', '5.0 MiB']);
  expect([plural(1, 'run'), plural(1_204, 'run'), plural(0, 'entry', 'entries')]).toEqual(['1 run', '1,204 runs', '0 entries']);
  expect([few(['a', 'b'], 2), few([...'abcdef'], 2), few([], 2)]).toEqual(['a, b', 'a, b and 4 more', '']);
  expect([atLeast(20, null), atLeast(1_200, 'cursor')]).toEqual(['20', '1,200+']);
  expect(shortId('01m7z1fkda3b4kqynmqq09wh52')).toBe('qq09wh52');
});
