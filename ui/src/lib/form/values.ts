// Values of a form: what it begins with, what typing makes of them, and what is sent.
import { asSchema, deref, effective, typesOf, isForbidden, type Schema } from './schema';
import { define, isObject, same } from './pointer';
import { isSecret } from './secrets';
import { best } from './validate';

const DEPTH = 32;

/** What a form begins with: defaults and constants, and in `given` what is known already. A required group or list is there. */
export function fresh(given: Schema | boolean | undefined, root: Schema, value?: unknown, required = true, depth = 0): unknown {
  const plain = deref(given, root);
  if (depth > DEPTH) return value;
  let now = value === undefined && !isSecret(plain) ? structuredClone(plain.default) : value;
  let schema = effective(plain, now, root);
  if (now === undefined && schema.const !== undefined && required) now = structuredClone(schema.const);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices && (required || now !== undefined) && !isTitledEnum(choices)) {
    const chosen = deref(choices[best(choices, now, root)], root);
    if (now !== undefined || typesOf(chosen).includes('object')) {
      const { oneOf: _one, anyOf: _any, ...base } = schema;
      schema = { ...base, allOf: [chosen] };
      return fresh(schema, root, now, required, depth + 1);
    }
  }
  const types = typesOf(schema);
  if (now === undefined && required) {
    if (types[0] === 'object') now = {};
    else if (types[0] === 'array') now = [];
    else if (types[0] === 'boolean' && types.length === 1) now = false;
  }
  if (isObject(now)) now = freshObject(schema, root, now, depth);
  if (Array.isArray(now)) {
    const least = Math.max(schema.minItems ?? 0, 0);
    const items = [...now];
    while (items.length < Math.min(least, 100)) items.push(undefined);
    now = items.map((item, index) => fresh(schema.prefixItems?.[index] ?? schema.items, root, item, true, depth + 1));
  }
  return now;
}

function freshObject(given: Schema, root: Schema, value: Record<string, unknown>, depth: number): Record<string, unknown> {
  let now = value;
  // What is filled in may bring conditions with fields of their own.
  for (let round = 0; round < 4; round += 1) {
    const schema = effective(given, now, root);
    const next: Record<string, unknown> = { ...now };
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const own = fresh(property, root, next[name], schema.required?.includes(name) ?? false, depth + 1);
      if (own !== undefined) define(next, name, own);
    }
    if (same(next, now)) return next;
    now = next;
  }
  return now;
}

/** A value after a change: fields that hold only since then begin with their defaults. What somebody has emptied stays empty. */
export function changed(given: Schema | boolean | undefined, root: Schema, before: unknown, after: Record<string, unknown>): Record<string, unknown> {
  const known = new Set(Object.keys(effective(given, before, root).properties ?? {}));
  let now = after;
  // What is filled in may bring conditions with fields of their own.
  for (let round = 0; round < 4; round += 1) {
    const schema = effective(given, now, root);
    const next = { ...now };
    let more = false;
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (known.has(name)) continue;
      known.add(name);
      const own = fresh(property, root, next[name], schema.required?.includes(name) ?? false, 1);
      if (own === undefined) continue;
      define(next, name, own);
      more = true;
    }
    now = next;
    if (!more) break;
  }
  return now;
}

/** `oneOf: [{ const, title }]`: a list of choices with words. */
export const isTitledEnum = (choices: (Schema | boolean)[]) => choices.every((one) => isObject(one) && one.const !== undefined);

/** What a launch is given: without fields that don't apply, empty entries, and what nobody filled in. */
export function payload(given: Schema | boolean | undefined, value: unknown, root: Schema = asSchema(given), depth = 0): unknown {
  if (depth > DEPTH) return value;
  const schema = effective(given, value, root);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => payload(schema.prefixItems?.[index] ?? schema.items, item, root, depth + 1));
    // What isn't filled in yet is null, so that the others keep their places.
    return items.map((item) => (item === undefined ? null : item));
  }
  if (!isObject(value)) return value;
  const choices = schema.oneOf ?? schema.anyOf;
  const chosen = choices ? effective(choices[best(choices, value, root)], value, root) : undefined;
  const active = { ...schema.properties, ...chosen?.properties };
  const known = declared(given, root);
  const sent: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const isActive = Object.hasOwn(active, name) && !isForbidden(both(schema.properties?.[name], chosen?.properties?.[name]), root);
    // A field of another branch stays in the form, in case somebody comes back to it, and isn't sent.
    if (!isActive && known.has(name)) continue;
    // Nor is one that the schema doesn't know any more: an earlier run's.
    if (!isActive && !takesMore(schema, name)) continue;
    const property = isActive ? both(schema.properties?.[name], chosen?.properties?.[name]) : schema.additionalProperties;
    const own = payload(property, inner, root, depth + 1);
    if (own !== undefined) define(sent, name, own);
  }
  return sent;
}

