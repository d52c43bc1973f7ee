// What a run's page for everybody shows.
import { expect, it } from 'vitest';
import { addressesOf, blocksOf, componentsOf, factsOf, linked, nextOf } from './story';

it('shows components in the run’s order, pending until something is said of them', () => {
  const annotations = new Map<string, unknown>([['components', ['cilium', 'flux']], ['acme/cp-1/k3s', 'installing'], ['acme/cp-1/cilium', 'installed'], ['domain', 'acme.example'], ['a/b', 'something else']]);
  expect(componentsOf(annotations)).toEqual([{ id: 'cilium', state: 'installed', on: 'cp-1' }, { id: 'flux', state: 'pending', on: '' }, { id: 'k3s on cp-1', state: 'installing', on: 'cp-1' }]);
  expect(factsOf(annotations)).toEqual([{ label: 'domain', value: 'acme.example' }, { label: 'a/b', value: 'something else' }]);
});

it('offers only addresses that a browser may open, and next steps that are filled in', () => {
  expect(addressesOf({ console: 'https://console.acme.example', script: 'javascript:alert(1)', login: 'https://a:b@c.example', name: 'x' })).toEqual([{ label: 'console', url: 'https://console.acme.example/' }]);
  const hint = [{ title: 'Destroy it', run: 'provision/destroy', input: { name: '{name}', domain: '{domain}' } }, { title: 'Other', run: 'a/b', input: { x: '{nothing}' } }, 'none'];
  expect(nextOf(hint, { name: 'acme' }, { domain: 'acme.example' }).map((one) => decodeURIComponent(one.href))).toEqual(['/launch/provision/destroy?input={"name":"acme","domain":"acme.example"}']);
  const pages = ['/organisations/{name}', '/x/{nothing}', '//evil.example/{name}', 'https://evil.example', '/'].map((page) => ({ title: 'Look', page }));
  expect(nextOf(pages, { name: 'a/b' }, {}).map((one) => one.href)).toEqual(['/organisations/a%2Fb', '/']);
});

it('reads reports', () => {
  expect(blocksOf('# A\n\nConsole: https://c.example\n\n| a | b |\n|---|---|\n| 1 | 2 |\n- x\n- y')).toEqual([
    { kind: 'heading', level: 1, text: 'A' }, { kind: 'text', text: 'Console: https://c.example' }, { kind: 'table', head: ['a', 'b'], rows: [['1', '2']] }, { kind: 'list', items: ['x', 'y'] },
  ]);
  expect(linked('see https://c.example now')).toEqual([{ text: 'see ' }, { text: 'https://c.example', url: 'https://c.example' }, { text: ' now' }]);
});
