// A value in words, as a review shows it: titles in place of names, and what a choice is called.
import { bytes } from '$lib/format';
import { labelOf, valueLabel } from './choices';
import { isObject, same } from './pointer';
import { asSchema, deref, effective, inOrder, titleOf, type Schema } from './schema';
import { best } from './validate';
import { isTitledEnum } from './values';

/** Groups in a list are a line each, the fields of a group as well; deeper ones stand in their line. */
export function inWords(given: Schema | boolean | undefined, value: unknown, root: Schema, nested = false): string {
  if (value === null || value === undefined || value === '') return '–';
  const schema = effective(given, value, root);
  if (Array.isArray(value)) {
    const parts = value.map((one, index) => inWords(schema.prefixItems?.[index] ?? schema.items, one, root, true));
    const lines = !nested && value.some((one) => typeof one === 'object' && one !== null);
    return (lines ? parts.map((part, index) => `${index + 1}. ${part}`).join('\n') : parts.join(', ')) || 'none';
  }
  if (!isObject(value)) return labelIn(schema, value) ?? contentOf(value) ?? withUnit(schema, value);
  const choices = schema.oneOf ?? schema.anyOf;
  const index = choices ? best(choices, value, root) : -1;
  const branch = choices ? effective(choices[index], value, root) : undefined;
  const properties = { ...branch?.properties, ...schema.properties };
  const told = choices && choices.length > 1 ? [labelOf(choices[index]!, index, root)] : [];
  const fields = inOrder(Object.keys(value), { ...schema, properties, required: [...(schema.required ?? []), ...(branch?.required ?? [])] })
    // The constant that tells a choice from the others is its name.
    .filter((name) => value[name] !== undefined && !isBlank(value[name]) && !(told.length && deref(branch?.properties?.[name], root).const !== undefined))
    .map((name) => {
      const own = properties[name] ?? schema.additionalProperties;
      return `${properties[name] === undefined ? (labelIn(effective(schema.propertyNames, undefined, root), name) ?? name) : titleOf(effective(own, value[name], root), name)}: ${inWords(own, value[name], root, true)}`;
    });
  return [...told, ...fields].join(nested ? ' · ' : '\n') || emptyName(schema) || 'nothing filled in';
}

/** A group in which nothing is filled in. */
const isBlank = (value: unknown): boolean => isObject(value) && Object.values(value).every((one) => one === undefined || isBlank(one));

/** What it means that nothing stands there, as the schema says it (`x-empty`). */
const emptyName = (schema: Schema) => (typeof schema['x-empty'] === 'string' ? schema['x-empty'] : undefined);

const withUnit = (schema: Schema, value: unknown) => `${valueLabel(value)}${typeof value === 'number' && typeof schema['x-unit'] === 'string' ? ` ${schema['x-unit']}` : ''}`;

/** Content that stands in the value itself (`data:image/png;base64,…`) is told by its kind and size. */
function contentOf(value: unknown): string | undefined {
  const found = typeof value === 'string' ? /^data:(image\/)?([\w.+-]+)(\/[\w.+-]+)?;base64,/.exec(value) : null;
  if (!found) return undefined;
  const size = bytes(Math.floor(((value as string).length - found[0].length) * 0.75));
  return found[1] ? `a picture (${found[2]!.toUpperCase()}, ${size})` : `a file (${size})`;
}

/** What a schema calls one of its values. */
export function labelIn(schema: Schema, value: unknown): string | undefined {
  const labels = (schema['x-labels'] ?? {}) as Record<string, string>;
  if (schema.enum && typeof labels[String(value)] === 'string') return labels[String(value)];
  const titled = schema.oneOf ?? schema.anyOf;
  return titled && isTitledEnum(titled) ? titled.map(asSchema).find((one) => same(one.const, value))?.title : undefined;
}
