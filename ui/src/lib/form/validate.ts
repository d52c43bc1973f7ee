// Checks a value as one types it, in plain words. It isn't the last word: the server checks the same with all of JSON Schema.
import { misformed } from './formats';
import { below, isObject, same, Unread } from './pointer';
import { asSchema, effective, typeOf, typesOf, type Schema, type Type } from './schema';
import { isName, isSecret } from './secrets';
import { checks, tooClose, type Colours } from '$lib/theme/colours';

export interface Fault {
  /** JSON Pointer into the value. */
  pointer: string;
  message: string;
  /** It looks wrong, and the server may take it all the same. */
  soft?: boolean;
}

const DEPTH = 32;

/** Whether the value fits; formats don't count. */
export const fits = (schema: Schema | boolean | undefined, value: unknown, root: Schema): boolean =>
  schema === undefined || schema === true || (schema !== false && faultsOf(schema, value, root).every((fault) => fault.soft));

const words: Record<Type, string> = {
  string: 'text', number: 'a number', integer: 'a whole number', boolean: 'yes or no', object: 'a group of fields', array: 'a list', null: 'nothing',
};
const isType = (type: Type, value: unknown) => {
  const actual = typeOf(value);
  return actual === type || (type === 'number' && actual === 'integer');
};
export const shown = (value: unknown) => (typeof value === 'string' ? `“${value}”` : JSON.stringify(value));
const several = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Everything that doesn't fit. */
export function faultsOf(given: Schema | boolean | undefined, value: unknown, root: Schema, pointer = '', depth = 0): Fault[] {
  if (depth > DEPTH || value === undefined) return [];
  if (value instanceof Unread) return [{ pointer, message: 'This isn’t JSON yet: a bracket or a quote is missing.' }];
  const schema = effective(given, value, root);
  const at = (message: string, soft = false): Fault => (soft ? { pointer, message, soft } : { pointer, message });
  if (isSecret(schema)) {
    if (value === null && (!schema.type || typesOf(schema).includes('null'))) return [];
    return typeof value === 'string' && isName(value) ? [] : [at('Takes the name of a stored secret: letters, digits and _ - . / only.')];
  }
  const types = typesOf(schema);
  const named = schema.type !== undefined ? types : [];
  if (named.length && !named.some((type) => isType(type, value))) return [at(`Has to be ${named.filter((type) => type !== 'null').map((type) => words[type]).join(' or ') || 'empty'}.`)];
  const found: Fault[] = [];
  if (schema.const !== undefined && !same(schema.const, value)) found.push(at(`Has to be ${shown(schema.const)}.`));
  if (schema.enum && !schema.enum.some((one) => same(one, value))) found.push(at('Has to be one of the choices.'));
  if (typeof value === 'string') found.push(...textFaults(schema, value, at));
  if (typeof value === 'number') found.push(...numberFaults(schema, value, at));
  if (Array.isArray(value)) found.push(...listFaults(schema, value, root, pointer, depth, at));
  if (isObject(value)) found.push(...objectFaults(schema, value, root, pointer, depth, at));
  if (schema.not !== undefined && fits(schema.not, value, root)) {
    found.push(at(same(schema.not, {}) ? 'Nothing may stand here.' : 'This isn’t allowed here.'));
  }
  for (const key of ['oneOf', 'anyOf'] as const) {
    const choices = schema[key];
    if (choices) found.push(...choiceFaults(choices, value, root, pointer, depth, at, key === 'oneOf'));
  }
  return found;
}

type At = (message: string, soft?: boolean) => Fault;

function textFaults(schema: Schema, text: string, at: At): Fault[] {
  const found: Fault[] = [];
  const length = [...text].length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    found.push(at(schema.minLength === 1 ? 'Can’t be empty.' : `Needs at least ${several(schema.minLength, 'character')}; these are ${length}.`));
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) found.push(at(`At most ${several(schema.maxLength, 'character')}; these are ${length}.`));
  if (schema.pattern !== undefined && !matches(schema.pattern, text)) {
    const help = typeof schema['x-pattern-help'] === 'string' ? schema['x-pattern-help'] : `Has to match ${schema.pattern}`;
    found.push(at(help));
  }
  for (const [place, by] of Object.entries(isObject(schema['x-replace']) ? schema['x-replace'] : {})) {
    if (text.includes(place)) found.push(at(`Replace ${place} by ${String(by)}.`, true));
  }
  const wrong = schema.format === undefined ? null : misformed(schema.format, text);
  if (wrong) found.push(at(wrong, true));
  return found;
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    // The server's expressions know more than the browser's: let it judge.
    return true;
  }
}

function numberFaults(schema: Schema, value: number, at: At): Fault[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && maximum !== undefined && (value < minimum || value > maximum)) return [at(`Has to be from ${minimum} to ${maximum}.`)];
  const found: Fault[] = [];
  if (minimum !== undefined && value < minimum) found.push(at(`Has to be at least ${minimum}.`));
  if (maximum !== undefined && value > maximum) found.push(at(`Has to be at most ${maximum}.`));
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) found.push(at(`Has to be more than ${exclusiveMinimum}.`));
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) found.push(at(`Has to be less than ${exclusiveMaximum}.`));
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) found.push(at(`Has to be a multiple of ${multipleOf}.`));
  return found;
}

