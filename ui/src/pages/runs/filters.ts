// What the list of runs shows, as it stands in the address bar; the names are those of the API.
import type { QueryChange } from '$lib/router.svelte';

export const names = ['text', 'workflow', 'state', 'tag', 'input', 'id', 'parent', 'since', 'until'] as const;
export type FilterName = (typeof names)[number];
export type Filters = Partial<Record<FilterName, string>>;

export interface View {
  name: string;
  /** What stands behind the question mark. */
  search: string;
}
export function filtersOf(query: URLSearchParams): Filters {
  const found: Filters = {};
  for (const name of names) {
    const value = query.get(name)?.trim();
    if (value) found[name] = value;
  }
  return found;
}

/** `24h`, `7d` … before now, for the API; what isn't one of these is given as it is. */
export function moment(text: string, now: number): string {
  const found = /^(\d{1,4})([mhd])$/.exec(text);
  if (!found) return text;
  return String(now - Number(found[1]) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[found[2] as 'm' | 'h' | 'd']);
}

/** `name=value other=value`: values that fields of the input must have. */
export function inputs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, quoted, bare] of (text ?? '').matchAll(/([^\s=]+)=(?:"([^"]*)"|(\S*))/g)) found[name!] = quoted ?? bare ?? '';
  return found;
}

/** For the API's bodies: what is relative becomes a time. */
export function asWhich({ input, ...filters }: Filters, now: number) {
  const which = { ...filters, input: inputs(input) };
  if (which.since) which.since = moment(which.since, now);
  if (which.until) which.until = moment(which.until, now);
  return which;
}
/** For its queries. */
export function asQuery(filters: Filters, now: number): Omit<Filters, 'input'> {
  const { input, ...query } = asWhich(filters, now);
  return { ...query, ...Object.fromEntries(Object.entries(input).map(([name, value]) => [`input.${name}`, value])) };
}

/** Of a comma list of states those that are among some (empty: all are); null if none is. */
export function within(list: string | null | undefined, some: readonly string[]): string | null | undefined {
  if (!some.length) return list;
  const asked = (list ?? '').split(',').filter(Boolean);
  const both = asked.length ? some.filter((state) => asked.includes(state)) : some;
  return both.join(',') || null;
}

/** As it is compared and kept: in one order, without what is empty. */
export function searchOf(filters: Filters): string {
  const search = new URLSearchParams();
  for (const name of names) if (filters[name]) search.set(name, filters[name]!);
  return search.toString();
}
/** The change of the address that makes it exactly these. */
export const exactly = (filters: Filters): QueryChange => Object.fromEntries(names.map((name) => [name, filters[name] ?? null]));

/** States in the list, one put in or taken out. */
export function toggled(list: string | undefined, state: string): string | undefined {
  const states = new Set((list ?? '').split(',').filter(Boolean));
  if (!states.delete(state)) states.add(state);
  return [...states].join(',') || undefined;
}

/** Views that everybody has. */
export const given: readonly View[] = [
  { name: 'All', search: '' },
  { name: 'Open', search: searchOf({ state: 'queued,running,waiting,cancelling,rolling_back,rollback_stuck' }) },
  { name: 'Waiting', search: searchOf({ state: 'waiting,rollback_stuck' }) },
  { name: 'Failed', search: searchOf({ state: 'failed,rolled_back,rollback_stuck' }) },
];
