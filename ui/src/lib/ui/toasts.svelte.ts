// Short messages about what one has just done: what happened, and what to do next.
import { untrack } from 'svelte';
import { asProblem } from '../api/problem';
import type { Tone } from '../states';

export interface Toast {
  id: number;
  tone: Extract<Tone, 'good' | 'bad' | 'warn' | 'neutral'>;
  text: string;
  detail?: string;
  /** What to do next: a link or an action. */
  next?: { label: string; href?: string; onselect?: () => void };
}

class Toasts {
  all = $state.raw<Toast[]>([]);
  #id = 0;
  /** When those that go by themselves go; none does while they are held. */
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #held = false;

  #show(toast: Omit<Toast, 'id'>, ms: number) {
    const id = (this.#id += 1);
    this.all = [...untrack(() => this.all).slice(-3), { ...toast, id }];
    if (ms) this.#closeIn(id, ms);
  }

  #closeIn(id: number, ms: number) {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(() => (this.#held ? this.#closeIn(id, ms) : this.close(id)), ms));
  }

  /** While the pointer or the focus is on them, they stay. */
  hold() {
    this.#held = true;
  }
  release() {
    this.#held = false;
    for (const id of this.#timers.keys()) this.#closeIn(id, 3_000);
  }

  good(text: string, next?: Toast['next']) {
    this.#show({ tone: 'good', text, next }, 6_000);
  }
  note(text: string, next?: Toast['next']) {
    this.#show({ tone: 'neutral', text, next }, 6_000);
  }
  /** What failed, from whatever was thrown. Stays until it is closed. */
  bad(text: string, error?: unknown, next?: Toast['next']) {
    const problem = error === undefined ? undefined : asProblem(error);
    const detail = problem && [problem.detail, problem.help].filter(Boolean).join(' — ');
    const anew = problem?.code === 'outdated' ? { label: 'Load the page again', onselect: () => location.reload() } : undefined;
    this.#show({ tone: 'bad', text, detail, next: next ?? anew }, 0);
  }
  close(id: number) {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.all = untrack(() => this.all).filter((one) => one.id !== id);
  }
}

export const toasts = new Toasts();
