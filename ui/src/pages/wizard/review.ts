// A plan as a person reads it before they say yes: what it costs, what is made, what changes in DNS, what can't be taken back.
import { isObject } from '$lib/form';
import type { Plan } from '../launch/plan';
import { argumentsOf, doingsOf } from './doings';

export interface Cost {
  total?: number;
  currency: string;
  machines: number;
  lines: { what: string; price: number }[];
  problem: string;
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const texts = (value: unknown) => (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string');

/** A cost as look-ups and outputs tell it: `total`, `currency`, `lines`. */
export function costOf(found: unknown): Cost {
  const it = isObject(found) ? found : {};
  const lines = (Array.isArray(it.lines) ? it.lines : []).filter(isObject).map((one) => ({ what: text(one.what), price: typeof one.price === 'number' ? one.price : 0 })).filter((one) => one.what);
  return {
    total: typeof it.total === 'number' ? it.total : undefined, currency: text(it.currency) || 'EUR',
    machines: typeof it.machines === 'number' ? it.machines : lines.length, lines, problem: text(it.problem),
  };
}

export interface Made {
  kind: string;
  ids: string[];
}

/** What is made and sent, by kind: `hetzner server main/a` is a server. */
export function madeBy(plan: Plan): Made[] {
  const found = new Map<string, string[]>();
  const add = (kind: string, id: string) => found.set(kind, [...(found.get(kind) ?? []), id]);
  for (const step of plan.steps) {
    for (const doing of doingsOf(step)) add(doing.kind, doing.id);
    if (step.sign !== 'create' || step.undo) continue;
    for (const thing of step.things) {
      const [, kind = 'thing', ...id] = thing.split(' ');
      add(kind.replaceAll('_', ' '), id.join(' ') || thing);
    }
  }
  return [...found].map(([kind, ids]) => ({ kind, ids }));
}

export interface DnsLine {
  sign: '+' | '~' | '-';
  name: string;
  type: string;
  values: string[];
  note: string;
}

/** Names that a name of the pool gets when it is given out. */
const POOL_NAMES = ['@', '*', 'console', 'api', 'gitea', 'harbor'];
const full = (name: string, zone: string) => (name === '@' || name === zone ? zone : name.endsWith(zone) ? name : `${name}.${zone}`);

/** What changes in DNS and at registrars, step by step. */
export function dnsOf(plan: Plan): DnsLine[] {
  const line = (sign: DnsLine['sign'], name: string, type: string, values: unknown, note = ''): DnsLine => ({ sign, name, type, values: texts(values), note });
  const rrsets = (zone: string, given: unknown, sign: DnsLine['sign']) =>
    (Array.isArray(given) ? given : [given]).filter(isObject).map((one) => line(sign, full(text(one.name), zone), text(one.type), one.records ?? one.record, typeof one.ttl === 'number' ? `TTL ${one.ttl}` : ''));
  return plan.steps.filter((step) => !step.undo).flatMap((step): DnsLine[] => {
    const [first, second, third] = argumentsOf(step);
    const [a, b] = [text(first), text(second)];
    switch (step.op) {
      case 'pool::reserve': return [line('+', `${b}.${a}`, 'zone', [], `reserved and signed; NS and DS go into ${a}`)];
      case 'pool::commit': return POOL_NAMES.map((name) => line('+', full(name, `${b}.${a}`), 'A', third, 'TTL 300'));
      case 'pool::release': return [line('-', `${b}.${a}`, 'zone', [], 'given back')];
      case 'dns::create_zone': return [line('+', a, 'zone', [], 'made and signed')];
      case 'dns::delete_zone': return [line('-', a, 'zone', [], 'deleted, with its keys')];
      case 'dns::replace': return rrsets(a, second, '~');
      case 'dns::delete': return rrsets(a, second, '-');
      case 'dns::delegate': return isObject(third) ? [line('+', b, 'NS', third.nameservers, `in ${a}`), ...(texts(third.ds).length ? [line('+', b, 'DS', third.ds, `in ${a}`)] : [])] : [];
      case 'dns::undelegate': return [line('-', b, 'NS', [], `in ${a}`)];
      case 'registrar::set_nameservers': return [line('~', b, 'NS', third, `at ${isObject(first) ? text(first.plugin) : 'the registrar'}`)];
      case 'registrar::set_ds': return [line('~', b, 'DS', (Array.isArray(third) ? third : []).filter(isObject).map((one) => `${String(one.key_tag)} ${String(one.algorithm)} ${String(one.digest_type)} ${text(one.digest)}`), `at ${isObject(first) ? text(first.plugin) : 'the registrar'}`)];
      default: return [];
    }
  });
}

export interface Lasting {
  what: string;
  why: string;
}

/** Functions that can't be taken back, and why: as their modules say. */
export function lastingOps(definitions: unknown): Map<string, string> {
  const found = new Map<string, string>();
  const modules = isObject(definitions) && Array.isArray(definitions.modules) ? definitions.modules : [];
  for (const module of modules.filter(isObject)) {
    for (const one of (Array.isArray(module.functions) ? module.functions : []).filter(isObject)) {
      if (one.class !== 'read' && isObject(one.undo) && typeof one.undo.none === 'string') found.set(text(one.full), one.undo.none);
    }
  }
  return found;
}

/** The plan's steps that no undo takes back. */
export function lastingOf(plan: Plan, ops: ReadonlyMap<string, string>): Lasting[] {
  return plan.steps.filter((step) => !step.undo && step.sign !== 'wait' && ops.has(step.op)).map((step) => {
    const [first] = argumentsOf(step);
    const mail = isObject(first) && first.to !== undefined ? `An e-mail to ${texts(first.to).join(', ')}${text(first.subject) ? `: ${text(first.subject)}` : ''}` : '';
    return { what: mail || `${step.op} ${step.things.join(', ') || text(first)}`.trim(), why: ops.get(step.op)! };
  });
}
