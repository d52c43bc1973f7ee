// A form that isn't launched yet survives a reload of its tab: without what the schema calls secret.
import { withoutSecrets, type Schema } from '$lib/form';
import { session } from '$lib/session.svelte';

interface Draft {
  /** What it was filled in from: another link or run begins anew. */
  origin: string;
  /** Who filled it in: whoever logs in next in this tab begins anew. */
  user: string;
  value: unknown;
}

const user = () => session.who?.user ?? '';
const key = (workflow: string) => `windlass.launch.${workflow}`;

export function readDraft(workflow: string, origin: string): unknown {
  try {
    const draft = JSON.parse(sessionStorage.getItem(key(workflow)) ?? 'null') as Draft | null;
    if (draft && draft.user !== user()) dropDraft(workflow);
    else if (draft?.origin === origin) return draft.value;
    return undefined;
  } catch {
    return undefined;
  }
}

export function writeDraft(workflow: string, origin: string, schema: Schema, value: unknown) {
  try {
    sessionStorage.setItem(key(workflow), JSON.stringify({ origin, user: user(), value: withoutSecrets(schema, value) } satisfies Draft));
  } catch {
    // Full, or forbidden: it lasts as long as the page.
  }
}

export function dropDraft(workflow: string) {
  try {
    sessionStorage.removeItem(key(workflow));
  } catch {
    // Nothing was kept, then.
  }
}

/** Where values come from: an earlier run, and what an address says (which has lost its secrets by then). */
export const originOf = (from: string | null, said: unknown) => JSON.stringify([from, said ?? null]);
