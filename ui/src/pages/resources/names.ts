// Rows of one name. A run that adopts what another has made gets a row of its own, and the thing keeps the mark of the run that
// made it; one that makes a thing again leaves the old row too. So whose mark is meant is told by all rows of a name together.
import { api } from '$lib/api';
import { keyOf, type Thing } from './drift';

/** A row of the inventory, as far as its name goes. `origin`: the run whose step it is. */
export interface Named {
  provider: string;
  kind: string;
  id: string;
  organisation: string;
  origin: string;
  state: string;
  created_at_ms: number;
}
/** Runs that a thing may be of, as the workflows take them. */
export const MOST_RUNS = 20;

const nameOf = (row: Named) => keyOf(row.organisation, row);
const byAge = (a: Named, b: Named) => a.created_at_ms - b.created_at_ms;
function together<R extends Named>(rows: readonly R[], key: (row: R) => string): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return groups;
}

/** Rows of what may be there, by name, the newest last. */
export function byName<R extends Named>(rows: readonly R[]): Map<string, R[]> {
  return together(rows.filter((row) => row.state !== 'gone' && row.state !== 'adopted').sort(byAge), nameOf);
}

/** The newer row of its name, if a row isn't the newest itself. */
export function newerOf<R extends Named>(row: R, names: Map<string, R[]>): R | undefined {
  const last = names.get(nameOf(row))?.at(-1);
  return last && last.origin !== row.origin ? last : undefined;
}

/** Things as the workflows take them: each name once, with the runs of these rows and of all open rows (`all`) that have it. */
export function thingsOf(rows: readonly Named[], all: readonly Named[]): Thing[] {
  const names = byName(all);
  return [...together(rows, nameOf)].map(([name, own]) => {
    const { provider, kind, id } = own[0]!;
    const runs = [...new Set([...own, ...(names.get(name) ?? [])].sort(byAge).map((row) => row.origin))];
    // Of very many: the run that made it first, and those that have adopted it last.
    return { provider, kind, id, runs: runs.length > MOST_RUNS ? [runs[0]!, ...runs.slice(1 - MOST_RUNS)] : runs };
  });
}

/** What all of them begin with. */
export function beginning(texts: readonly string[]): string {
  const first = texts[0] ?? '';
  let length = first.length;
  for (const text of texts) while (!text.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}

/** All rows of what may be there that have the names of these, also those that the list doesn't show: one question for each kind. */
export async function namesakes(rows: readonly Named[]): Promise<Named[]> {
  const wanted = new Set(rows.map(nameOf));
  const found: Named[] = [];
  for (const group of together(rows, (row) => `${row.organisation} ${row.provider} ${row.kind}`).values()) {
    const { organisation, provider, kind } = group[0]!;
    const prefix = beginning(group.map((row) => row.id)) || undefined;
    let cursor: string | undefined;
    do {
      const page = await api.get('/resources', { query: { organisation, provider, kind, prefix, cursor, limit: 500 } });
      found.push(...page.items.filter((row) => wanted.has(nameOf(row))));
      cursor = page.next ?? undefined;
    } while (cursor);
  }
  return found;
}
