// What differs between two values, place by place.
export interface Difference {
  /** `bindings › 0 › role`; empty: the whole. */
  place: string;
  kind: 'added' | 'taken' | 'changed';
  before?: unknown;
  after?: unknown;
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** Leaves that differ, in the order of the second value, then what only the first one has. */
export function differences(before: unknown, after: unknown, at: readonly string[] = []): Difference[] {
  if (same(before, after)) return [];
  if (isMap(before) && isMap(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = [...new Set([...Object.keys(after), ...Object.keys(before)])];
    return keys.flatMap((key) => differences(before[key], after[key], [...at, key]));
  }
  // What is new, or gone, is listed place by place, too: that reads better than a lump of JSON.
  if (before == null && isMap(after) && Object.keys(after).length && !Array.isArray(after)) return Object.keys(after).flatMap((key) => differences(undefined, after[key], [...at, key]));
  if (after == null && isMap(before) && Object.keys(before).length && !Array.isArray(before)) return Object.keys(before).flatMap((key) => differences(before[key], undefined, [...at, key]));
  const place = at.join(' › ');
  if (before === undefined || (before === null && at.length === 0)) return after === undefined ? [] : [{ place, kind: 'added', after }];
  if (after === undefined || (after === null && at.length === 0)) return [{ place, kind: 'taken', before }];
  return [{ place, kind: 'changed', before, after }];
}

export const shown = (value: unknown) => (typeof value === 'string' ? value || '""' : JSON.stringify(value));
