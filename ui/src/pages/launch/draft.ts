// A form that isn't launched yet survives a reload of its tab: without what the schema calls secret.
import { withoutSecrets, type Schema } from '$lib/form';

interface Draft {
  /** The address that it was filled in from: another link or run begins anew. */
  origin: string;
  value: unknown;
}

const key = (workflow: string) => `windlass.launch.${workflow}`;

export function readDraft(workflow: string, origin: string): unknown {
  try {
    const draft = JSON.parse(sessionStorage.getItem(key(workflow)) ?? 'null') as Draft | null;
    return draft?.origin === origin ? draft.value : undefined;
  } catch {
    return undefined;
  }
}

export function writeDraft(workflow: string, origin: string, schema: Schema, value: unknown) {
  try {
    sessionStorage.setItem(key(workflow), JSON.stringify({ origin, value: withoutSecrets(schema, value) } satisfies Draft));
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

/** What says in an address where values come from. */
export function originOf(query: URLSearchParams): string {
  const pairs = [...query].filter(([name]) => name === 'from' || name === 'input' || name.startsWith('input.'));
  return new URLSearchParams(pairs).toString();
}
