// Lists that people type as lines.
import { expect, it } from 'vitest';
import { addressesOf, pairsOf, pairsText, portsOf, portsText, routesOf, routesText } from './words';

it('reads lines, writes them again, and says which one is wrong', () => {
  expect(pairsOf('A=1\nB = x=y')).toEqual({ A: '1', B: ' x=y' });
  expect(pairsText({ A: '1' })).toBe('A=1');
  expect(() => pairsOf('nonsense')).toThrow('nonsense');
  expect(routesOf('default via 10.0.0.1\n10.1.0.0/24 via 10.0.0.2 metric 5')).toEqual([{ to: 'default', via: '10.0.0.1' }, { to: '10.1.0.0/24', via: '10.0.0.2', metric: 5 }]);
  expect(routesText(routesOf('10.1.0.0/24 dev eth1'))).toBe('10.1.0.0/24 dev eth1');
  expect(() => routesOf('10.1.0.0/24')).toThrow('no route');
  expect(portsOf('20080:80\n20053:53/udp')).toEqual([{ host: 20080, node: 80 }, { host: 20053, node: 53, protocol: 'udp' }]);
  expect(portsText(portsOf('20053:53/udp'))).toBe('20053:53/udp');
  expect(() => portsOf('80')).toThrow('no pair');
  expect(addressesOf(' 10.0.0.1/24, fd00::1/64 ')).toEqual(['10.0.0.1/24', 'fd00::1/64']);
  expect(addressesOf('')).toBeUndefined();
  expect(() => addressesOf('10.0.0.1')).toThrow('no address');
});
