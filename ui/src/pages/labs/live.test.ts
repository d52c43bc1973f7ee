// What is there beside what is drawn: states of nodes and links, and links that nobody has drawn.
import { expect, it } from 'vitest';
import { read } from './document';
import { liveOf, type Actual, type Plan } from './live';
import { sceneOf } from './scene';

const scene = sceneOf(read('name: demo\nnetworks: [{ name: lan }]\nnodes:\n  - { name: a }\n  - { name: b, image: x }\n  - { name: new }\nlinks:\n  - endpoints: ["a:eth0", "b:eth0"]\n  - endpoints: ["a:eth1", lan]\n'));
const deployed = sceneOf(read('name: demo\nnetworks: [{ name: lan }]\nnodes:\n  - { name: a }\n  - { name: b, image: x }\nlinks:\n  - endpoints: ["a:eth0", "b:eth0"]\n  - endpoints: ["a:eth1", lan]\n'));
const port = (at: string, up = true, more = {}) => ({ at, up, kind: 'veth', mtu: 1500, peer: null, bridge: null, addresses: [], ...more });
const actual = (): Actual => ({
  net: { namespaces: [{ name: 'a', interfaces: [port('a:eth0'), port('a:eth1')] }, { name: 'b', interfaces: [port('b:eth0')] }], links: [port('lan', true, { kind: 'bridge' }), port('a:eth1@host')] },
  docker: [{ name: 'b', status: 'running', health: 'unhealthy' }], qemu: [], unknown: {},
});
const plan = (...differences: Plan['differences']): Plan => ({ same: !differences.length, summary: '', differences });

it('tells nodes that run, are unhealthy, stopped, missing, and not deployed', () => {
  const now = actual();
  const states = () => Object.fromEntries([...liveOf(scene, deployed, now, plan()).nodes].map(([id, state]) => [id, state.state]));
  expect(states()).toEqual({ 'network/lan': 'running', 'node/a': 'running', 'node/b': 'unhealthy', 'node/new': 'new' });
  now.docker[0] = { name: 'b', status: 'exited' };
  now.net.namespaces.shift();
  expect(states()).toMatchObject({ 'node/a': 'missing', 'node/b': 'stopped' });
  now.unknown = { docker: 'no daemon' };
  expect(states()).toMatchObject({ 'node/b': 'unknown' });
  expect([...liveOf(scene, null, null, null).nodes.values()].every((one) => one.state === 'new')).toBe(true);
});

it('tells links that are up, down, missing and changed', () => {
  const state = (now: Actual, then: Plan) => liveOf(scene, deployed, now, then).links.get('a:eth0 – b:eth0');
  expect(state(actual(), plan())?.state).toBe('up');
  const cut = actual();
  cut.net.namespaces[0]!.interfaces[0]!.up = false;
  expect(state(cut, plan({ action: 'change', kind: 'link', name: 'a:eth0 – b:eth0', why: 'it is down' }))).toEqual({ state: 'down', why: 'it is down' });
  const gone = actual();
  gone.net.namespaces[1]!.interfaces = [];
  expect(state(gone, plan())?.state).toBe('missing');
  expect(state(actual(), plan({ action: 'change', kind: 'link', name: 'a:eth0 – b:eth0', why: 'its MTU isn’t 1400' }))?.state).toBe('changed');
  expect(state(actual(), plan({ action: 'add', kind: 'address', name: 'a:eth0 10.0.0.1/24', why: 'it isn’t there' }))?.state).toBe('changed');
});

it('finds links that no document has, once', () => {
  const now = actual();
  now.net.namespaces[0]!.interfaces.push(port('a:x0', true, { peer: 'b:x0' }));
  now.net.namespaces[1]!.interfaces.push(port('b:x0', true, { peer: 'a:x0' }));
  now.net.namespaces[0]!.interfaces.push(port('a:eth9', true));
  const found = liveOf(scene, deployed, now, plan({ action: 'remove', kind: 'link', name: 'a:x0 – b:x0', why: '' })).discovered;
  // What a container's own programs have made isn't in the plan, and is none.
  expect(found.map((one) => [one.at, one.to])).toEqual([['a:x0', 'node/b']]);
});
