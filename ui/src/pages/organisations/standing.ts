// What whoever is logged in is to an organisation, as the server counts it: see docs/how-to/organisations.md.
import type { Schema } from '$lib/api';
import { session } from '$lib/session.svelte';

export type Organisation = Schema<'OrganisationView'>;
type Kind = Organisation['kind'];

export const KINDS: Record<Kind, string> = { platform: 'Platform', franchisee: 'Franchisee', customer: 'Customer' };

/** Everything, everywhere. */
export const isPlatform = () => session.who?.bindings.some((one) => one.organisation === '*' && one.role === 'admin' && (one.folder ?? '*') === '*') ?? false;
/** Manages the organisation above it: suspends, limits, removes. */
export const isAbove = (one: Organisation) =>
  one.name !== 'platform' && (isPlatform() || (!!one.parent && one.parent !== 'platform' ? session.can('manage', { organisation: one.parent }) : session.can('administer', { organisation: 'platform' }) && !!one.parent));
/** Manages the organisation itself. */
export const isManager = (name: string) => session.can('manage', { organisation: name });

/** Those under which one may make others. */
export const parents = (all: readonly Organisation[]) =>
  all.filter((one) => (one.name === 'platform' ? session.can('administer', { organisation: 'platform' }) : one.kind === 'franchisee' && (isPlatform() || isManager(one.name))));

export interface Placed {
  row: Organisation;
  depth: number;
  below: number;
}

/** The platform, its franchisees with their customers, its own customers; by name on each level. Who isn't under anybody in
 * sight stands at the root. */
export function tree(all: readonly Organisation[]): Placed[] {
  const names = new Set(all.map((one) => one.name));
  const under = new Map<string, Organisation[]>();
  for (const one of all) {
    const place = one.parent && names.has(one.parent) ? one.parent : '';
    under.set(place, [...(under.get(place) ?? []), one]);
  }
  const rank: Record<Kind, number> = { platform: 0, franchisee: 1, customer: 2 };
  const placed: Placed[] = [];
  const walk = (place: string, depth: number) => {
    const those = (under.get(place) ?? []).toSorted((a, b) => rank[a.kind] - rank[b.kind] || (a.title || a.name).localeCompare(b.title || b.name));
    for (const row of those) {
      placed.push({ row, depth, below: under.get(row.name)?.length ?? 0 });
      if (depth < 8) walk(row.name, depth + 1);
    }
  };
  walk('', 0);
  return placed;
}
