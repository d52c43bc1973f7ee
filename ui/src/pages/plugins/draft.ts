// A plugin that isn't saved yet survives a reload: kept in this browser, with the digest of the files that it began from.
import { own } from '$lib/own';
import { isObject } from '$lib/form';
import type { Files } from './files';

export interface PluginDraft {
  /** Of the saved files that it began from; null: there were none. */
  digest: string | null;
  files: Files;
  at: number;
}

export function draftOf(name: string) {
  const kept = own<PluginDraft>(`plugin-draft.${name}`);
  return {
    read(): PluginDraft | null {
      const draft = kept.read();
      return draft && isObject(draft.files) && Object.values(draft.files).every((text) => typeof text === 'string') ? draft : null;
    },
    write: (draft: PluginDraft | null) => kept.write(draft),
  };
}
