// Runs that go on only when an operator does something: stuck undos, steps in doubt, parked runs.
import { api, type Schema } from '$lib/api';

type Run = Schema<'RunView'>;
const ON_A_PAGE = 200;
/** Nobody reads more of them at once; the list of runs has the rest. */
const PAGES = 5;

/** All of them, however many other runs wait; the newest first. */
export async function stuckRuns(organisation: string | undefined, signal?: AbortSignal): Promise<Run[]> {
  async function all(which: { state?: string; waiting_on?: string }): Promise<Run[]> {
    const found: Run[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES; page += 1) {
      const { items, next } = await api.get('/runs', { query: { organisation, ...which, limit: ON_A_PAGE, cursor }, signal });
      found.push(...items);
      if (!next) break;
      cursor = next;
    }
    return found;
  }
  const found = await Promise.all([all({ state: 'rollback_stuck' }), all({ waiting_on: 'in_doubt,parked' })]);
  return found.flat().sort((a, b) => (a.id < b.id ? 1 : -1));
}
