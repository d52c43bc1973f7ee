// What a run's page for everybody shows: phases, components, name servers, and what there is at the end.
import { isObject } from '$lib/form';
import { filled } from '$lib/form/lookups.svelte';
import { isPage } from '../run/toDo';

export type ComponentState = 'pending' | 'installing' | 'installed' | 'degraded' | 'failed';
const STATES: readonly ComponentState[] = ['pending', 'installing', 'installed', 'degraded', 'failed'];

export interface Component {
  id: string;
  state: ComponentState;
  /** The machine that it was told of. */
  on: string;
}

const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

/** Components: those that the run has named, in their order, and what machines have said of them (`machine/component: state`). */
export function componentsOf(annotations: ReadonlyMap<string, unknown>): Component[] {
  const named = texts(annotations.get('components'));
  const found = new Map<string, Component>(named.map((id) => [id, { id, state: 'pending', on: '' }]));
  for (const [key, value] of annotations) {
    const cut = key.lastIndexOf('/');
    if (cut <= 0 || !STATES.includes(value as ComponentState)) continue;
    const [id, on] = [key.slice(cut + 1), key.slice(0, cut).split('/').pop()!];
    // Each machine says it of its own: the component is named with it then.
    const shown = named.includes(id) ? id : `${id} on ${on}`;
    found.set(shown, { id: shown, state: value as ComponentState, on });
  }
  return [...found.values()];
}

/** Other annotations as words, without what is shown elsewhere. */
export function factsOf(annotations: ReadonlyMap<string, unknown>): { label: string; value: string }[] {
  const elsewhere = ['components', 'name servers', 'DS', 'brought along'];
  return [...annotations].filter(([key, value]) => !elsewhere.includes(key) && !(key.includes('/') && STATES.includes(value as ComponentState)))
    .map(([key, value]) => ({ label: key, value: typeof value === 'string' ? value : texts(value).length ? texts(value).join(', ') : JSON.stringify(value) }))
    .filter((one) => one.value && one.value !== '[]');
}

export const nameServersOf = (annotations: ReadonlyMap<string, unknown>) => ({ servers: texts(annotations.get('name servers')), ds: texts(annotations.get('DS')) });

/** Addresses that an output has at its top, for a browser. */
export function addressesOf(output: unknown): { label: string; url: string }[] {
  if (!isObject(output)) return [];
  return Object.entries(output).flatMap(([label, value]) => {
    try {
      const url = new URL(typeof value === 'string' ? value : '');
      return ['http:', 'https:'].includes(url.protocol) && !url.username && !url.password ? [{ label, url: url.href }] : [];
    } catch {
      return [];
    }
  });
}

export interface Next {
  title: string;
  says: string;
  href: string;
}

/** What a workflow says may be done next (`x-next`), filled in with the run's input and output. */
export function nextOf(hint: unknown, input: unknown, output: unknown): Next[] {
  const known = { ...(isObject(input) ? input : {}), ...(isObject(output) ? output : {}) };
  return (Array.isArray(hint) ? hint : []).filter(isObject).flatMap((one) => {
    if (typeof one.title !== 'string') return [];
    const told = { title: one.title, says: typeof one.says === 'string' ? one.says : '' };
    if (typeof one.page === 'string') {
      const href = pageOf(one.page, known);
      return href === undefined ? [] : [{ ...told, href }];
    }
    const given = filled(one.input ?? {}, known, '/');
    return typeof one.run !== 'string' || given === undefined ? [] : [{ ...told, href: `/launch/${one.run}?input=${encodeURIComponent(JSON.stringify(given))}` }];
  });
}

/** A page of this server, whose `{name}` are filled in; none if one of them isn't known. */
function pageOf(path: string, known: Record<string, unknown>): string | undefined {
  if (!isPage(path)) return undefined;
  const missing = [...path.matchAll(/\{(\w+)\}/g)].some(([, key]) => typeof known[key!] !== 'string');
  return missing ? undefined : path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(known[key] as string));
}

export type Block = { kind: 'heading'; level: number; text: string } | { kind: 'text'; text: string } | { kind: 'table'; head: string[]; rows: string[][] } | { kind: 'list'; items: string[] };

/** As much of Markdown as reports have: headings, tables, lists, lines of text. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const cells = (line: string) => line.replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!.trim();
    const heading = /^(#{1,4}) (.*)$/.exec(line);
    if (heading) blocks.push({ kind: 'heading', level: heading[1]!.length, text: heading[2]! });
    else if (line.startsWith('|') && /^\|[\s:|-]+\|$/.test(lines[at + 1]?.trim() ?? '')) {
      const head = cells(line);
      const rows: string[][] = [];
      for (at += 1; lines[at + 1]?.trim().startsWith('|'); at += 1) rows.push(cells(lines[at + 1]!.trim()));
      blocks.push({ kind: 'table', head, rows });
    } else if (/^[-*] /.test(line)) {
      const items = [line.slice(2)];
      for (; /^[-*] /.test(lines[at + 1]?.trim() ?? ''); at += 1) items.push(lines[at + 1]!.trim().slice(2));
      blocks.push({ kind: 'list', items });
    } else if (line) blocks.push({ kind: 'text', text: line });
  }
  return blocks;
}

/** A text in pieces: what is an address becomes a link. */
export function linked(text: string): { text: string; url?: string }[] {
  return text.split(/(https?:\/\/[^\s|)]+)/).filter(Boolean).map((piece) => (/^https?:\/\//.test(piece) ? { text: piece, url: piece } : { text: piece }));
}
