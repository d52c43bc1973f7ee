// JSON Schema (2020-12) as a form reads it: references followed, `allOf` and conditions put together for the value at hand.
import { isSecret } from './secrets';
import { isObject, same } from './pointer';
import { fits } from './validate';

export type Type = 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'null';

export interface Schema {
  type?: Type | Type[];
  title?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  properties?: Record<string, Schema | boolean>;
  patternProperties?: Record<string, Schema | boolean>;
  additionalProperties?: Schema | boolean;
  unevaluatedProperties?: Schema | boolean;
  propertyNames?: Schema | boolean;
  required?: string[];
  minProperties?: number;
  maxProperties?: number;
  items?: Schema | boolean;
  prefixItems?: (Schema | boolean)[];
  contains?: Schema | boolean;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  oneOf?: (Schema | boolean)[];
  anyOf?: (Schema | boolean)[];
  allOf?: (Schema | boolean)[];
  not?: Schema | boolean;
  if?: Schema | boolean;
  then?: Schema | boolean;
  else?: Schema | boolean;
  dependentRequired?: Record<string, string[]>;
  dependentSchemas?: Record<string, Schema | boolean>;
  $ref?: string;
  $defs?: Record<string, Schema | boolean>;
  readOnly?: boolean;
  writeOnly?: boolean;
  deprecated?: boolean;
  'x-secret'?: unknown;
  'x-step'?: string;
  'x-widget'?: string;
  [other: string]: unknown;
}

/** References that are followed in a row, and schemas in one another. */
const DEPTH = 32;

/** Nothing may stand there: `false`, also where it is one part of several (a condition's `else`). */
export function isForbidden(given: Schema | boolean | undefined, root: Schema): boolean {
  return given === false || (given !== undefined && given !== true && same(effective(given, undefined, root).not, {}));
}

/** `true` and what isn't there take everything. */
export const asSchema = (schema: unknown): Schema => (isObject(schema) ? (schema as Schema) : schema === false ? { not: {} } : {});

