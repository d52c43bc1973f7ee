// Where one is: the address bar is the state. Paths are matched as the API's are: `{id}` is a segment, `{name*}` the rest.
import { tick, untrack } from 'svelte';

export type Params = Record<string, string>;
export type QueryChange = Record<string, string | number | boolean | null | undefined>;

/** The parameters of a path that fits, or null. */
export function match(pattern: string, path: string): Params | null {
  const names: string[] = [];
  const source = pattern
    .split('/')
    .map((segment) => {
      const name = /^\{(\w+)(\*?)\}$/.exec(segment);
      if (!name) return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(name[1]!);
      return name[2] ? '(.+)' : '([^/]+)';
    })
    .join('/');
  const found = new RegExp(`^${source}/?$`).exec(path);
  if (!found) return null;
  try {
    return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(found[index + 1]!)]));
  } catch {
    return null;
  }
}

/** The path of a page: `href('/runs/{id}', { id })`, with what stands behind the question mark. */
export function href(pattern: string, params: Record<string, string> = {}, query: QueryChange = {}): string {
  const path = pattern.replace(/\{(\w+)\*?\}/g, (_, name: string) => encodeURIComponent(params[name] ?? '').replaceAll('%2F', '/'));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  return search.size ? `${path}?${search}` : path;
}

type Guard = (to: string) => boolean;

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  hash = $state(location.hash);
  /** Rises with every change of page, to move the focus. */
  visits = $state(0);
  #guards = new Set<Guard>();
  #position = (history.state as { position?: number } | null)?.position ?? 0;
  #scrolls = new Map<number, number>();

  /** What stands behind the question mark; read it in `$derived` and it follows. */
  get query(): URLSearchParams {
    return new URLSearchParams(this.search);
  }

  start() {
    history.scrollRestoration = 'manual';
    history.replaceState({ position: this.#position }, '');
    // Without a state: somebody changed what stands behind the # in the address bar.
    addEventListener('popstate', (event) => this.#popped((event.state as { position?: number } | null)?.position ?? this.#position));
    addEventListener('click', (event) => this.#clicked(event));
    addEventListener('beforeunload', (event) => {
      if ([...this.#guards].some((guard) => !guard(''))) event.preventDefault();
    });
  }

  /** Goes to a page of ours. */
  go(to: string, { replace = false } = {}) {
    // An effect that goes somewhere doesn't follow where one is.
    untrack(() => this.#go(to, replace));
  }

  #go(to: string, replace: boolean) {
    const url = new URL(to, location.href);
    if (url.pathname !== this.path && !this.#mayLeave(to)) return;
    this.#scrolls.set(this.#position, scrollY);
    if (!replace) this.#position += 1;
    history[replace ? 'replaceState' : 'pushState']({ position: this.#position }, '', url);
    const another = url.pathname !== this.path;
    this.#read();
    if (another) {
      scrollTo(0, 0);
      this.visits += 1;
    }
  }

  /** Changes parts of the query string; null or empty takes one out. By default without an entry in the history. */
  setQuery(change: QueryChange, { push = false } = {}) {
    const query = untrack(() => this.query);
    for (const [name, value] of Object.entries(change)) {
      if (value === null || value === undefined || value === '') query.delete(name);
      else query.set(name, String(value));
    }
    const search = query.toString();
    const { path, hash } = untrack(() => ({ path: this.path, hash: this.hash }));
    this.go(`${path}${search ? `?${search}` : ''}${hash}`, { replace: !push });
  }

  /** Asks before the page is left: a guard answers whether it may be. Answers the function that takes the guard away. */
  guard(guard: Guard): () => void {
    this.#guards.add(guard);
    return () => this.#guards.delete(guard);
  }

  #mayLeave(to: string): boolean {
    return [...this.#guards].every((guard) => guard(to));
  }

  #read() {
    this.path = location.pathname;
    this.search = location.search;
    this.hash = location.hash;
  }

  async #popped(position: number) {
    if (location.pathname !== this.path && !this.#mayLeave(location.pathname)) {
      history.go(this.#position - position);
      return;
    }
    this.#scrolls.set(this.#position, scrollY);
    this.#position = position;
    const another = location.pathname !== this.path;
    this.#read();
    if (another) this.visits += 1;
    await tick();
    scrollTo(0, this.#scrolls.get(position) ?? 0);
  }

  /** Links of ours change the page without loading it. */
  #clicked(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/')) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash, { replace: link.href === location.href });
    // A place on the page that is there already.
    const place = link.hash ? document.getElementById(decodeURIComponent(link.hash.slice(1))) : null;
    if (place) {
      place.focus();
      place.scrollIntoView();
    }
  }
}

export const router = new Router();
