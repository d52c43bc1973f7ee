// When tokens end.
import { expect, it } from 'vitest';
import { endOf, stateOf } from './lifetimes';

const DAY = 86_400_000;
it('counts days from now, or to the end of a day', () => {
  expect(endOf('7', '', 1_000)).toBe(1_000 + 7 * DAY);
  expect(endOf('day', '2026-12-01', 0)).toBe(new Date(2026, 11, 1, 23, 59, 59).getTime());
  expect(endOf('day', '', 0)).toBeNull();
});
it('says when one ends soon', () => {
  expect([null, 10 * DAY, 2 * DAY, -1].map((end) => stateOf(end, 0))).toEqual(['fine', 'fine', 'soon', 'over']);
});
