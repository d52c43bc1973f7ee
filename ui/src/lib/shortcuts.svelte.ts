// Keys that do something, on this page or everywhere; `?` lists them. Parts that register keys take them away when they go.
import { untrack } from 'svelte';

export interface Shortcut {
  /** One key (`?`, `j`), two one after the other (`g r`), or with a modifier (`Mod+k`: ⌘ or Ctrl; `Shift+Enter`). */
  keys: string;
  /** What it does, for the list. */
  label: string;
  /** Under which heading it is listed; `This page` if nothing is said. */
  group?: string;
  action: (event: KeyboardEvent) => void;
  /** Also while one types into a field. */
  inFields?: boolean;
}

const writes = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type));

/** The name of what was pressed, as `keys` write it. */
export function nameOf(event: KeyboardEvent): string {
  const key = event.key === ' ' ? 'Space' : event.key.length === 1 && (event.ctrlKey || event.metaKey) ? event.key.toLowerCase() : event.key;
  const named = event.key.length > 1 && event.key !== ' ';
  return `${event.ctrlKey || event.metaKey ? 'Mod+' : ''}${event.altKey ? 'Alt+' : ''}${event.shiftKey && (named || event.ctrlKey || event.metaKey) ? 'Shift+' : ''}${key}`;
}

class Shortcuts {
  all = $state.raw<Shortcut[]>([]);
  #before = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** In a component: `$effect(() => shortcuts.add([{ keys: 'f', label: 'Jump to the first failure', action }]))`. */
  add(shortcuts: Shortcut[]): () => void {
    // Whoever adds in an effect isn't to run again when others add.
    const before = untrack(() => this.all);
    this.all = [...before, ...shortcuts];
    return () => (this.all = untrack(() => this.all).filter((one) => !shortcuts.includes(one)));
  }

  pressed(event: KeyboardEvent) {
    if (event.defaultPrevented || event.isComposing || ['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return;
    const name = nameOf(event);
    // In a shadow root, as the editor is, `target` is only its host.
    const typing = writes(event.composedPath()[0] ?? event.target);
    const modal = document.querySelector('dialog[open]') !== null;
    const both = this.#before ? `${this.#before} ${name}` : name;
    const fits = (keys: string) => (one: Shortcut) => one.keys === keys && (one.inFields || (!typing && !modal));
    // What was registered last goes first: a page may take over a key.
    const found = this.all.findLast(fits(both)) ?? this.all.findLast(fits(name));
    clearTimeout(this.#timer);
    this.#before = '';
    if (found) {
      event.preventDefault();
      found.action(event);
    } else if (!typing && !modal && this.all.some((one) => one.keys.startsWith(`${name} `))) {
      this.#before = name;
      this.#timer = setTimeout(() => (this.#before = ''), 1_200);
    }
  }
}

export const shortcuts = new Shortcuts();