/** 0.3 is a multiple of 0.1, whatever binary fractions say. */
function isMultiple(value: number, of: number): boolean {
  const times = value / of;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

function listFaults(schema: Schema, value: unknown[], root: Schema, pointer: string, depth: number, at: At): Fault[] {
  const found: Fault[] = [];
  if (schema.minItems !== undefined && value.length < schema.minItems) found.push(at(`Needs at least ${several(schema.minItems, 'entry', 'entries')}.`));
  if (schema.maxItems !== undefined && value.length > schema.maxItems) found.push(at(`At most ${several(schema.maxItems, 'entry', 'entries')}.`));
  if (schema.uniqueItems) {
    value.forEach((item, index) => {
      const first = value.findIndex((other) => same(other, item));
      if (first < index) found.push({ pointer: below(pointer, index), message: `The same as entry ${first + 1}.` });
    });
  }
  if (schema.contains !== undefined && !value.some((item) => fits(schema.contains, item, root))) found.push(at('Lacks an entry that has to be there.'));
  value.forEach((item, index) => {
    const own = schema.prefixItems?.[index] ?? schema.items;
    if (own === false) found.push({ pointer: below(pointer, index), message: 'There can’t be so many entries.' });
    else if (item === undefined || item === null ? !allowsNull(own, root) : false) found.push({ pointer: below(pointer, index), message: 'Fill this in, or remove it.' });
    else found.push(...faultsOf(own, item, root, below(pointer, index), depth + 1));
  });
  return found;
}

const allowsNull = (given: Schema | boolean | undefined, root: Schema) => given === undefined || given === true || fits(given, null, root);

function objectFaults(schema: Schema, value: Record<string, unknown>, root: Schema, pointer: string, depth: number, at: At): Fault[] {
  const found: Fault[] = [];
  const names = Object.keys(value).filter((name) => value[name] !== undefined);
  for (const name of schema.required ?? []) {
    // The server completes what has a default.
    const property = asSchema(schema.properties?.[name]);
    if (value[name] === undefined && property.default === undefined) found.push({ pointer: below(pointer, name), message: 'This is needed.' });
  }
  if (schema.minProperties !== undefined && names.length < schema.minProperties) found.push(at(`Needs at least ${several(schema.minProperties, 'entry', 'entries')}.`));
  if (schema.maxProperties !== undefined && names.length > schema.maxProperties) found.push(at(`At most ${several(schema.maxProperties, 'entry', 'entries')}.`));
  for (const name of names) {
    const here = below(pointer, name);
    if (schema.propertyNames !== undefined) {
      found.push(...faultsOf(schema.propertyNames, name, root).map((fault) => ({ ...fault, pointer: here, message: `The name: ${fault.message}` })));
    }
    const patterns = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => matches(pattern, name)).map(([, own]) => own);
    const declared = schema.properties && Object.hasOwn(schema.properties, name) ? [schema.properties[name]!] : [];
    const own = [...declared, ...patterns];
    if (own.length) found.push(...own.flatMap((one) => faultsOf(one, value[name], root, here, depth + 1)));
    // What a choice adds isn't known here: whether a name is too much is told by its schemas.
    else if (schema.additionalProperties === false) found.push({ pointer: here, message: 'There is no such field.' });
    else if (isObject(schema.additionalProperties)) found.push(...faultsOf(schema.additionalProperties, value[name], root, here, depth + 1));
  }
  // A brand's colours have to be read on one another.
  if (schema['x-contrast'] === true) found.push(...checks(value as Colours).filter((one) => !one.enough).map((one) => ({ pointer: below(pointer, value[one.above] ? one.above : one.below), message: tooClose(one) })));
  return found;
}

/** The faults of the choice that fits best; none if one fits. */
function choiceFaults(choices: (Schema | boolean)[], value: unknown, root: Schema, pointer: string, depth: number, at: At, one: boolean): Fault[] {
  const results = choices.map((choice) => faultsOf(choice, value, root, pointer, depth + 1));
  const fitting = results.filter((faults) => faults.every((fault) => fault.soft));
  if (fitting.length === 1 || (fitting.length > 1 && !one)) return fitting[0]!;
  if (fitting.length > 1) return [at('Fits more than one of the choices; make it fit one.')];
  return results[best(choices, value, root)] ?? [];
}

/** Which choice a value is most likely meant for: what it has in common with constants counts most, then how little is wrong. */
export function best(choices: (Schema | boolean)[], value: unknown, root: Schema): number {
  let found = 0;
  let least = Infinity;
  choices.forEach((choice, index) => {
    const faults = value === undefined ? [] : faultsOf(choice, value, root).filter((fault) => !fault.soft);
    const schema = effective(choice, value, root);
    const constants = Object.entries(schema.properties ?? {}).filter(([, property]) => asSchema(property).const !== undefined || asSchema(property).enum);
    const against = isObject(value) ? constants.filter(([name, property]) => value[name] !== undefined && !fits(property, value[name], root)).length : 0;
    const types = schema.type === undefined ? [] : typesOf(schema);
    const wrongType = value !== undefined && types.length > 0 && !types.some((type) => isType(type, value));
    const weight = against * 1_000 + (wrongType ? 500 : 0) + faults.length;
    if (weight < least) [found, least] = [index, weight];
  });
  return found;
}
