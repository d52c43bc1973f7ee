// A source that isn't saved yet survives a reload: kept in this browser, with the source that it began from.
import { session } from '$lib/session.svelte';
import { stored } from '$lib/stored';

export interface Draft {
  /** Digest of what it began from; null: the workflow is new. */
  digest: string | null;
  /** What it began from, to show what differs. */
  base: string;
  source: string;
  at: number;
}

/** Each person's own: others may use the same browser. */
const kept = (name: string) => stored<Draft>(`draft.${session.who ? `${session.who.user}:` : ''}${name}`);
export const readDraft = (name: string): Draft | null => {
  const draft = kept(name).read();
  return draft && typeof draft.source === 'string' && typeof draft.base === 'string' ? draft : null;
};
export const dropDraft = (name: string) => kept(name).write(null);

/** Keeps what differs from what it began from; what doesn't needs no draft. */
export function keepDraft(name: string, draft: Omit<Draft, 'at'>, now = Date.now()) {
  if (draft.source === draft.base) dropDraft(name);
  else kept(name).write({ ...draft, at: now });
}

export type Begin = { kind: 'fresh' } | { kind: 'resumed'; draft: Draft } | { kind: 'overtaken'; draft: Draft };

/** How the editor begins: with the file, with a draft of it, or with a draft of something that was changed since. A draft of
 * something that was removed since is one of a new file. */
export function beginWith(file: { source: string; digest: string | null }, draft: Draft | null): Begin {
  if (!draft || draft.source === file.source) return { kind: 'fresh' };
  return draft.digest === file.digest || file.digest === null ? { kind: 'resumed', draft } : { kind: 'overtaken', draft };
}
