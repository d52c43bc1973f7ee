// A form's values in an address that people can read: `?input.name=web&input.node.mtu=1500`. Secret fields are never in it.
import { asSchema, effective, inOrder, titleOf, type Schema } from './schema';
import { below, isObject, same, split, write } from './pointer';
import { best } from './validate';
import { changes, coerce, fresh, payload, withoutSecrets } from './values';

const PREFIX = 'input.';
/** All of it as JSON, where names don't fit into dotted paths. */
const WHOLE = 'input';

/** What stands behind the question mark; without what the form begins with anyway. */
export function toQuery(schema: Schema, value: unknown): URLSearchParams {
  const query = new URLSearchParams();
  const said = changes(schema, withoutSecrets(schema, payload(schema, value)));
  if (!isObject(said)) return query;
  const pairs: [string, string][] = [];
  if (flatten(schema, said, [], schema, pairs)) pairs.forEach(([name, text]) => query.append(PREFIX + name, text));
  else query.set(WHOLE, JSON.stringify(said));
  return query;
}

/** Whether everything has a dotted path. */
function flatten(given: Schema | boolean | undefined, value: Record<string, unknown>, path: string[], root: Schema, into: [string, string][]): boolean {
  const schema = effective(given, value, root);
  return Object.entries(value).every(([name, inner]) => {
    if (inner === undefined) return true;
    if (name === '' || /[.&=\s]/.test(name)) return false;
    const own = schema.properties?.[name] ?? schema.additionalProperties;
    const here = [...path, name];
    if (isObject(inner) && Object.keys(inner).length) return flatten(own, inner, here, root, into);
    const text = typeof inner === 'string' ? inner : plainList(inner) ? inner.join(',') : JSON.stringify(inner);
    // What wouldn't come back as it is is written as JSON.
    const back = coerce(own, text, root);
    if (same(back, inner)) into.push([here.join('.'), text]);
    else if (same(coerce(own, JSON.stringify(inner), root), inner)) into.push([here.join('.'), JSON.stringify(inner)]);
    else return false;
    return true;
  });
}

const plainList = (value: unknown): value is (string | number | boolean)[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item !== 'object' && !(typeof item === 'string' && (item.includes(',') || item.trim() !== item)));

/** The values that an address has, or null if it has none. Those of secret fields are left out. */
export function fromQuery(schema: Schema, query: URLSearchParams): unknown {
  let value: unknown;
  const whole = query.get(WHOLE);
  if (whole !== null) {
    try {
      const given = JSON.parse(whole) as unknown;
      if (isObject(given)) value = given;
    } catch {
      // A link that was cut in half fills nothing in.
    }
  }
  for (const [name, text] of query) {
    if (!name.startsWith(PREFIX)) continue;
    const path = name.slice(PREFIX.length).split('.');
    let own: Schema | boolean | undefined = schema;
    for (const part of path) {
      const here: Schema = effective(own, undefined, schema);
      own = declaredAnywhere(here, part, schema) ?? here.additionalProperties;
    }
    value = write(value ?? {}, path.reduce(below, ''), coerce(own, text, schema));
  }
  return value === undefined ? null : withoutSecrets(schema, value);
}

/** A property wherever a schema declares it: conditions can't be judged before all values are there. */
function declaredAnywhere(schema: Schema, name: string, root: Schema, depth = 0): Schema | boolean | undefined {
  if (schema.properties && Object.hasOwn(schema.properties, name)) return schema.properties[name];
  if (depth > 8) return undefined;
  const parts = [schema.then, schema.else, ...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? []), ...Object.values(schema.dependentSchemas ?? {})];
  for (const part of parts) {
    const found = part === undefined ? undefined : declaredAnywhere(effective(part, undefined, root), name, root, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An earlier run's input for this form: what the schema still knows. */
export function fromRun(schema: Schema, input: unknown): unknown {
  return fresh(schema, schema, isObject(input) ? input : undefined);
}

const quoted = (text: string) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** The launch as a command for a shell. */
export function toCommand(workflow: string, schema: Schema, value: unknown, options: { tags?: readonly string[]; plan?: string } = {}): string {
  const sent = payload(schema, value);
  const words = ['windlass', 'run', workflow, ...(options.tags ?? []).flatMap((tag) => ['--tag', quoted(tag)]), ...(options.plan ? ['--plan', options.plan] : [])];
  const said = changes(schema, sent);
  if (!isObject(said) || Object.keys(said).length === 0) return words.join(' ');
  const simple = Object.entries(said).every(([name, inner]) => /^[\w-]+$/.test(name) && typeof inner !== 'object' && !(typeof inner === 'string' && /[\n]/.test(inner)));
  if (simple) {
    return [...words, ...Object.entries(said).flatMap(([name, inner]) => ['--set', quoted(`${name}=${String(inner)}`)])].join(' ');
  }
  return `${words.join(' ')} --input - <<'JSON'\n${JSON.stringify(sent, null, 2)}\nJSON`;
}

/** The fields at the top that hold for a value, those of its choice as well. */
function fieldsAt(root: Schema, value: unknown): Schema {
  const schema = effective(root, value, root);
  const choices = schema.oneOf ?? schema.anyOf;
  const branch = choices && effective(choices[best(choices, value, root)], value, root);
  return { ...schema, properties: { ...branch?.properties, ...schema.properties }, required: [...(schema.required ?? []), ...(branch?.required ?? [])] };
}

/** Values side by side for a review: one line a field, with the place to change it. */
export function rows(given: Schema, value: unknown): { pointer: string; label: string; value: unknown; schema: Schema; step?: string }[] {
  const root = asSchema(given);
  const schema = fieldsAt(root, value);
  const order = inOrder(Object.keys(schema.properties ?? {}), schema);
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(isObject(value) ? value : {}).sort((a, b) => place(a) - place(b));
  return names.map((name) => {
    const inner = (value as Record<string, unknown>)[name];
    const own = effective(schema.properties?.[name], inner, root);
    return { pointer: below('', name), label: titleOf(own, name), value: inner, schema: own, step: own['x-step'] };
  });
}

/** What the field at the top is called that a place belongs to. */
export function labelOfField(given: Schema, value: unknown, pointer: string): string | undefined {
  const [name] = split(pointer);
  return name === undefined ? undefined : titleOf(effective(fieldsAt(asSchema(given), value).properties?.[name], undefined, given), name);
}