/** The schema that a reference within the document names. */
function target(reference: string, root: Schema): Schema | undefined {
  if (!reference.startsWith('#')) return undefined;
  let here: unknown = root;
  for (const part of decodeURIComponent(reference.slice(1)).split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    here = Array.isArray(here) ? here[Number(name)] : isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return isObject(here) ? (here as Schema) : undefined;
}

/** The schema with its references followed; what stands beside `$ref` counts as well. */
export function deref(given: Schema | boolean | undefined, root: Schema, depth = 0): Schema {
  const schema = asSchema(given);
  if (typeof schema.$ref !== 'string' || depth > DEPTH) return schema;
  const { $ref, ...beside } = schema;
  const found = target($ref, root);
  if (!found) return beside;
  return merge(deref(found, root, depth + 1), beside);
}

const list = (type: Schema['type']) => (type === undefined ? undefined : Array.isArray(type) ? type : [type]);
const larger = (a?: number, b?: number) => (a === undefined ? b : b === undefined ? a : Math.max(a, b));
const smaller = (a?: number, b?: number) => (a === undefined ? b : b === undefined ? a : Math.min(a, b));

/** Both at once: the narrower bound, all properties, everything that either requires. */
export function merge(a: Schema, b: Schema): Schema {
  const both: Schema = { ...a, ...b };
  const types = [list(a.type), list(b.type)];
  if (types[0] && types[1]) {
    const shared = types[0].flatMap((type) => (types[1]!.includes(type) ? [type] : type === 'number' && types[1]!.includes('integer') ? ['integer' as const] : []));
    both.type = shared.length === 1 ? shared[0] : shared.length ? shared : types[1];
  }
  if (a.enum && b.enum) both.enum = a.enum.filter((one) => b.enum!.some((other) => same(one, other)));
  for (const key of ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'] as const) both[key] = larger(a[key], b[key]);
  for (const key of ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'] as const) both[key] = smaller(a[key], b[key]);
  for (const key of ['properties', 'patternProperties', 'dependentSchemas'] as const) {
    if (!a[key] || !b[key]) continue;
    const all: Record<string, Schema | boolean> = { ...a[key] };
    for (const [name, schema] of Object.entries(b[key])) {
      all[name] = Object.hasOwn(all, name) ? { allOf: [all[name]!, schema] } : schema;
    }
    both[key] = all;
  }
  if (a.items !== undefined && b.items !== undefined && a.items !== b.items) both.items = { allOf: [a.items, b.items] };
  if (a.required && b.required) both.required = [...new Set([...a.required, ...b.required])];
  if (a.dependentRequired && b.dependentRequired) both.dependentRequired = { ...a.dependentRequired, ...b.dependentRequired };
  // Two choices, conditions or `not`s can't be one: the second stays beside the first.
  const extra: Schema[] = [];
  for (const key of ['oneOf', 'anyOf', 'not'] as const) {
    if (a[key] !== undefined && b[key] !== undefined && !same(a[key], b[key])) {
      (both as Record<string, unknown>)[key] = a[key];
      extra.push({ [key]: b[key] });
    }
  }
  if (a.if !== undefined && b.if !== undefined && !same(a.if, b.if)) {
    Object.assign(both, { if: a.if, then: a.then, else: a.else });
    extra.push({ if: b.if, then: b.then, else: b.else });
  }
  if (a.allOf && b.allOf) both.allOf = [...a.allOf, ...b.allOf];
  if (extra.length) both.allOf = [...(both.allOf ?? []), ...extra];
  for (const key of Object.keys(both)) if (both[key] === undefined) delete both[key];
  return both;
}

/** What holds for this value: references, `allOf`, conditions and dependencies put together. Choices stay choices. */
export function effective(given: Schema | boolean | undefined, value: unknown, root: Schema, depth = 0): Schema {
  let schema = deref(given, root);
  if (depth > DEPTH) return schema;
  if (schema.allOf) {
    const { allOf, ...rest } = schema;
    schema = allOf.reduce<Schema>((sum, part) => merge(sum, effective(part, value, root, depth + 1)), rest);
  }
  if (schema.if !== undefined) {
    const { if: condition, then, else: otherwise, ...rest } = schema;
    const branch = fits(condition, completed(schema, value, root), root) ? then : otherwise;
    schema = branch === undefined ? rest : merge(rest, effective(branch, value, root, depth + 1));
  }
  if (schema.dependentSchemas) {
    const { dependentSchemas, ...rest } = schema;
    const present = Object.entries(dependentSchemas).filter(([name]) => isObject(value) && value[name] !== undefined);
    schema = present.reduce<Schema>((sum, [, part]) => merge(sum, effective(part, value, root, depth + 1)), rest);
  }
  if (schema.dependentRequired && isObject(value)) {
    const more = Object.entries(schema.dependentRequired).filter(([name]) => value[name] !== undefined).flatMap(([, names]) => names);
    if (more.length) schema = { ...schema, required: [...new Set([...(schema.required ?? []), ...more])] };
  }
  return asked(schema, value, root);
}

/** Without the fields that `x-only-if` doesn't ask for now: a form neither shows nor sends them, though a server would take them. */
function asked(schema: Schema, value: unknown, root: Schema): Schema {
  const conditions = Object.entries(schema.properties ?? {}).filter(([, one]) => isObject(asSchema(one)['x-only-if']));
  if (conditions.length === 0 || !isObject(value)) return schema;
  const whole = completed(schema, value, root) as Record<string, unknown>;
  const holds = (condition: unknown) =>
    Object.entries(condition as Record<string, unknown>).every(([name, ones]) => Array.isArray(ones) && ones.some((one) => same(one, whole[name])));
  const others = conditions.filter(([, one]) => !holds(asSchema(one)['x-only-if']));
  return others.length ? { ...schema, properties: { ...schema.properties, ...Object.fromEntries(others.map(([name]) => [name, false])) } } : schema;
}

/** The value with the defaults that the server will put in: conditions look at it so. */
export function completed(schema: Schema, value: unknown, root: Schema): unknown {
  if (!isObject(value)) return value;
  const whole: Record<string, unknown> = { ...value };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const own = asSchema(property);
    if (whole[name] === undefined && own.default !== undefined) whole[name] = own.default;
    if (isObject(whole[name])) whole[name] = completed(own, whole[name], root);
  }
  return whole;
}

/** The types that a value may have; inferred where the schema names none. */
export function typesOf(schema: Schema): Type[] {
  const named = list(schema.type);
  if (named) return named;
  const samples = schema.const !== undefined ? [schema.const] : schema.enum;
  if (samples) return [...new Set(samples.map(typeOf))];
  if (schema.properties || schema.additionalProperties !== undefined || schema.patternProperties) return ['object'];
  if (schema.items !== undefined || schema.prefixItems) return ['array'];
  if (schema.pattern !== undefined || schema.minLength !== undefined || schema.maxLength !== undefined || schema.format !== undefined) return ['string'];
  if (schema.minimum !== undefined || schema.maximum !== undefined || schema.multipleOf !== undefined) return ['number'];
  return isSecret(schema) ? ['string'] : [];
}

export function typeOf(value: unknown): Type {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'boolean';
  return 'object';
}

/** Names of fields in the order of a form: `x-order` of the group or the fields, then what is required, then the rest. (A script's
 * maps know no order.) */
export function inOrder(names: readonly string[], schema: Schema): string[] {
  const listed = Array.isArray(schema['x-order']) ? (schema['x-order'] as unknown[]) : [];
  const required = schema.required ?? [];
  const place = (name: string): number => {
    const own = asSchema(schema.properties?.[name])['x-order'];
    if (typeof own === 'number') return own - 1_000_000;
    if (listed.includes(name)) return listed.indexOf(name) - 100_000;
    return required.includes(name) ? required.indexOf(name) - 10_000 : 0;
  };
  return [...names].sort((a, b) => place(a) - place(b));
}

/** `dns_zone` → `Dns zone`, where a schema gives no title. */
export function titleOf(schema: Schema, name: string): string {
  if (schema.title) return schema.title;
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ').trim();
  return words ? words[0]!.toUpperCase() + words.slice(1) : name;
}
