// What stands under a field before anything is wrong: what it is for, and its bounds.
import type { Schema } from './schema';
import { isSecret } from './secrets';

const FAR = 100_000_000;
const count = (value: number) => value.toLocaleString('en-GB', { maximumFractionDigits: 12 });

export function hintOf(schema: Schema): string | undefined {
  const words = [schema.description, isSecret(schema) ? 'Takes the name of a stored secret, never its value.' : bounds(schema)].filter(Boolean);
  if (schema.format === 'date-time' && schema['x-widget'] !== 'text') words.push('In your local time.');
  if (schema.deprecated) words.push('Not used any more.');
  return words.join(' ') || undefined;
}

function bounds(schema: Schema): string | undefined {
  const { exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  // That nothing is below nothing needn't be said of a count, nor what nobody comes near.
  const maximum = schema.maximum !== undefined && schema.maximum < FAR ? schema.maximum : undefined;
  const minimum = schema.minimum === 0 && maximum === undefined ? undefined : schema.minimum;
  const words: string[] = [];
  if (exclusiveMinimum !== undefined) words.push(`more than ${count(exclusiveMinimum)}`);
  if (minimum !== undefined && maximum !== undefined) words.push(`${count(minimum)} to ${count(maximum)}`);
  else if (minimum !== undefined) words.push(`at least ${count(minimum)}`);
  else if (maximum !== undefined) words.push(`at most ${count(maximum)}`);
  if (exclusiveMaximum !== undefined) words.push(`less than ${count(exclusiveMaximum)}`);
  if (multipleOf !== undefined && multipleOf !== 1) words.push(`in steps of ${multipleOf}`);
  const text = words.join(', ');
  return text ? `${text[0]!.toUpperCase()}${text.slice(1)}.` : undefined;
}
