// Fields that a schema calls secret. They take the name of a stored secret, never its value; so the same rules as the server's.
import type { Schema } from './schema';

const LONGEST = 128;

/** `x-secret`, `writeOnly`, or the format `password`. */
export const isSecret = (schema: Schema) =>
  (schema['x-secret'] ?? false) !== false || (schema.writeOnly ?? false) !== false || schema.format === 'password';

/** Whether text can be the name of a secret. */
export const isName = (text: string) => text.length <= LONGEST && /^[A-Za-z0-9_\-./]+$/.test(text);
