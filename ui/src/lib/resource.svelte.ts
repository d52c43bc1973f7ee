// What a page has fetched: its data, that it is coming, or why it isn't there. Call these while a component is set up.
import { untrack } from 'svelte';
import { aborted } from './api/client';
import { session } from './session.svelte';
import { asProblem, type ApiProblem } from './api/problem';

export interface Resource<T> {
  /** What came last; stays while it is fetched anew. */
  readonly data: T | undefined;
  readonly problem: ApiProblem | null;
  readonly loading: boolean;
  /** Fetches it again. */
  reload(): Promise<void>;
  /** Puts in what is known already: the answer of a change. */
  set(data: T): void;
}

/** Fetches at once, and again when something changes that `fetcher` read before its first `await`. An answer that came too
 * late is dropped. */
export function resource<T>(fetcher: (signal: AbortSignal) => Promise<T>): Resource<T> {
  let data = $state.raw<T>();
  let problem = $state.raw<ApiProblem | null>(null);
  let loading = $state(true);
  let current: AbortController | undefined;

  async function run() {
    current?.abort();
    const mine = new AbortController();
    current = mine;
    loading = true;
    try {
      const answer = await fetcher(mine.signal);
      if (mine !== current) return;
      data = answer;
      problem = null;
    } catch (error) {
      if (mine !== current || aborted(error)) return;
      problem = asProblem(error);
    }
    loading = false;
  }
  $effect(() => {
    void run();
    return () => current?.abort();
  });
  // What was refused because the session had ended is there after the log-in. What is there stays: somebody may be changing it.
  $effect(() => {
    void session.logIns;
    if (untrack(() => problem?.code) === 'unauthenticated') void untrack(run);
  });
  return {
    get data() {
      return data;
    },
    get problem() {
      return problem;
    },
    get loading() {
      return loading;
    },
    reload: run,
    set(value) {
      data = value;
    },
  };
}

export interface Pages<T> {
  readonly items: T[];
  /** Where the next page begins; null: these are all. */
  readonly next: string | null;
  readonly problem: ApiProblem | null;
  /** Nothing has come yet. */
  readonly loading: boolean;
  /** Another page is on its way. */
  readonly busy: boolean;
  more(): Promise<void>;
  reload(): Promise<void>;
  set(items: T[]): void;
}

/** The same for lists in pages: `fetcher` gets the cursor of the page. Reloading fetches the first page. */
export function pages<T>(
  fetcher: (cursor: string | undefined, signal: AbortSignal) => Promise<{ items: T[]; next?: string | null }>,
): Pages<T> {
  let items = $state.raw<T[]>([]);
  let next = $state<string | null>(null);
  let busy = $state(false);
  let moreProblem = $state.raw<ApiProblem | null>(null);
  const first = resource(async (signal) => {
    const page = await fetcher(undefined, signal);
    items = page.items;
    next = page.next ?? null;
    moreProblem = null;
    return true;
  });
  async function more() {
    if (!next || busy) return;
    busy = true;
    const before = items;
    try {
      const page = await fetcher(next, new AbortController().signal);
      // The list was fetched anew meanwhile: this page belongs to the old one.
      if (before === items) {
        items = [...items, ...page.items];
        next = page.next ?? null;
      }
      moreProblem = null;
    } catch (error) {
      if (!aborted(error)) moreProblem = asProblem(error);
    }
    busy = false;
  }
  return {
    get items() {
      return items;
    },
    get next() {
      return next;
    },
    get problem() {
      return first.problem ?? moreProblem;
    },
    get loading() {
      return first.loading && first.data === undefined;
    },
    get busy() {
      return busy;
    },
    more,
    reload: first.reload,
    set(value) {
      items = value;
    },
  };
}
