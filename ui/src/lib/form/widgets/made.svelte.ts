// Private halves of keys that were made here. They are kept in this page's memory only: never stored, never sent. What is remembered
// beyond it are public lines of keys whose private half nobody has saved yet, so that it can be said when one is lost.
import { SvelteMap } from 'svelte/reactivity';
import { own } from '$lib/own';
import { below, isObject } from '../pointer';
import type { Fault } from '../validate';

interface Made {
  file: string;
  downloaded: boolean;
  /** Somebody has said that they have it. */
  saved: boolean;
}

/** By the public line. */
export const made = new SvelteMap<string, Made>();

const MOST = 50;
const UNSAVED = 'Download the private half, and say that you have saved it: without it nobody can log in.';
const remembered = () => own<string[]>('keys.unsaved');
const unsaved = () => remembered().read() ?? [];

/** A key that was just made. */
export function keep(line: string, file: string) {
  made.set(line, { file, downloaded: false, saved: false });
  remembered().write([...unsaved(), line].slice(-MOST));
}

/** Hands the private half out as a file. */
export function download(line: string, name: string) {
  const key = made.get(line);
  if (!key) return;
  const url = URL.createObjectURL(new Blob([key.file], { type: 'application/x-pem-file' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  made.set(line, { ...key, downloaded: true });
}

/** They have it, or they don't after all. */
export function confirmSaved(line: string, saved: boolean) {
  const key = made.get(line);
  if (!key) return;
  made.set(line, { ...key, saved });
  const others = unsaved().filter((one) => one !== line);
  const left = saved ? others : [...others, line];
  remembered().write(left.length ? left : null);
}

/** It was made here, and the page was left before its private half was saved. */
export const isLost = (line: string) => line !== '' && !made.has(line) && unsaved().includes(line);

/** Keys of a form's value that nobody could log in with: what is wrong with each, by its place. */
export function keyFaults(value: unknown, pointer = ''): Fault[] {
  if (typeof value === 'string') {
    if (!value.startsWith('ssh-')) return [];
    const key = made.get(value);
    if (key) return key.saved ? [] : [{ pointer, message: UNSAVED }];
    return isLost(value) ? [{ pointer, message: 'The private half of this key was never saved, and is gone. Make another one.' }] : [];
  }
  const inner = Array.isArray(value) ? value.map((one, index) => [String(index), one] as const) : isObject(value) ? Object.entries(value) : [];
  return inner.flatMap(([name, one]) => keyFaults(one, below(pointer, name)));
}

const QUESTION = 'The private half of the key that was made here isn’t saved yet. It is only in this page, and is lost when the page is closed or loaded anew. Leave it?';

/** Asks before a page is left whose keys aren't saved: a guard for the router. `within`: paths that aren't leaving. */
export const leaving = (value: () => unknown, within: (path: string) => boolean) => (to: string): boolean => {
  if (!keyFaults(value()).some((fault) => fault.message === UNSAVED)) return true;
  // When the page is closed or loaded anew, the browser asks itself.
  return to !== '' && (within(new URL(to, location.href).pathname) || confirm(QUESTION));
};
