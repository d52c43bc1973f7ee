// What comes along with a choice of components.
import { expect, it } from 'vitest';
import { brings, closure, installables, neededBy } from './components';

const all = installables([
  { id: 'net', label: 'Net: between pods', family: 'network', always: true, needs: [] },
  { id: 'store', label: 'Store: objects', family: 'data', needs: ['net'] },
  { id: 'logs', label: 'Logs', family: 'watch', needs: ['store'] },
  { id: 'round', needs: ['trip'] }, { id: 'trip', needs: ['round'] },
  { id: '' }, 'nothing',
]);

it('reads what it is given, and leaves out what is none', () => {
  expect(all.map((one) => [one.id, one.title, one.says, one.always])).toEqual([['net', 'Net', 'between pods', true], ['store', 'Store', 'objects', false], ['logs', 'Logs', '', false], ['round', 'round', '', false], ['trip', 'trip', '', false]]);
  expect(installables(null)).toEqual([]);
});

it('adds what is needed, however deep, and says by whom', () => {
  expect([...closure(all, [])]).toEqual(['net']);
  const installed = closure(all, ['logs']);
  expect([...installed].sort()).toEqual(['logs', 'net', 'store']);
  expect(brings(all, [], 'logs').map((one) => one.id)).toEqual(['store']);
  expect(brings(all, ['store'], 'logs')).toEqual([]);
  expect(neededBy(all, installed, 'store').map((one) => one.id)).toEqual(['logs']);
  // A circle ends.
  expect([...closure(all, ['round'])].sort()).toEqual(['net', 'round', 'trip']);
});
