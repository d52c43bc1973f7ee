// Private halves of keys that were made here. They are kept in this page's memory only, until it is left: never stored, never sent.
import { SvelteMap } from 'svelte/reactivity';

interface Made {
  file: string;
  saved: boolean;
}

/** By the public line. */
export const made = new SvelteMap<string, Made>();

/** Hands the private half out as a file. */
export function save(line: string, name: string) {
  const key = made.get(line);
  if (!key) return;
  const url = URL.createObjectURL(new Blob([key.file], { type: 'application/x-pem-file' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  made.set(line, { ...key, saved: true });
}
