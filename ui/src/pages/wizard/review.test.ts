// A plan as a person reads it.
import { expect, it } from 'vitest';
import { planOf } from '../launch/plan';
import { manyOf } from './doings';
import { costOf, dnsOf, lastingOf, lastingOps, madeBy } from './review';

const step = (op: string, args: unknown[], more: Record<string, unknown> = {}) => ({ op, args: JSON.stringify(args), sign: 'change', things: [], path: op, ...more });
const plan = planOf({
  plan: [
    step('pool::reserve', ['example.net', 'acme'], { sign: 'create', things: ['pool name acme.example.net'] }),
    step('hetzner::create_server', ['main', 'a'], { sign: 'create', things: ['hetzner server main/a'] }),
    step('hetzner::create_server', ['main', 'b'], { sign: 'create', things: ['hetzner server main/b'] }),
    step('hetzner::delete_server', ['main', 'b'], { sign: 'remove', things: ['hetzner server main/b'], undo: true }),
    step('pool::commit', ['example.net', 'acme', '198.18.0.1']),
    step('dns::replace', ['shop.example', [{ name: '@', type: 'A', ttl: 300, records: ['192.0.2.1'] }, { name: 'www', type: 'CNAME', record: 'shop.example' }]]),
    step('registrar::set_nameservers', [{ plugin: 'porkbun' }, 'shop.example', ['ns1.example.net', 'ns2.example.net']]),
    step('notify::email', [{ to: 'ann@acme.example', subject: 'It is there' }]),
    { op: 'dns::replace', args: 'not JSON' },
  ],
});

it('adds up what is made, and leaves out what is undone', () => {
  expect(madeBy(plan)).toEqual([{ kind: 'name', ids: ['acme.example.net'] }, { kind: 'server', ids: ['main/a', 'main/b'] }, { kind: 'e-mail', ids: ['ann@acme.example: It is there'] }]);
  expect(costOf({ total: 50.33, currency: 'EUR', lines: [{ what: 'a', price: 5.49 }, {}], machines: 6 })).toMatchObject({ total: 50.33, machines: 6, lines: [{ what: 'a', price: 5.49 }] });
  expect(costOf(null).total).toBeUndefined();
});

it('says what is made where the inventory keeps nothing of it', () => {
  const made = madeBy(planOf({ plan: [
    step('org::create', ['acme', { title: 'Acme', kind: 'franchisee', owner_email: 'ann@acme.example', quotas: { customers: 5, runs_open: 2 } }]),
    step('org::brand', ['acme', { title: 'Acme Cloud' }]),
    step('voucher::issue', ['acme', { name: 'spring', count: 10, credit: 5_000, currency: 'EUR' }]),
    step('org::remove', ['acme'], { undo: true, sign: 'remove' }),
    step('exec::run', ['true']),
  ] }));
  expect(made).toEqual([
    { kind: 'organisation', ids: ['Acme (acme)'] }, { kind: 'invitation', ids: ['ann@acme.example'] }, { kind: 'limit', ids: ['customers: 5', 'runs open: 2'] },
    { kind: 'look', ids: ['title'] }, { kind: 'batch of vouchers', ids: ['spring: 10 × 50.00 EUR'] },
  ]);
  expect(['organisation', 'batch of vouchers', 'load balancer', 'e-mail'].map(manyOf)).toEqual(['organisations', 'batches of vouchers', 'load balancers', 'e-mails']);
});

it('says what changes in DNS', () => {
  const lines = dnsOf(plan).map((one) => `${one.sign} ${one.name} ${one.type} ${one.values.join(' ')}`.trim());
  expect(lines).toEqual([
    '+ acme.example.net zone',
    ...['acme.example.net', '*.acme.example.net', 'console.acme.example.net', 'api.acme.example.net', 'gitea.acme.example.net', 'harbor.acme.example.net'].map((name) => `+ ${name} A 198.18.0.1`),
    '~ shop.example A 192.0.2.1', '~ www.shop.example CNAME shop.example', '~ shop.example NS ns1.example.net ns2.example.net',
  ]);
});

it('marks what no undo takes back, by what the modules say', () => {
  const ops = lastingOps({ modules: [{ functions: [
    { full: 'notify::email', class: 'keyed', undo: { none: 'what was read can’t be unread' } }, { full: 'hetzner::create_server', class: 'keyed', undo: { op: 'hetzner::delete_server' } },
    { full: 'dns::check', class: 'read', undo: { none: 'nothing was changed' } }, { full: 'hetzner::delete_server', class: 'idempotent', undo: { none: 'gone' } },
  ] }] });
  expect([...ops.keys()]).toEqual(['notify::email', 'hetzner::delete_server']);
  expect(lastingOf(plan, ops)).toEqual([{ what: 'An e-mail to ann@acme.example: It is there', why: 'what was read can’t be unread' }]);
});
