// What `inventory/compare` has found: each thing's state at its provider, the newest look first.
import { isObject } from '$lib/form';
import type { Tone } from '$lib/states';
import type { IconName } from '$lib/ui';

export const CHECK = 'inventory/compare';
export const DESTROY = 'inventory/destroy';
/** Things of one look, as the workflow takes them. */
export const MOST = 500;
/** Things that are destroyed at once. */
export const MOST_GONE = 100;

export interface Thing {
  provider: string;
  kind: string;
  id: string;
  /** Runs that have a row of this name: it carries the mark of one of them, or it is somebody else's by now. */
  runs?: string[];
}
export interface Verdict {
  state: 'there' | 'gone' | 'differs' | 'unknown';
  found: string;
  /** When it was looked, and by which run. */
  at: number;
  run: string;
}
export interface Look {
  run: string;
  organisation: string;
  at: number;
  output: unknown;
}

export const keyOf = (organisation: string, { provider, kind, id }: Thing) => `${organisation} ${provider} ${kind} ${id}`;
export const bare = ({ provider, kind, id, runs }: Thing): Thing => (runs?.length ? { provider, kind, id, runs } : { provider, kind, id });

const STATES = ['there', 'gone', 'differs', 'unknown'];
const listed = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown) => (typeof value === 'string' ? value : '');
const thingOf = (one: Record<string, unknown>): Thing => ({ provider: text(one.provider), kind: text(one.kind), id: text(one.id) });

/** What is known of each thing by the newest look at it. */
export function verdictsOf(looks: readonly Look[]): Map<string, Verdict> {
  const found = new Map<string, Verdict>();
  for (const look of [...looks].sort((a, b) => b.at - a.at)) {
    for (const one of listed(isObject(look.output) ? look.output.things : undefined)) {
      const key = keyOf(look.organisation, thingOf(one));
      if (!found.has(key) && STATES.includes(text(one.state))) found.set(key, { state: one.state as Verdict['state'], found: text(one.found), at: look.at, run: look.run });
    }
  }
  return found;
}

/** Things that carry a run's mark, and weren't among those that were looked for: of the newest look of each organisation. */
export function strangersOf(looks: readonly Look[]): (Thing & { organisation: string; at: number })[] {
  const seen = new Set<string>();
  return [...looks].sort((a, b) => b.at - a.at).flatMap((look) => {
    if (seen.has(look.organisation)) return [];
    seen.add(look.organisation);
    return listed(isObject(look.output) ? look.output.strangers : undefined).map((one) => ({ ...thingOf(one), organisation: look.organisation, at: look.at }));
  });
}

export const looks: Record<Verdict['state'], { label: string; tone: Tone; icon: IconName }> = {
  there: { label: 'as kept', tone: 'good', icon: 'check' }, gone: { label: 'isn’t there', tone: 'bad', icon: 'warning' }, differs: { label: 'differs', tone: 'warn', icon: 'split' }, unknown: { label: 'can’t be told', tone: 'neutral', icon: 'question' },
};

/** Where the removal of things is looked at before it is launched. */
export const destroyHref = (things: readonly Thing[], organisation: string) => `/launch/${DESTROY}?for=${encodeURIComponent(organisation)}&input=${encodeURIComponent(JSON.stringify({ things: things.map(bare) }))}`;
