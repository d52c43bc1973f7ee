// Plugins in words: what they may reach, what they can do, how they stand.
import type { Tone } from '$lib/states';
import type { IconName } from '$lib/ui';
import { isObject } from '$lib/form';

const METHODS: Record<string, string> = { GET: 'read from', HEAD: 'look at', POST: 'send to', PUT: 'put to', PATCH: 'change at', DELETE: 'delete at', '*': 'do anything at' };

export interface Reach {
  host: string;
  /** Whether something may be changed there. */
  changes: boolean;
  ways: { method: string; words: string; path: string }[];
}

/** Grants (`http:POST https://api.example/v1/*`) by host. Others stand for themselves. */
export function reachOf(grants: readonly string[]): { hosts: Reach[]; others: string[] } {
  const hosts = new Map<string, Reach>();
  const others: string[] = [];
  for (const grant of grants) {
    const found = /^http:(\S+) (https?):\/\/([^/]+)(.*)$/.exec(grant);
    if (!found) {
      others.push(grant);
      continue;
    }
    const [, method = '', scheme = '', host = '', path = ''] = found;
    const reach = hosts.get(host) ?? { host, changes: false, ways: [] };
    // A GET reads, as a rule; whoever approves looks at the source all the same.
    reach.changes ||= !['GET', 'HEAD'].includes(method);
    reach.ways.push({ method, words: METHODS[method] ?? method, path: (scheme === 'http' ? '(without TLS) ' : '') + (path || '/') });
    hosts.set(host, reach);
  }
  return { hosts: [...hosts.values()], others };
}

export const standings: Record<string, { tone: Tone; icon: IconName; word: string; says: string }> = {
  approved: { tone: 'good', icon: 'check', word: 'Approved', says: 'Its files are those that were approved.' },
  new: { tone: 'warn', icon: 'question', word: 'Not approved', says: 'No run can use it until somebody approves it.' },
  modified: { tone: 'bad', icon: 'warning', word: 'Changed', says: 'Its files aren’t those that were approved, and are refused. What was approved stays in use.' },
  disabled: { tone: 'neutral', icon: 'pause', word: 'Disabled', says: 'Its approval was taken back: no run can use it.' },
};

const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

/** Grants that the files have and the approved sources haven't, and the other way round. */
export function changesOf(difference: unknown): { added: string[]; removed: string[] } {
  const it = isObject(difference) ? difference : {};
  return { added: texts(it.added), removed: texts(it.removed) };
}

/** `registrars/porkbun` is of the kind `registrars`. */
export const kindOf = (name: string) => name.split('/')[0] ?? '';
export const KINDS: Record<string, string> = { registrars: 'Registrars' };
