// What stands under a field before anything is wrong: what it is for, and its bounds.
import type { Schema } from './schema';
import { isSecret } from './secrets';

export function hintOf(schema: Schema): string | undefined {
  const words = [schema.description, isSecret(schema) ? 'Takes the name of a stored secret, never its value.' : bounds(schema)].filter(Boolean);
  if (schema.format === 'date-time' && schema['x-widget'] !== 'text') words.push('In your local time.');
  if (schema.deprecated) words.push('Not used any more.');
  return words.join(' ') || undefined;
}

function bounds(schema: Schema): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const words: string[] = [];
  if (exclusiveMinimum !== undefined) words.push(`more than ${exclusiveMinimum}`);
  if (minimum !== undefined && maximum !== undefined) words.push(`${minimum} to ${maximum}`);
  else if (minimum !== undefined) words.push(`at least ${minimum}`);
  else if (maximum !== undefined) words.push(`at most ${maximum}`);
  if (exclusiveMaximum !== undefined) words.push(`less than ${exclusiveMaximum}`);
  if (multipleOf !== undefined && multipleOf !== 1) words.push(`in steps of ${multipleOf}`);
  const text = words.join(', ');
  return text ? `${text[0]!.toUpperCase()}${text.slice(1)}.` : undefined;
}
