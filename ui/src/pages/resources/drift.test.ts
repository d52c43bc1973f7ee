// The newest look counts, each organisation's by itself.
import { expect, it } from 'vitest';
import { destroyHref, keyOf, replacements, strangersOf, thingOfRow, verdictsOf } from './drift';

const web = { provider: 'hetzner', kind: 'server', id: 'main/web' };
const output = (state: string, strangers: unknown[] = []) => ({ things: [{ ...web, state, found: 'off' }], strangers });

it('takes the newest verdict of each thing', () => {
  const looks = [
    { run: 'old', organisation: 'platform', at: 1, output: output('gone', [{ ...web, id: 'main/old' }]) }, { run: 'new', organisation: 'platform', at: 3, output: output('differs', [{ ...web, id: 'main/lost' }]) },
    { run: 'acme', organisation: 'acme', at: 2, output: output('there') }, { run: 'odd', organisation: 'odd', at: 9, output: { things: [{ ...web, state: 'nonsense' }, 'x'], strangers: null } },
  ];
  const verdicts = verdictsOf(looks);
  expect(verdicts.get(keyOf('platform', web))).toEqual({ state: 'differs', found: 'off', at: 3, run: 'new' });
  expect(verdicts.get(keyOf('acme', web))?.state).toBe('there');
  expect(verdicts.size).toBe(2);
  expect(strangersOf(looks).map((one) => [one.organisation, one.id])).toEqual([['platform', 'main/lost']]);
});

it('tells two of one name apart by the runs that made them', () => {
  const row = (origin: string, created_at_ms: number, more = {}) => ({ ...web, organisation: 'acme', run: 'heir', origin, created_at_ms, state: 'live', ...more });
  const [old, young] = [row('old', 1), row('new', 2)];
  const look = { run: 'look', organisation: 'acme', at: 3, output: { things: [{ ...thingOfRow(old), state: 'gone', found: 'run new has it' }, { ...thingOfRow(young), state: 'there', found: '' }] } };
  expect([old, young].map((one) => verdictsOf([look]).get(keyOf('acme', thingOfRow(one)))?.state)).toEqual(['gone', 'there']);
  expect(destroyHref([thingOfRow(old)], 'acme')).toContain(encodeURIComponent('"run":"old"'));
  expect(replacements([young, old, row('gone', 9, { state: 'gone' }), row('other', 9, { organisation: 'zeta' })])).toEqual(new Map([[keyOf('acme', thingOfRow(old)), 'new']]));
});

it('launches what is listed and nothing else', () => {
  const href = destroyHref([{ ...web, extra: 1 } as never], 'acme & co');
  expect(href).toContain('?for=acme%20%26%20co&');
  expect(JSON.parse(decodeURIComponent(href.split('input=')[1]!))).toEqual({ things: [web] });
});
