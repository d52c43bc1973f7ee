// The newest look counts, each organisation's by itself.
import { expect, it } from 'vitest';
import { destroyHref, keyOf, strangersOf, verdictsOf } from './drift';

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

it('launches what is listed and nothing else', () => {
  const href = destroyHref([{ ...web, extra: 1 } as never], 'acme & co');
  expect(href).toContain('?for=acme%20%26%20co&');
  expect(JSON.parse(decodeURIComponent(href.split('input=')[1]!))).toEqual({ things: [web] });
  const owned = destroyHref([{ ...web, runs: ['old', 'new'] }], 'acme');
  expect(JSON.parse(decodeURIComponent(owned.split('input=')[1]!))).toEqual({ things: [{ ...web, runs: ['old', 'new'] }] });
});
