// Money as people read it, and what things cost together.
import type { Schema } from '$lib/api';
import { money as written } from '$lib/money';

export type Cost = Schema<'CostView'>;

/** `4.90 EUR`. */
export const money = ({ amount, digits, currency }: Cost) => written(amount, currency, { digits });

/** The sum of each currency, the greatest number first. What is gone has no cost, and what is adopted is somebody else’s. */
export function sums(things: readonly { state: string; monthly_cost?: Cost | null }[]): Cost[] {
  const found = new Map<string, Cost>();
  for (const { state, monthly_cost: cost } of things) {
    if (!cost || state === 'gone' || state === 'adopted') continue;
    const sum = found.get(cost.currency);
    found.set(cost.currency, sum ? { ...sum, amount: sum.amount + cost.amount } : { ...cost });
  }
  return [...found.values()].sort((a, b) => b.amount / 10 ** b.digits - a.amount / 10 ** a.digits || (a.currency < b.currency ? -1 : 1));
}

/** `≈ 4.90 EUR + 3.00 USD a month`; nothing if nothing costs anything. */
export const monthly = (costs: readonly Cost[]) => (costs.length ? `≈ ${costs.map(money).join(' + ')} a month` : '');

/** An address that a browser may open: the server has checked it, and it is looked at once more before it is offered. */
export function opens(url: string | null | undefined): string | undefined {
  try {
    const parsed = new URL(url ?? '');
    return ['http:', 'https:'].includes(parsed.protocol) && !parsed.username && !parsed.password ? parsed.href : undefined;
  } catch {
    return undefined;
  }
}
