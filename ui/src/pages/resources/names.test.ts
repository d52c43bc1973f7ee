// Of several rows with one name the newest stands for all of them, with the runs of all.
import { afterEach, expect, it, vi } from 'vitest';
import { api } from '$lib/api';
import { keyOf, verdictsOf } from './drift';
import { beginning, byName, MOST_RUNS, namesakes, newerOf, thingsOf, type Named } from './names';

const web = { provider: 'hetzner', kind: 'server', id: 'main/web' };
const row = (origin: string, created_at_ms: number, more: Partial<Named> = {}): Named => ({ ...web, organisation: 'acme', origin, created_at_ms, state: 'live', ...more });
const [old, young] = [row('old', 1), row('new', 2)];

afterEach(() => void vi.restoreAllMocks());

it('takes the newest open row of a name, each organisation by itself', () => {
  const other = row('other', 9, { organisation: 'zeta' });
  const names = byName([young, row('gone', 8, { state: 'gone' }), row('adopted', 9, { state: 'adopted' }), other, old]);
  expect(names.get(keyOf('acme', web))).toEqual([old, young]);
  expect([old, young, other].map((one) => newerOf(one, names)?.origin)).toEqual(['new', undefined, undefined]);
});

it('gives each name once, with the runs of all its open rows', () => {
  const db = row('new', 3, { id: 'main/db' });
  expect(thingsOf([young, db], [old, young, db, row('gone', 5, { state: 'gone' }), row('zeta', 6, { organisation: 'zeta' })])).toEqual([{ ...web, runs: ['old', 'new'] }, { ...web, id: 'main/db', runs: ['new'] }]);
  expect(thingsOf([old, young], [])).toEqual([{ ...web, runs: ['old', 'new'] }]);
  // A row that is gone by now still says whose it was: without runs, whatever has the name would go.
  expect(thingsOf([young], [])).toEqual([{ ...web, runs: ['new'] }]);
  const many = Array.from({ length: 30 }, (_, at) => row(`r${at}`, at));
  const runs = thingsOf([many[29]!], many)[0]!.runs!;
  expect([runs.length, runs[0], runs[1], runs.at(-1)]).toEqual([MOST_RUNS, 'r0', 'r11', 'r29']);
});

it('shows one verdict on all rows of a name', () => {
  const look = { run: 'look', organisation: 'acme', at: 3, output: { things: [{ ...web, state: 'there', found: '' }] } };
  expect([old, young].map((one) => verdictsOf([look]).get(keyOf(one.organisation, one))?.state)).toEqual(['there', 'there']);
});

it('asks for the rows that the list doesn’t show, page by page, one kind after the other', async () => {
  expect([beginning(['main/web', 'main/wild', 'main/w']), beginning(['a', 'b']), beginning([])]).toEqual(['main/w', '', '']);
  const net = row('new', 2, { kind: 'network', id: 'main/net' });
  const asked = api as unknown as { get(path: string, options: { query: { kind: string; cursor?: string } }): Promise<unknown> };
  const get = vi.spyOn(asked, 'get').mockImplementation(async (_, { query }) =>
    query.kind === 'network' ? { items: [net], next: null } : query.cursor ? { items: [young], next: null } : { items: [old, row('x', 1, { id: 'main/web2' })], next: 'more' });
  expect(await namesakes([old, net])).toEqual([old, young, net]);
  expect(get.mock.calls.map(([, options]) => options.query)).toEqual([
    { organisation: 'acme', provider: 'hetzner', kind: 'server', prefix: 'main/web', cursor: undefined, limit: 500 },
    { organisation: 'acme', provider: 'hetzner', kind: 'server', prefix: 'main/web', cursor: 'more', limit: 500 },
    { organisation: 'acme', provider: 'hetzner', kind: 'network', prefix: 'main/net', cursor: undefined, limit: 500 },
  ]);
});
