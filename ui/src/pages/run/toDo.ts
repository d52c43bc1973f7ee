// What a run has left to people: `to_do` of its output, as docs/how-to/write-a-workflow.md says it.
import { isObject } from '$lib/form/pointer';

export interface ToDo {
  title: string;
  says: string;
  /** A page of ours; empty: there is none. */
  page: string;
  /** Whose page it is: only those who manage it are led there. Empty: anybody. */
  organisation: string;
}

/** A path of this server, and of no other one. */
export const isPage = (path: string) => /^\/(?![/\\])/.test(path);

const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function toDoOf(output: unknown): ToDo[] {
  const all = isObject(output) && Array.isArray(output.to_do) ? output.to_do : [];
  return all.filter(isObject).slice(0, 20).flatMap((one) => {
    const page = text(one.page);
    return text(one.title) ? [{ title: text(one.title), says: text(one.says), page: isPage(page) ? page : '', organisation: text(one.organisation) }] : [];
  });
}
