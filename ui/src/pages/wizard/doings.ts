// What a plan's steps do, in words, where they make nothing that the inventory keeps: organisations, invitations, limits, vouchers, letters.
import { isObject } from '$lib/form';
import { money } from '$lib/money';
import type { PlannedStep } from '../launch/plan';

/** Something that a step makes or does: its kind, in the singular, and which one. */
export interface Doing {
  kind: string;
  id: string;
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const amountOf = (given: Record<string, unknown>) => (typeof given.credit === 'number' ? money(given.credit, text(given.currency)) : '');

/** The step's arguments. */
export function argumentsOf(step: PlannedStep): unknown[] {
  try {
    const found = JSON.parse(step.args) as unknown;
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

const WORDS: Record<string, (name: string, given: Record<string, unknown>, second: string) => Doing[]> = {
  'org::create': (name, given) => [
    { kind: 'organisation', id: text(given.title) && text(given.title) !== name ? `${text(given.title)} (${name})` : name },
    ...(text(given.owner_email) ? [{ kind: 'invitation', id: text(given.owner_email) }] : []),
    ...Object.entries(isObject(given.quotas) ? given.quotas : {}).map(([quota, most]) => ({ kind: 'limit', id: `${quota.replaceAll('_', ' ')}: ${String(most)}` })),
  ],
  'org::brand': (_, given) => [{ kind: 'look', id: Object.keys(given).join(', ') }],
  'org::invite': (_, __, email) => [{ kind: 'invitation', id: email }],
  'org::environment': (_, __, environment) => [{ kind: 'environment', id: environment }],
  'voucher::issue': (_, given) => [{ kind: 'batch of vouchers', id: [text(given.name), `${typeof given.count === 'number' ? given.count : 1} × ${amountOf(given)}`].filter(Boolean).join(': ') }],
  'voucher::redeem': (_, given) => [{ kind: 'booking', id: text(given.customer) }],
};

/** What a step does, in words; nothing where what it makes stands in its things, or where nobody wrote words for it. */
export function doingsOf(step: PlannedStep): Doing[] {
  if (step.undo || step.sign === 'wait' || step.things.length) return [];
  const given = argumentsOf(step);
  const [first, second] = given;
  if (step.op.startsWith('notify::') && isObject(first)) {
    const to = [first.to ?? first.target].flat().filter((one): one is string => typeof one === 'string').join(', ');
    return [{ kind: step.op === 'notify::email' ? 'e-mail' : 'message', id: [to, text(first.subject) || text(first.title)].filter(Boolean).join(': ') }];
  }
  return WORDS[step.op]?.(text(first), isObject(second) ? second : {}, text(second)) ?? [];
}

/** Several of a kind: `load balancers`, `batches of vouchers`. */
export function manyOf(kind: string): string {
  const [head, ...rest] = kind.split(' of ');
  return [`${head}${/(ch|sh|s|x)$/.test(head!) ? 'es' : 's'}`, ...rest].join(' of ');
}
