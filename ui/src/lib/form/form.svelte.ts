// What all fields of one form share: the schema, what is wrong where, and which fields a person has been in.
import { getContext, setContext } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';
import { within } from './pointer';
import type { Lookups } from './lookups.svelte';
import type { Schema } from './schema';
import type { Widgets } from './widget';
import type { Fault } from './validate';

const KEY = Symbol('form');

export interface FormState {
  readonly root: Schema;
  /** Names of secrets to choose from; null if one may not list them. */
  readonly secrets: readonly string[] | null;
  readonly disabled: boolean;
  /** All that is filled in: a field may depend on others. */
  readonly value: unknown;
  /** Fields that a schema asks for by name (`x-widget`). */
  readonly widgets: Widgets | undefined;
  /** What was looked up for fields that ask for live choices and checks. */
  readonly lookups: Lookups | undefined;
  /** What is wrong there, if it is time to say so. */
  fault(pointer: string): Fault | undefined;
  /** Somebody has been in this field. */
  touch(pointer: string): void;
}

export const provide = (state: FormState) => setContext(KEY, state);
export const form = () => getContext<FormState>(KEY);

/** Faults of the page and of the server in one table: the page's words first, and the server's where the page sees nothing. */
export class Faults {
  touched = new SvelteSet<string>();
  #pressed = false;
  #later: string[] = [];

  /** Somebody has been in this field. While a button is pressed it isn't said yet: what moves under a press makes it miss. */
  touch(pointer: string) {
    if (this.#pressed) this.#later.push(pointer);
    else this.touched.add(pointer);
  }

  press() {
    this.#pressed = true;
  }

  release() {
    this.#pressed = false;
    // The click comes after the release.
    setTimeout(() => this.#later.splice(0).forEach((pointer) => this.touched.add(pointer)));
  }

  /** By place; the first of a place counts. */
  static table(local: readonly Fault[], server: readonly Fault[]): Map<string, Fault> {
    const table = new Map<string, Fault>();
    for (const fault of local) {
      const known = table.get(fault.pointer);
      if (!known || (known.soft && !fault.soft)) table.set(fault.pointer, fault);
    }
    for (const fault of server) {
      // What the page has found further inside says more than that the whole doesn't fit.
      const inside = local.some((one) => !one.soft && within(one.pointer, fault.pointer));
      const known = table.get(fault.pointer);
      if (!inside && (!known || known.soft)) table.set(fault.pointer, { pointer: fault.pointer, message: sentence(fault.message) });
    }
    return table;
  }
}

/** The server's words as a sentence. */
export function sentence(message: string): string {
  const text = message.trim();
  if (/ is a required property$/.test(text)) return 'This is needed.';
  const first = text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
