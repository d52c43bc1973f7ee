// Settings that are lists, as lines that people type.
import type { Values } from './document';

const lines = (text: string) => text.split('\n').map((line) => line.trim()).filter(Boolean);
const some = <T>(list: T[]): T[] | undefined => (list.length ? list : undefined);
const objects = (value: unknown): Values[] => (Array.isArray(value) ? (value as Values[]) : []);

export const linesOf = (value: unknown) => (Array.isArray(value) ? value.map(String).join('\n') : '');

export function pairsOf(text: string): Record<string, string> | undefined {
  const pairs = lines(text).map((line): [string, string] => {
    const at = line.indexOf('=');
    if (at < 1) throw new Error(`“${line}” is no NAME=value.`);
    return [line.slice(0, at).trim(), line.slice(at + 1)];
  });
  return pairs.length ? Object.fromEntries(pairs) : undefined;
}
export const pairsText = (value: unknown) => Object.entries((value ?? {}) as Values).map(([name, one]) => `${name}=${String(one)}`).join('\n');

export function routesOf(text: string): Values[] | undefined {
  return some(lines(text).map((line) => {
    const found = /^(\S+)(?:\s+via\s+(\S+))?(?:\s+dev\s+(\S+))?(?:\s+metric\s+(\d+))?$/.exec(line);
    if (!found || (!found[2] && !found[3])) throw new Error(`“${line}” is no route: default via 10.0.0.1, or 10.1.0.0/24 dev eth1.`);
    const [, to, via, dev, metric] = found;
    return { to, ...(via ? { via } : {}), ...(dev ? { dev } : {}), ...(metric ? { metric: Number(metric) } : {}) };
  }));
}
export const routesText = (value: unknown) =>
  objects(value).map((one) => [one.to, one.via && `via ${String(one.via)}`, one.dev && `dev ${String(one.dev)}`, one.metric && `metric ${String(one.metric)}`].filter(Boolean).join(' ')).join('\n');

export function portsOf(text: string): Values[] | undefined {
  return some(lines(text).map((line) => {
    const found = /^(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(line);
    if (!found) throw new Error(`“${line}” is no pair of ports: 20080:80, or 20053:53/udp.`);
    return { host: Number(found[1]), node: Number(found[2]), ...(found[3] === 'udp' ? { protocol: 'udp' } : {}) };
  }));
}
/** Ports as lines; with a kind, the port of a console. */
export function portsText(value: unknown, kind?: 'ssh' | 'telnet'): string {
  if (kind) {
    const one = (value as Values | undefined)?.[kind];
    return typeof one === 'number' ? String(one) : String((one as Values | undefined)?.port ?? '');
  }
  return objects(value).map((one) => `${String(one.host)}:${String(one.node)}${one.protocol === 'udp' ? '/udp' : ''}`).join('\n');
}

export const filesOf = (value: unknown): { path: string; content: string }[] => objects(value).map((one) => ({ ...one, path: String(one.path ?? ''), content: String(one.content ?? '') }));

/** Addresses as one types them: with commas, spaces or lines between. */
export function addressesOf(text: string): string[] | undefined {
  const found = text.split(/[\s,]+/).filter(Boolean);
  const wrong = found.find((one) => !/^[0-9a-fA-F:.]+\/\d{1,3}$/.test(one));
  if (wrong) throw new Error(`“${wrong}” is no address with its length: 10.0.0.1/24.`);
  return some(found);
}
