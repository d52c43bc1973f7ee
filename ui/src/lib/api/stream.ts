// Follows a stream of events and never loses one: after a break it goes on behind the last one that came, and says how many
// it caught up. A hidden page lets go of its connection, because browsers allow only a few.
import type { components } from './schema';
import { ApiProblem, problemOf, unreachable } from './problem';
import { Parser } from './sse';

type Event = components['schemas']['Event'];

export type StreamState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  /** The connection broke; the next try is at `retryAt` (milliseconds since 1970). */
  | { kind: 'waiting'; retryAt: number; problem: ApiProblem }
  /** Everything was told: there is nothing more to come. */
  | { kind: 'done' }
  /** It can't be followed: say why, and offer a button that calls `retry()`. */
  | { kind: 'refused'; problem: ApiProblem };

export interface FollowOptions {
  /** Where to begin: the id after which one wants to hear. */
  after?: string | number;
  /** Events as they come, several at once if several came at once. Never empty. */
  onEvents: (events: Event[]) => void;
  onState?: (state: StreamState) => void;
  /** After a break that was seen: how many events were caught up. */
  onCaughtUp?: (count: number) => void;
  /** With `done`, the run's last state. */
  onDone?: (data: unknown) => void;
}

export interface Following {
  close(): void;
  /** Tries again now. */
  retry(): void;
  /** The id of the last event that came. */
  readonly cursor: string | undefined;
}

/** What the window is told when somebody has logged in (again). */
export const LOGGED_IN = 'windlass:logged-in';
/** Milliseconds of silence after which a connection is thought dead: the server shows itself every 15 s. */
const SILENCE = 45_000;
/** Milliseconds without an event that show that everything missed has come. */
const LULL = 300;
/** Milliseconds before the second try of one that never was there: a page waits for it, and mostly only the network changed. */
const AT_FIRST = 300;
/** Milliseconds after which a hidden page lets go. */
const HIDDEN = 10_000;

/** Follows `path` (`/runs/{id}/events?…`, below /api/v1) until it is closed or done. */
export function follow(path: string, options: FollowOptions): Following {
  let cursor = options.after === undefined ? undefined : String(options.after);
  let closed = false;
  let over = false;
  let refused = false;
  let paused = false;
  let attempts = 0;
  let reached = false;
  let broke = false;
  let caught = 0;
  let connection: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lull: ReturnType<typeof setTimeout> | undefined;
  let hidden: ReturnType<typeof setTimeout> | undefined;

  const state = (next: StreamState) => !closed && options.onState?.(next);
  const finish = () => {
    over = true;
    state({ kind: 'done' });
  };

  const tellCaughtUp = () => {
    if (!broke) return;
    broke = false;
    options.onCaughtUp?.(caught);
    caught = 0;
  };

  async function connect() {
    clearTimeout(timer);
    if (closed || over || paused) return;
    const mine = new AbortController();
    connection?.abort();
    connection = mine;
    state({ kind: 'connecting' });
    let retry: number | undefined;
    let silence: ReturnType<typeof setTimeout> | undefined;
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (cursor !== undefined) headers['last-event-id'] = cursor;
      const response = await fetch(`/api/v1${path}`, { headers, signal: mine.signal, credentials: 'same-origin', cache: 'no-store' });
      if (response.status === 204) return finish();
      if (!response.ok || !response.body) throw await problemOf(response);
      // What happens after this wasn't missed. Where something happens all the time there is no lull. (The header knows seconds only.)
      const present = (Date.parse(response.headers.get('date') ?? '') || Date.now()) + 1_000;
      state({ kind: 'live' });
      reached = true;
      attempts = 0;
      const parser = new Parser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      const hear = () => {
        clearTimeout(silence);
        silence = setTimeout(() => mine.abort(), SILENCE);
      };
      hear();
      clearTimeout(lull);
      lull = setTimeout(tellCaughtUp, LULL * 3);
      for (;;) {
        const { done, value } = await reader.read();
        if (mine !== connection || closed) return;
        if (done) break;
        hear();
        const frames = parser.push(decoder.decode(value, { stream: true }));
        cursor = parser.lastId ?? cursor;
        retry = parser.retry ?? retry;
        const events = frames.filter((frame) => frame.event !== 'done').map((frame) => JSON.parse(frame.data) as Event);
        if (events.length) {
          if (broke) {
            caught += events.filter((event) => event.at_ms <= present).length;
            clearTimeout(lull);
            if (events.at(-1)!.at_ms > present) tellCaughtUp();
            else lull = setTimeout(tellCaughtUp, LULL);
          }
          options.onEvents(events);
        }
        const last = frames.find((frame) => frame.event === 'done');
        if (last) {
          clearTimeout(lull);
          tellCaughtUp();
          options.onDone?.(JSON.parse(last.data));
          return finish();
        }
      }
      throw unreachable();
    } catch (error) {
      if (mine !== connection || closed || paused) return;
      const problem = error instanceof ApiProblem ? error : unreachable();
      const temporary = problem.status === 0 || problem.status === 429 || problem.status >= 500;
      if (!temporary) {
        refused = true;
        return state({ kind: 'refused', problem });
      }
      broke = true;
      clearTimeout(lull);
      attempts += 1;
      // Not all at once when a server comes back.
      const usual = !reached && attempts === 1 && problem.status === 0 ? AT_FIRST : Math.min(retry ?? 1_000, 2_000) * Math.min(2 ** (attempts - 1), 8);
      const wait = problem.retryAfter ? problem.retryAfter * 1_000 : usual;
      const delay = Math.round(wait * (0.75 + Math.random() / 2));
      state({ kind: 'waiting', retryAt: Date.now() + delay, problem });
      timer = setTimeout(connect, delay);
    } finally {
      clearTimeout(silence);
    }
  }

  const seen = () => {
    clearTimeout(hidden);
    if (document.visibilityState === 'hidden') {
      hidden = setTimeout(() => {
        paused = true;
        connection?.abort();
        clearTimeout(timer);
      }, HIDDEN);
    } else if (paused) {
      paused = false;
      void connect();
    }
  };
  document.addEventListener('visibilitychange', seen);
  window.addEventListener('online', retry);
  window.addEventListener(LOGGED_IN, again);

  function retry() {
    if (closed || over) return;
    attempts = 0;
    paused = false;
    refused = false;
    void connect();
  }
  function again() {
    if (refused) retry();
  }

  function close() {
    closed = true;
    for (const one of [timer, lull, hidden]) clearTimeout(one);
    connection?.abort();
    document.removeEventListener('visibilitychange', seen);
    window.removeEventListener('online', retry);
    window.removeEventListener(LOGGED_IN, again);
  }

  void connect();
  return {
    close,
    retry,
    get cursor() {
      return cursor;
    },
  };
}
