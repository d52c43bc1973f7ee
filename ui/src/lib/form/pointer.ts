// JSON Pointers (RFC 6901): places in a value, as the server names them in what it refuses.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** Text that is to become JSON and isn't yet. It stays in the form, and is a fault wherever it stands. */
export class Unread {
  constructor(readonly text: string) {}
  toJSON() {
    return this.text;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Unread);

/** One step of a pointer. */
export const escape = (name: string | number) => String(name).replaceAll('~', '~0').replaceAll('/', '~1');
export const below = (pointer: string, name: string | number) => `${pointer}/${escape(name)}`;

export function split(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What stands there, or undefined. */
export function read(value: unknown, pointer: string): unknown {
  let here = value;
  for (const part of split(pointer)) {
    if (Array.isArray(here)) here = /^\d+$/.test(part) ? here[Number(part)] : undefined;
    else if (isObject(here) && Object.hasOwn(here, part)) here = here[part];
    else return undefined;
  }
  return here;
}

/** The value with something else there; undefined takes it out. What lies around it is made where it isn't there. */
export function write(value: unknown, pointer: string, next: unknown): unknown {
  const [first, ...rest] = split(pointer);
  if (first === undefined) return next;
  const under = rest.map((part) => `/${escape(part)}`).join('');
  if (Array.isArray(value)) {
    const copy = [...value];
    const index = first === '-' ? copy.length : Number(first);
    if (!Number.isInteger(index) || index < 0) return value;
    const inner = rest.length ? write(copy[index], under, next) : next;
    if (inner === undefined) copy.splice(index, 1);
    else copy[index] = inner;
    return copy;
  }
  const copy: Record<string, unknown> = isObject(value) ? { ...value } : {};
  const inner = rest.length ? write(copy[first], under, next) : next;
  if (inner === undefined) delete copy[first];
  else define(copy, first, inner);
  return copy;
}

/** Sets a property by its name, whatever the name is. */
export function define(object: Record<string, unknown>, name: string, value: unknown) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether one place is the other, or lies in it. */
export const within = (pointer: string, around: string) => pointer === around || pointer.startsWith(`${around}/`);

/** Equal as JSON: the order of properties says nothing. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || (a === 0 && b === 0)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (a instanceof Unread && b instanceof Unread) return a.text === b.text;
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a).filter((name) => a[name] !== undefined);
  const others = Object.keys(b).filter((name) => b[name] !== undefined);
  return names.length === others.length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}
