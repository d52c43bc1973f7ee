// A lab's document as text: read for the picture, and edited without losing comments or order. Copies (`count`) are shown one by one;
// who edits one of them finds all of them written out.
import { Document, isCollection, isMap, isScalar, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';

export type Part = 'nodes' | 'networks' | 'links';
export type Values = Record<string, unknown>;

/** An entry with its copies made: where it stands in the text, and which copy it is. */
export interface Entry {
  value: Values;
  index: number;
  copy: number | null;
}
export interface Read {
  name: string;
  title: string;
  entries: Record<Part, Entry[]>;
  groups: Map<string, Values>;
  checks: Values[];
  drills: Values[];
  /** Why it can't be read; the rest is empty then. */
  fault: { message: string; line: number; column: number } | null;
}

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);
const objects = (value: unknown): Values[] => (Array.isArray(value) ? value.filter(isObject) : []);
const COPIES = 1_000;

/** `{n}`, `{n+1}`, `{n-1}` in all texts of a value. */
function numbered<T>(value: T, number: number): T {
  if (typeof value === 'string') {
    return value.replace(/\{n(?:([+-])(\d{1,9}))?\}/g, (_, sign: string | undefined, by: string) => String(number + (sign ? Number(sign + by) : 0))) as T;
  }
  if (Array.isArray(value)) return value.map((one) => numbered(one, number)) as T;
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, numbered(one, number)])) as T;
  return value;
}

function copiesOf(value: Values): Values[] | null {
  const count = value.count;
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 1) return null;
  const { count: _, ...rest } = value;
  return Array.from({ length: Math.min(count, COPIES) }, (_, at) => numbered(rest, at + 1));
}

const parsed = (text: string) => parseDocument(text, { prettyErrors: false, strict: false });

/** What a text says. */
export function read(text: string): Read {
  const document = parsed(text);
  const none: Read = { name: '', title: '', entries: { nodes: [], networks: [], links: [] }, groups: new Map(), checks: [], drills: [], fault: null };
  const error = document.errors[0];
  if (error) {
    const before = text.slice(0, error.pos[0]).split('\n');
    return { ...none, fault: { message: error.message, line: before.length, column: before.at(-1)!.length + 1 } };
  }
  let whole: unknown;
  try {
    whole = document.toJS({ maxAliasCount: 1_000 });
  } catch (problem) {
    return { ...none, fault: { message: problem instanceof Error ? problem.message : String(problem), line: 1, column: 1 } };
  }
  if (!isObject(whole)) return { ...none, fault: { message: 'a document is a map: `name: demo`, `nodes: …`', line: 1, column: 1 } };
  const entries = (part: Part): Entry[] =>
    (Array.isArray(whole[part]) ? (whole[part] as unknown[]) : []).flatMap((value, index): Entry[] => {
      if (!isObject(value)) return [];
      return copiesOf(value)?.map((copy, number) => ({ value: copy, index, copy: number })) ?? [{ value, index, copy: null }];
    });
  return {
    name: typeof whole.name === 'string' ? whole.name : '',
    title: typeof whole.title === 'string' ? whole.title : '',
    entries: { nodes: entries('nodes'), networks: entries('networks'), links: entries('links') },
    groups: new Map(objects(whole.groups).map((group) => [String(group.name), isObject(group.node) ? group.node : {}])),
    checks: objects(whole.checks),
    drills: objects(whole.drills),
    fault: null,
  };
}

/** A document's whole value, as `lab/deploy` takes it. */
export const valueOf = (text: string): Values => parsed(text).toJS({ maxAliasCount: 1_000 }) as Values;

/** A document that is being changed. */
export class Draft {
  readonly #document: Document.Parsed | Document;
  readonly #json: boolean;

