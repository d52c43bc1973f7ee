// The files of a part of the interface, before it is imported. Vite has each dynamic import of a build go through here (vite.config.ts).
// Chromium remembers for as long as a page lives that a module, or one that it needs, couldn't be fetched, and gives up what is under way as
// soon as an address comes or goes on its machine. So files are fetched first, again if they are lost; the import finds them in the
// browser's cache, as their names change with their contents. A connection that hangs loses them, too, only that nobody says so.
import { again, unlessSilent } from './again';

/** A file that couldn't be had. `status`: what the server answered; 0: nothing, or not all of it. */
export class Missing extends Error {
  constructor(
    readonly file: string,
    readonly status = 0,
  ) {
    super(`${file} couldn’t be fetched`);
  }
}

/** Files by address: on their way, or there. */
const files = new Map<string, Promise<void>>();

/** Fetches a part's files, then imports it. What failed may be tried again: nothing remembers it. */
export async function preload<T>(part: () => Promise<T>, needed: readonly string[] = []): Promise<T> {
  await Promise.all(needed.map((file) => once(new URL(`/${file}`, location.href).href)));
  return part();
}

function once(href: string): Promise<void> {
  const known = files.get(href);
  if (known) return known;
  const isStyle = href.endsWith('.css');
  const coming = has(href, isStyle) ? Promise.resolve() : again(() => (isStyle ? style(href) : file(href)), { lost });
  files.set(href, coming);
  coming.catch(() => files.delete(href));
  return coming;
}

/** Nothing came, or a proxy says that the server is away for a moment. */
const lost = (error: unknown) => !(error instanceof Missing) || error.status === 0 || (error.status >= 502 && error.status <= 504);

/** What the page itself names. */
function has(href: string, isStyle: boolean): boolean {
  if (isStyle) return [...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')].some((one) => one.href === href && isThere(one));
  return [...document.querySelectorAll<HTMLLinkElement>('link[rel=modulepreload]')].some((one) => one.href === href);
}

/** Chromium gives an element whose stylesheet was lost an empty one. */
function isThere({ sheet }: HTMLLinkElement): boolean {
  try {
    return sheet !== null && sheet.cssRules.length > 0;
  } catch {
    return false;
  }
}

/** Files that are on their way. They share few connections: as long as one of them gets on, those that wait for theirs aren't lost. */
const onTheirWay = new Set<() => void>();
const getsOn = () => onTheirWay.forEach((hear) => hear());

/** To its end: half a file isn't kept. */
async function file(href: string): Promise<void> {
  let status = 0;
  const came = await unlessSilent(async ({ signal, hear }) => {
    onTheirWay.add(hear);
    try {
      const answer = await fetch(href, { signal });
      if (!answer.ok) {
        status = answer.status;
        return false;
      }
      const reader = answer.body?.getReader();
      do getsOn();
      while (reader && !(await reader.read()).done);
      return true;
    } finally {
      onTheirWay.delete(hear);
    }
  }).catch(() => false);
  if (!came) throw new Missing(href, status);
}

/** Fetched as other files are, and then put in the page: Chromium doesn't end a stylesheet's request with its element, and has the next
 * element of that address wait for the same answer, which never comes if the connection hangs. */
async function style(href: string): Promise<void> {
  await file(href);
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.crossOrigin = '';
  link.href = href;
  const put = () => new Promise<void>((resolve, reject) => {
    link.onload = () => resolve();
    link.onerror = reject;
    document.head.append(link);
  });
  await unlessSilent(put).catch(() => {
    link.remove();
    throw new Missing(href);
  });
}

/** The page's own stylesheets, if they were lost. Those that are still on their way come once, for both. */
export function mend(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')) {
    if (isThere(link)) continue;
    void once(link.href).then(() => link.remove(), () => {});
  }
}
