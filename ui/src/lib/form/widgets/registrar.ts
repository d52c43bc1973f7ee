// A registrar's plugin as a form shows it: what it can do, and what it asks to be known.
import { isObject } from '../pointer';

export interface Credential {
  name: string;
  label: string;
  help: string;
  secret: boolean;
  optional: boolean;
}

export interface Registrar {
  /** As an input names it: `porkbun`. */
  id: string;
  title: string;
  notes: string;
  can: string[];
  credentials: Credential[];
  /** Where its secrets go. */
  hosts: string[];
}

const KIND = 'registrars/';
const WORDS: Record<string, string> = {
  validate: 'try the credentials', list_domains: 'list the account’s domains', get_nameservers: 'read name servers', set_nameservers: 'change name servers',
  ds: 'set DS records (DNSSEC)', glue: 'set glue records',
};
const text = (value: unknown) => (typeof value === 'string' ? value : '');
const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

export const isRegistrar = (plugin: string) => plugin.startsWith(KIND);
export const pluginOf = (id: string) => `${KIND}${id}`;
export const idOf = (plugin: string) => plugin.slice(KIND.length);
export const inWords = (capability: string) => WORDS[capability] ?? capability.replaceAll('_', ' ');

/** What a manifest says; secret fields first, those that may be left out last. */
export function registrarOf(plugin: string, manifest: unknown): Registrar {
  const it = isObject(manifest) ? manifest : {};
  const asked = isObject(it.credentials) ? Object.entries(it.credentials) : [];
  const credentials = asked.filter(([, one]) => isObject(one)).map(([name, one]) => {
    const field = one as Record<string, unknown>;
    return { name, label: text(field.label) || name, help: text(field.help), secret: field.secret === true, optional: field.optional === true };
  });
  return {
    id: idOf(plugin), title: text(it.title) || idOf(plugin), notes: text(it.notes), can: texts(it.capabilities),
    credentials: credentials.sort((a, b) => Number(a.optional) - Number(b.optional)),
    hosts: (Array.isArray(it.hosts) ? it.hosts : []).filter(isObject).map((one) => text(one.host)).filter(Boolean).map((host) => `https://${host}`),
  };
}

/** A name for a secret that somebody types in here. */
export const secretName = (owner: string, id: string, field: string) => `registrar/${owner.toLowerCase().replace(/[^a-z0-9.-]+/g, '-') || 'own'}-${id}-${field}`;

/** A stored secret that seems to be meant for this field. */
export const likely = (names: readonly string[], id: string, field: string) => names.find((name) => name.endsWith(`${id}-${field}`));
