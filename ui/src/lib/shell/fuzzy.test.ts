// What was typed finds what was meant.
import { expect, it } from 'vitest';
import { score } from './fuzzy';

const best = (typed: string, names: string[]) =>
  names.map((name) => [name, score(typed, name)] as const).filter(([, points]) => points !== null).sort((a, b) => b[1]! - a[1]!)[0]?.[0];

it('finds by beginnings, by pieces and by letters in order', () => {
  const names = ['Go to Workflows', 'Launch lab/two-routers', 'Launch lab/tour', 'Log out'];
  expect(best('two', names)).toBe('Launch lab/two-routers');
  expect(best('launch tour', names)).toBe('Launch lab/tour');
  expect(best('lo', names)).toBe('Log out');
  expect(best('ltr', names)).toBe('Launch lab/two-routers');
  expect(best('xyz', names)).toBeUndefined();
});
