// The ledger in words: accounts, kinds of transactions, and what Sovereigns owe.
import type { Schema } from '$lib/api';

export type Balance = Schema<'BalanceView'>;
export type Entry = Schema<'EntryView'>;

const ACCOUNTS: Record<string, string> = {
  credit: 'Credit', 'vouchers-granted': 'Vouchers granted', clearing: 'To be claimed', receivable: 'Owed by', payable: 'Owed to',
  'disputed-vouchers': 'Refused by other Sovereigns', 'unused-credit': 'Credit that was left', bank: 'Bank',
};
/** `Owed by muscat` for `receivable/muscat`. */
export function accountName(name: string): string {
  const [what, whose] = name.split('/') as [string, string | undefined];
  const word = ACCOUNTS[what];
  return word ? (whose ? `${word} ${what === 'clearing' ? `of ${whose}` : whose}` : word) : name;
}

const KINDS: Record<string, string> = {
  redeem: 'Redeemed', reverse: 'Taken back', settle: 'Settled', dispute: 'Refused', write_off: 'Written off', pay: 'Paid',
};
export const kindName = (kind: string) => KINDS[kind] ?? kind;

/** Sums by currency; every one of them is 0 if the accounts of all are there. */
export function sums(balances: readonly Balance[]): Map<string, bigint> {
  const found = new Map<string, bigint>();
  for (const one of balances) found.set(one.currency, (found.get(one.currency) ?? 0n) + BigInt(one.amount));
  return found;
}

/** Balances by organisation, in the order of their names. */
export function byOrganisation(balances: readonly Balance[]): [string, Balance[]][] {
  const found = new Map<string, Balance[]>();
  for (const one of balances) found.set(one.organisation, [...(found.get(one.organisation) ?? []), one]);
  return [...found].toSorted(([a], [b]) => a.localeCompare(b));
}

/** Entries of one transaction that stand beside one another, newest first. */
export function transactions(entries: readonly Entry[]): { id: string; entries: Entry[] }[] {
  const found: { id: string; entries: Entry[] }[] = [];
  for (const one of entries) {
    const last = found.at(-1);
    if (last?.id === one.transaction) last.entries.push(one);
    else found.push({ id: one.transaction, entries: [one] });
  }
  for (const one of found) one.entries.sort((a, b) => a.seq - b.seq);
  return found;
}

/** What a Sovereign owes here, and is owed, by currency. */
export function standing(balances: readonly Balance[], sovereign: string): { currency: string; clearing: number; receivable: number; payable: number }[] {
  const found = new Map<string, { currency: string; clearing: number; receivable: number; payable: number }>();
  for (const one of balances) {
    const [what, whose] = one.name.split('/');
    if (whose !== sovereign || (what !== 'clearing' && what !== 'receivable' && what !== 'payable')) continue;
    const row = found.get(one.currency) ?? { currency: one.currency, clearing: 0, receivable: 0, payable: 0 };
    row[what] += one.amount;
    found.set(one.currency, row);
  }
  return [...found.values()].toSorted((a, b) => a.currency.localeCompare(b.currency));
}