  constructor(text: string) {
    this.#json = /^\s*\{/.test(text) && isJson(text);
    this.#document = this.#json ? new Document(JSON.parse(text)) : parsed(text);
    if (!isMap(this.#document.contents)) this.#document.contents = this.#document.createNode({}) as never;
  }

  get text(): string {
    if (this.#json) return `${JSON.stringify(this.#document.toJS(), null, 2)}\n`;
    return this.#document.toString({ lineWidth: 0, flowCollectionPadding: true });
  }

  #part(part: string): YAMLSeq {
    const found = this.#document.get(part, true);
    if (isSeq(found)) return found;
    const made = this.#document.createNode([]) as YAMLSeq;
    this.#document.set(part, made);
    return made;
  }

  /** Where an entry stands, after its copies have been written out. */
  #at(part: Part, entry: Entry): number {
    if (entry.copy === null) return entry.index;
    const list = this.#part(part);
    const item = list.items[entry.index];
    const copies = isCollection(item) ? copiesOf(item.toJSON() as Values) : null;
    // Written out already, by another change of the same edit.
    if (copies) list.items.splice(entry.index, 1, ...copies.map((copy) => this.#made(copy)));
    return entry.index + entry.copy;
  }

  /** A new entry, written as people do: what is short stands on one line. */
  #made(value: Values) {
    const made = this.#document.createNode(value) as YAMLMap;
    const shorten = (node: unknown) => {
      if (!isCollection(node)) return;
      const short = JSON.stringify(node.toJSON()).length < 90 && !node.items.some((one) => isScalar(one) && String(one.value).includes('\n'));
      if (short) node.flow = true;
      else for (const item of node.items as unknown[]) shorten((item as { value?: unknown }).value ?? item);
    };
    for (const item of made.items) shorten(item.value);
    return made;
  }

  add(part: Part, value: Values) {
    const list = this.#part(part);
    if (!list.items.length) list.flow = false;
    list.items.push(this.#made(value));
  }

  /** Sets what a path of an entry says; `undefined` takes it out, and what is empty then. */
  set(part: Part, entry: Entry, path: readonly (string | number)[], value: unknown) {
    const whole = [part, this.#at(part, entry), ...path];
    if (value === undefined) {
      this.#document.deleteIn(whole);
      return;
    }
    const made = this.#document.createNode(value);
    if (isCollection(made) && JSON.stringify(value).length < 90) made.flow = true;
    this.#document.setIn(whole, made);
  }

  remove(part: Part, entries: readonly Entry[]) {
    // What has a number first, so that the others stay where they are.
    const places = entries.map((entry) => this.#at(part, entry));
    const list = this.#part(part);
    for (const place of places.sort((a, b) => b - a)) list.items.splice(place, 1);
    if (!list.items.length) this.#document.delete(part);
  }

  /** Takes out checks and drills that a test picks. */
  drop(part: 'checks' | 'drills', test: (value: Values) => boolean) {
    const list = this.#document.get(part, true);
    if (!isSeq(list)) return;
    list.items = list.items.filter((item) => !(isCollection(item) && test(item.toJSON() as Values)));
    if (!list.items.length) this.#document.delete(part);
  }

  /** Changes every text that a function gives another for, in checks, drills, and consoles. */
  rename(part: 'checks' | 'drills', change: (value: Values) => Values) {
    const list = this.#document.get(part, true);
    if (!isSeq(list)) return;
    list.items = list.items.map((item) => {
      if (!isCollection(item)) return item;
      const before = item.toJSON() as Values;
      const after = change(before);
      return JSON.stringify(before) === JSON.stringify(after) ? item : this.#made(after);
    });
  }

  put(key: string, value: unknown) {
    if (value === undefined) this.#document.delete(key);
    else this.#document.set(key, value);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Line and column (from 1) of what a JSON Pointer names, where the text has it. */
export function placeOf(text: string, pointer: string): { line: number; column: number } | null {
  const document = parsed(text);
  const path = pointer.split('/').slice(1).map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length).map((word) => (/^\d+$/.test(word) ? Number(word) : word)), true) as { range?: [number, number, number] } | undefined;
    if (node?.range) {
      const before = text.slice(0, node.range[0]).split('\n');
      return { line: before.length, column: before.at(-1)!.length + 1 };
    }
  }
  return null;
}