function both(a: Schema | boolean | undefined, b: Schema | boolean | undefined): Schema | boolean | undefined {
  return a === undefined ? b : b === undefined || a === b ? a : { allOf: [a, b] };
}

/** Whether a field that isn't declared may be there. */
function takesMore(schema: Schema, name: string): boolean {
  if (schema.additionalProperties !== false && schema.unevaluatedProperties !== false) return true;
  return Object.keys(schema.patternProperties ?? {}).some((pattern) => {
    try {
      return new RegExp(pattern, 'u').test(name);
    } catch {
      return true;
    }
  });
}

/** All fields that a schema knows, whatever they depend on. */
function declared(given: Schema | boolean | undefined, root: Schema, into = new Set<string>(), depth = 0): Set<string> {
  if (depth > DEPTH) return into;
  const schema = deref(given, root);
  Object.keys(schema.properties ?? {}).forEach((name) => into.add(name));
  const parts = [schema.then, schema.else, ...(schema.allOf ?? []), ...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...Object.values(schema.dependentSchemas ?? {})];
  parts.forEach((part) => part !== undefined && declared(part, root, into, depth + 1));
  return into;
}

/** Typed text as a number; text that isn't one stays, so that it can be put right. Nothing is nothing. */
export function toNumber(text: string, integer = false): number | string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const form = integer ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  if (!form.test(trimmed)) return trimmed;
  const number = Number(trimmed);
  // More digits than the browser's numbers hold would come out as another number.
  return Number.isFinite(number) && (!integer || Number.isSafeInteger(number)) ? number : trimmed;
}

/** Text from a link or a query as what the schema wants it to be. */
export function coerce(given: Schema | boolean | undefined, text: string, root: Schema): unknown {
  const schema = effective(given, undefined, root);
  const choices = schema.enum ?? (schema.oneOf && isTitledEnum(schema.oneOf) ? schema.oneOf.map((one) => (one as Schema).const) : undefined);
  const chosen = choices?.find((one) => (typeof one === 'string' ? one : JSON.stringify(one)) === text);
  if (chosen !== undefined) return chosen;
  const types = typesOf(schema);
  if (types.includes('string')) return types.includes('null') && text === 'null' ? null : text;
  if (types.includes('integer') || types.includes('number')) {
    const number = toNumber(text, !types.includes('number'));
    if (typeof number === 'number') return number;
  }
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (types.includes('null') && text === 'null') return null;
  if (types.includes('array') && types.length === 1 && !/^\s*\[/.test(text)) {
    return text === '' ? [] : text.split(',').map((part) => coerce(schema.items, part.trim(), root));
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The value without anything that the schema calls secret. */
export function withoutSecrets(given: Schema | boolean | undefined, value: unknown, root: Schema = asSchema(given), depth = 0): unknown {
  if (depth > DEPTH || value === undefined) return undefined;
  if (!isObject(value) && !Array.isArray(value)) return mentionsSecret(given, root) ? undefined : value;
  const schema = effective(given, value, root);
  if (isSecret(schema)) return undefined;
  const choices = (schema.oneOf ?? schema.anyOf ?? []).map((choice) => effective(choice, value, root));
  const parts = [schema, ...choices];
  if (Array.isArray(value)) {
    const items = value.map((item, index) => inAll(parts.map((part) => part.prefixItems?.[index] ?? part.items), item, root, depth));
    return items.some((item) => item === undefined) ? items.filter((item) => item !== undefined) : items;
  }
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const patterns = parts.flatMap((part) => Object.values(part.patternProperties ?? {}));
    const own = inAll([...parts.map((part) => part.properties?.[name] ?? part.additionalProperties), ...patterns], inner, root, depth);
    if (own !== undefined) define(kept, name, own);
  }
  return kept;
}

/** Gone if any of the schemas calls it secret. */
function inAll(schemas: (Schema | boolean | undefined)[], value: unknown, root: Schema, depth: number): unknown {
  return schemas.reduce<unknown>((left, schema) => (schema === undefined ? left : withoutSecrets(schema, left, root, depth + 1)), value);
}

/** Whether a plain value of this schema may be a secret: in any of its parts. */
function mentionsSecret(given: Schema | boolean | undefined, root: Schema, depth = 0): boolean {
  if (given === undefined || typeof given === 'boolean' || depth > DEPTH) return false;
  const schema = deref(given, root);
  if (isSecret(schema)) return true;
  const parts = [schema.if, schema.then, schema.else, ...(schema.allOf ?? []), ...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  return parts.some((part) => mentionsSecret(part, root, depth + 1));
}

/** The values that differ from what the form begins with anyway. */
export function changes(given: Schema, value: unknown): unknown {
  return difference(value, fresh(given, given));
}

function difference(value: unknown, from: unknown): unknown {
  if (same(value, from)) return undefined;
  if (!isObject(value) || !isObject(from)) return value;
  const found: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const own = difference(inner, from[name]);
    if (own !== undefined) define(found, name, own);
  }
  return found;
}
