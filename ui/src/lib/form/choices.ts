// What choices are called.
import { deref, titleOf, typesOf, type Schema } from './schema';
import { asSchema } from './schema';
import { shown } from './validate';

const kinds: Record<string, string> = {
  string: 'Text', number: 'Number', integer: 'Whole number', boolean: 'Yes or no', object: 'Fields', array: 'List', null: 'Nothing',
};

/** A choice's title; else its constants, its fields or its type. */
export function labelOf(choice: Schema | boolean, index: number, root: Schema): string {
  const schema = deref(choice, root);
  if (schema.title) return schema.title;
  if (schema.const !== undefined) return valueLabel(schema.const);
  const constants = Object.values(schema.properties ?? {}).map((property) => asSchema(property).const).filter((one) => one !== undefined);
  if (constants.length) return constants.map(valueLabel).join(', ').replace(/^./, (first) => first.toUpperCase());
  const required = schema.required ?? Object.keys(schema.properties ?? {});
  if (required.length) return required.map((name) => titleOf(asSchema(schema.properties?.[name]), name)).join(', ');
  const types = typesOf(schema);
  return types.length ? types.map((type) => kinds[type]).join(' or ') : `Choice ${index + 1}`;
}

/** A value as a label in a list. */
export const valueLabel = (value: unknown): string => (typeof value === 'string' ? value || '(empty)' : value === null ? 'nothing' : value === true ? 'yes' : value === false ? 'no' : shown(value));
