// Lists whose length another field says (`x-count-by`): as many regions as the chosen topology draws (`x-diagrams`).
import { isObject } from './pointer';
import { asSchema, effective, type Schema } from './schema';
import { fresh } from './values';

/** How many entries a list is to have by another field of its group; undefined if nothing says so. */
export function countOf(list: Schema, group: Schema, value: unknown, root: Schema): number | undefined {
  const by = list['x-count-by'];
  if (typeof by !== 'string' || !isObject(value)) return undefined;
  const drawn = effective(group.properties?.[by], value[by], root)['x-diagrams'];
  const chosen = isObject(drawn) && typeof value[by] === 'string' ? drawn[value[by]] : undefined;
  return Array.isArray(chosen) ? chosen.length : undefined;
}

/** The value with as many entries as are wanted. New ones begin as the first one is: regions are mostly alike. */
export function counted(schema: Schema, value: unknown): unknown {
  if (!isObject(value)) return value;
  const root = schema;
  let now = value;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const list = asSchema(property);
    const count = countOf(list, schema, now, root);
    if (count === undefined) continue;
    const items = Array.isArray(now[name]) ? (now[name] as unknown[]) : [];
    if (items.length === count) continue;
    const more = Array.from({ length: Math.max(0, count - items.length) }, () => fresh(list.items, root, undefined, true));
    now = { ...now, [name]: [...items.slice(0, count), ...more] };
  }
  return now;
}
