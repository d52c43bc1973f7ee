// Who is logged in, what they may do and where, and the organisation that they look at.
import { api, configure } from './api/client';
import { asProblem, type ApiProblem } from './api/problem';
import type { components } from './api/schema';
import { feed } from './api/feed.svelte';
import { LOGGED_IN } from './api/stream';
import { stored } from './stored';

type WhoAmI = components['schemas']['WhoAmI'];
type Permission = WhoAmI['permissions'][number];
type Organisation = components['schemas']['OrganisationView'];

const organisationKept = stored<string>('organisation');

/** Whether a folder of a binding (`*`, `lab`, `lab/grid`) has this workflow. */
export const inFolder = (folder: string, workflow: string) =>
  folder === '*' || folder === workflow || workflow.startsWith(`${folder.replace(/\/\*?$/, '')}/`);

interface Where {
  organisation?: string;
  workflow?: string;
}
const covers = (binding: WhoAmI['bindings'][number], where: Where) =>
  (!where.organisation || binding.organisation === '*' || binding.organisation === where.organisation) &&
  (!where.workflow || inFolder(binding.folder ?? '*', where.workflow));
/** Organisations that are known at most: so many pages of so many. */
const [PAGES, ON_A_PAGE] = [20, 500];
async function allOrganisations(): Promise<Organisation[]> {
  const found: Organisation[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const some = await api.get('/organisations', { query: { limit: ON_A_PAGE, cursor } }).catch(() => null);
    found.push(...(some?.items ?? []));
    cursor = some?.next ?? undefined;
    if (!cursor) break;
  }
  return found;
}
/** Each holds what those before it do. */
const RANKS = ['viewer', 'operator', 'franchisee', 'admin'];

class Session {
  who = $state.raw<WhoAmI | null>(null);
  /** `asking` until the server has said who one is. */
  state = $state<'asking' | 'out' | 'in' | 'unreachable'>('asking');
  problem = $state.raw<ApiProblem | null>(null);
  /** Rises with every log-in: what was refused meanwhile is asked for again. */
  logIns = $state(0);
  organisations = $state.raw<Organisation[]>([]);
  #organisation = $state<string | null>(organisationKept.read());
  #roles = $state.raw<Map<string, readonly string[]>>(new Map());

  /** The organisation that lists show and launches go to; null: all that one may see. */
  get organisation(): string | null {
    const chosen = this.#organisation;
    return chosen && this.organisations.some((one) => one.name === chosen) ? chosen : null;
  }

  set organisation(name: string | null) {
    this.#organisation = name;
    organisationKept.write(name);
  }

  /** Takes in what an organisation is now: made, renamed, suspended. The others stay as they are. */
  learn(row: Organisation) {
    const known = this.organisations.some((one) => one.name === row.name);
    this.organisations = known ? this.organisations.map((one) => (one.name === row.name ? row : one)) : [...this.organisations, row];
  }

  /** Asks the server who one is. */
  async load() {
    configure({ onUnauthenticated: () => this.#ended(), renew: () => this.#renewed() });
    this.state = 'asking';
    try {
      await this.#opened(await api.get('/session'));
    } catch (error) {
      const problem = asProblem(error);
      if (problem.code === 'unauthenticated') {
        this.state = 'out';
      } else {
        this.problem = problem;
        this.state = 'unreachable';
      }
    }
  }

  /** Throws the problem if it doesn't go well: `unauthenticated` with a `pointer` of `/code` when a second factor is needed. */
  async logIn(name: string, password: string, code?: string) {
    await this.#opened(await api.post('/session', { body: { name, password, code: code || undefined } }));
  }

  /** Comes in by a link that works once, with the password to be. */
  async comeIn(token: string, password: string) {
    await this.#opened(await api.post('/session/link', { body: { token, password } }));
  }

  /** Throws the problem if the server didn't hear of it: one is still logged in then. */
  async logOut() {
    try {
      await api.delete('/session');
    } catch (error) {
      if (asProblem(error).code !== 'unauthenticated') throw error;
    }
    this.leave();
  }

  /** Another tab has logged in; whether as the same one. As somebody else, nothing is sent in their name. */
  async #renewed(): Promise<boolean> {
    const [before, who] = [this.who?.user, await api.get('/session')];
    if (who.user === before) {
      this.#take(who);
      return true;
    }
    await this.#opened(who);
    return false;
  }

  /** Whether one holds a permission: somewhere, or in this organisation and for this workflow. */
  can(permission: Permission, where: Where = {}): boolean {
    const who = this.who;
    if (!who?.permissions.includes(permission)) return false;
    if (!where.organisation && !where.workflow) return true;
    return who.bindings.some((binding) => (this.#roles.get(binding.role)?.includes(permission) ?? false) && covers(binding, where));
  }

  /** Whether one holds a role there, or one above it. A role that Windlass doesn't know is an admin's. */
  holds(role: string, where: Where): boolean {
    const asked = RANKS.indexOf(role);
    const enough = RANKS.slice(asked < 0 ? -1 : asked);
    return this.who?.bindings.some((binding) => enough.includes(binding.role) && covers(binding, where)) ?? false;
  }

  #take(who: WhoAmI) {
    this.who = who;
    configure({ csrf: who.csrf ?? undefined, requestMs: who.request_ms });
  }

  async #opened(who: WhoAmI) {
    this.#take(who);
    const [roles, organisations] = await Promise.all([
      api.get('/roles').catch(() => []),
      allOrganisations(),
      // Pages ask for their lists when it hears already.
      feed.ready(),
    ]);
    this.#roles = new Map((roles ?? []).map((role) => [role.name, role.permissions]));
    this.organisations = organisations;
    this.problem = null;
    this.state = 'in';
    this.logIns += 1;
    dispatchEvent(new Event(LOGGED_IN));
  }

  #ended() {
    // Who one was stays: the page stays, and asks to log in again.
    if (this.state !== 'in') return;
    configure({ csrf: undefined });
    this.state = 'out';
  }

  /** Forgets who one was. */
  leave() {
    feed.close();
    configure({ csrf: undefined });
    this.who = null;
    this.state = 'out';
  }
}

export const session = new Session();
