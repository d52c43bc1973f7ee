// How a domain is delegated, as a look at it tells.
import { isObject } from '../pointer';

export interface Delegation {
  nameservers: string[];
  seen: string[];
  foreign: string[];
  ok: boolean;
  says: string;
}

const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

export function delegationOf(output: unknown): Delegation {
  const it = isObject(output) ? output : {};
  const [nameservers, seen] = [texts(it.nameservers), texts(it.seen)];
  return {
    nameservers, seen, foreign: Array.isArray(it.foreign) ? texts(it.foreign) : seen.filter((one) => !nameservers.includes(one)),
    ok: it.ok === true, says: typeof it.says === 'string' ? it.says : '',
  };
}
