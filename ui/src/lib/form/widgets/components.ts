// What can be installed, what a choice needs, and what comes along with it.
import { isObject } from '../pointer';

export interface Installable {
  id: string;
  title: string;
  says: string;
  family: string;
  always: boolean;
  needs: string[];
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

export function installables(found: unknown): Installable[] {
  if (!Array.isArray(found)) return [];
  return found.filter(isObject).filter((one) => text(one.id) !== '').map((one) => {
    const [title, ...rest] = (text(one.label) || text(one.id)).split(': ');
    return { id: text(one.id), title: title!, says: rest.join(': '), family: text(one.family), always: one.always === true, needs: texts(one.needs) };
  });
}

/** Everything that is installed for a choice: those that always are, those chosen, and what any of them needs, however deep. */
export function closure(all: readonly Installable[], chosen: readonly string[]): Set<string> {
  const known = new Map(all.map((one) => [one.id, one]));
  const wanted = new Set<string>();
  const rest = [...all.filter((one) => one.always).map((one) => one.id), ...chosen];
  while (rest.length) {
    const id = rest.pop()!;
    if (wanted.has(id)) continue;
    wanted.add(id);
    rest.push(...(known.get(id)?.needs ?? []));
  }
  return wanted;
}

/** Who among what is installed needs this. */
export const neededBy = (all: readonly Installable[], installed: ReadonlySet<string>, id: string): Installable[] =>
  all.filter((one) => installed.has(one.id) && one.needs.includes(id));

/** What comes along when this one is chosen besides. */
export function brings(all: readonly Installable[], chosen: readonly string[], id: string): Installable[] {
  const before = closure(all, chosen);
  const after = closure(all, [...chosen, id]);
  return all.filter((one) => after.has(one.id) && !before.has(one.id) && one.id !== id);
}
