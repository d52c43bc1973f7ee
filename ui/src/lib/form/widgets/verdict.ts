// What a check has found, whatever it calls it: `ok` or `valid`, `says`, `help`, `scopes`, `found`, or a refusal.
import { isObject } from '../pointer';

export interface Judged {
  ok: boolean;
  says: string;
  help: string;
  scopes: string[];
  found: { label: string; value: string }[];
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

export function judged(output: unknown): Judged {
  const it = isObject(output) ? output : {};
  const refused = isObject(it.refused) ? it.refused : {};
  const ok = it.ok === true || (it.ok === undefined && it.valid === true && it.refused == null);
  return {
    ok,
    says: text(it.says) || text(refused.message) || (ok ? 'The credentials are taken' : 'It was refused'),
    help: text(it.help) || text(refused.help),
    scopes: texts(it.scopes),
    found: (Array.isArray(it.found) ? it.found : []).filter(isObject).map((one) => ({ label: text(one.label), value: text(one.value) })).filter((one) => one.label),
  };
}
