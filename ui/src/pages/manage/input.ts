// A workflow's input as JSON text: what is typed, what it means, and what is wrong with it.

export type Parsed = { ok: true; value: unknown } | { ok: false; message: string };

/** Empty text is an empty input. */
export function parseInput(text: string): Parsed {
  if (!text.trim()) return { ok: true, value: {} };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ok: false, message: `This isn’t JSON: ${placeOf(text, error instanceof Error ? error.message : String(error))}` };
  }
}

/** Browsers tell the position only; people count in lines. */
function placeOf(text: string, message: string): string {
  const at = /position (\d+)/.exec(message);
  if (!at || /line \d+/.test(message)) return message;
  const before = text.slice(0, Number(at[1])).split('\n');
  return `${message} (line ${before.length}, column ${before.at(-1)!.length + 1})`;
}

export const printed = (value: unknown) => (value === undefined || value === null ? '{}' : JSON.stringify(value, null, 2));

interface Schema {
  type?: string | string[];
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
}

/** An input to begin with: what is required, with defaults where the schema has them. */
export function skeleton(schema: unknown): unknown {
  const it = (typeof schema === 'object' && schema !== null ? schema : {}) as Schema;
  if (it.default !== undefined) return it.default;
  if (it.const !== undefined) return it.const;
  if (it.enum?.length) return it.enum[0];
  const type = Array.isArray(it.type) ? it.type[0] : it.type;
  if (type === 'object' || it.properties) {
    const wanted = Object.entries(it.properties ?? {}).filter(([name, one]) => it.required?.includes(name) || one.default !== undefined);
    return Object.fromEntries(wanted.map(([name, one]) => [name, skeleton(one)]));
  }
  if (type === 'array') return [];
  if (type === 'string') return '';
  if (type === 'integer' || type === 'number') return it.minimum ?? 0;
  if (type === 'boolean') return false;
  return type === undefined ? {} : null;
}

/** `nightly, by-ann` as a list; commas and spaces part them. */
export const tagsOf = (text: string) => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

/** Whether there are places to be filled in: `${/body/lab}`. */
export const placed = (text: string) => /(?<!\$)\$\{/.test(text);
