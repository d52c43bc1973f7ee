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
  /** Fetches the first page anew: another list. */
  reload(): Promise<void>;
  /** Asks again for as many as are shown: none of those that are looked at vanishes. What fails is left as it was. */
  refresh(): Promise<void>;
  set(items: T[]): void;
}

/** Entries among which something is looked for here. */
const LOOKED_AT = 5_000;

/** While something is looked for in a list, all of its pages are fetched, one after another: what isn't there can't be found.
 * Answers whether some are still to come. */
export function whole(list: Pages<unknown>, wanted: () => boolean): () => boolean {
  const goesOn = () => wanted() && list.next !== null && !list.problem && list.items.length < LOOKED_AT;
  $effect(() => {
    if (goesOn() && !list.busy) void untrack(list.more);
  });
  return goesOn;
}

/** What the server gives at once, at most, and what a page has at least. */
const [MOST, LEAST] = [500, 50];
/** Entries that are asked for again; what was shown beyond them stays as it is. */
const AGAIN = 2_000;

/** The same for lists in pages: `fetcher` gets the cursor of the page, and how many are to be on it when some are asked for again. */
export function pages<T>(
  fetcher: (cursor: string | undefined, signal: AbortSignal, limit?: number) => Promise<{ items: T[]; next?: string | null }>,
): Pages<T> {
  let items = $state.raw<T[]>([]);
  let next = $state<string | null>(null);
  let busy = $state(false);
  let moreProblem = $state.raw<ApiProblem | null>(null);
  /** Which list it is: another one with each first page that is asked for. */
  let list = 0;
  /** How often it was changed here. */
  let changes = 0;
  let moving: Promise<void> | null = null;
  let refreshing: Promise<void> | null = null;
  let again = false;
  /** It was to be asked for again while the first page was on its way. */
  let missed = false;
  const first = resource(async (signal) => {
    list += 1;
    const page = await fetcher(undefined, signal);
    // A page that came too late is of a list that was left.
    if (signal.aborted) return true;
    items = page.items;
    next = page.next ?? null;
    moreProblem = null;
    if (missed) setTimeout(() => void refresh());
    missed = false;
    return true;
  });
  async function more() {
    if (!next || busy) return;
    busy = true;
    moving = move(list);
    await moving;
    moving = null;
    busy = false;
  }
  async function move(mine: number) {
    // It begins where the list ends, which a refresh may change.
    if (refreshing) await refreshing;
    try {
      if (!next || mine !== list) return;
      const page = await fetcher(next, new AbortController().signal);
      // The list was fetched anew meanwhile: this page belongs to the old one.
      if (mine !== list) return;
      items = [...items, ...page.items];
      next = page.next ?? null;
      moreProblem = null;
    } catch (error) {
      if (!aborted(error)) moreProblem = asProblem(error);
    }
  }
  function refresh(): Promise<void> {
    again = true;
    refreshing ??= refreshes().finally(() => (refreshing = null));
    return refreshing;
  }
  async function refreshes() {
    // A page that is asked for from now on waits for this.
    if (moving) await moving;
    while (again) {
      again = false;
      if (first.loading) missed = true;
      // What never came isn't asked for again.
      if (first.loading || first.data === undefined) return;
      const [mine, before] = [list, changes];
      try {
        const fresh = await shown(new AbortController().signal);
        if (mine !== list) return;
        // What was changed here meanwhile may be missing in it.
        if (before !== changes) again = true;
        else [items, next] = [fresh.items, fresh.next];
      } catch {
        return;
      }
    }
  }
  async function shown(signal: AbortSignal): Promise<{ items: T[]; next: string | null }> {
    const [had, end] = [items, next];
    const wanted = Math.min(had.length, AGAIN);
    // Where all were shown, new ones at the end are, too.
    const room = end === null ? LEAST : 0;
    const fresh: T[] = [];
    let cursor: string | undefined;
    do {
      const page = await fetcher(cursor, signal, Math.min(MOST, Math.max(LEAST, wanted - fresh.length + room)));
      fresh.push(...page.items);
      cursor = page.next ?? undefined;
    } while (cursor && fresh.length < wanted);
    return had.length > AGAIN && cursor ? { items: [...fresh, ...had.slice(fresh.length)], next: end } : { items: fresh, next: cursor ?? null };
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
    refresh,
    set(value) {
      changes += 1;
      items = value;
    },
  };
}
