// Accounts and transactions as the page shows them.
import { expect, it } from 'vitest';
import { accountName, byOrganisation, standing, sums, transactions, type Balance, type Entry } from './books';

const balance = (organisation: string, name: string, amount: number, currency = 'EUR') => ({ account: `${organisation}:${name}:${currency}`, organisation, name, kind: 'asset', currency, amount, entries: 1 }) as Balance;
const entry = (transaction: string, seq: number, amount: number) => ({ transaction, seq, amount }) as Entry;

it('adds up by currency, beyond what a number holds', () => {
  expect(sums([balance('acme', 'vouchers-granted', 500), balance('bob', 'credit', -500), balance('bob', 'credit', 7, 'OMR')])).toEqual(new Map([['EUR', 0n], ['OMR', 7n]]));
  expect(sums([balance('a', 'credit', 9_007_199_254_740_991), balance('a', 'credit', 2)]).get('EUR')).toBe(9_007_199_254_740_993n);
});
it('orders by organisation, names accounts, and knows what a Sovereign owes', () => {
  const all = [balance('platform', 'clearing/muscat', 300), balance('platform', 'receivable/muscat', 200), balance('acme', 'credit', -1), balance('platform', 'payable/muscat', -50), balance('platform', 'clearing/oman', 9)];
  expect(byOrganisation(all).map(([name, those]) => [name, those.length])).toEqual([['acme', 1], ['platform', 4]]);
  expect(standing(all, 'muscat')).toEqual([{ currency: 'EUR', clearing: 300, receivable: 200, payable: -50 }]);
  expect([accountName('receivable/muscat'), accountName('clearing/muscat'), accountName('credit'), accountName('other/x')]).toEqual(['Owed by muscat', 'To be claimed of muscat', 'Credit', 'other/x']);
});
it('keeps what was booked together together', () => {
  expect(transactions([entry('t2', 2, -5), entry('t2', 1, 5), entry('t1', 2, -3)]).map((one) => [one.id, one.entries.map((each) => each.seq)])).toEqual([['t2', [1, 2]], ['t1', [2]]]);
});
