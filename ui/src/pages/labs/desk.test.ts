// An open lab: what others have deployed stays told, and what was done from here is nobody else's.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { Desk } from './desk.svelte';

type Document = { name: string; nodes: { name: string }[]; links?: { endpoints: { at: string }[]; state?: string }[] };
let there: Document | null = null;
let looks: Promise<void> | null = null;
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' } });
const view = () => ({ organisation: 'platform', lab: 'x', document: there, actual: {}, plan: null });

beforeEach(() => {
  [there, looks] = [null, null];
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    const body = init.body ? (JSON.parse(init.body as string) as { text?: string }) : {};
    if (address.includes('/check')) return json({ document: parse(body.text!), yaml: body.text, size: {} });
    if (address.includes('/drawing')) return json({ version: 1 });
    if (address.includes('/runs')) return json({ id: 'run' });
    const seen = structuredClone(view());
    await looks;
    return seen.document ? json(seen) : json({ code: 'not_found', detail: 'none' }, 404);
  });
});
afterEach(() => vi.unstubAllGlobals());

const drawn = (...nodes: string[]) => ({ name: 'x', nodes: nodes.map((name) => ({ name })), links: [{ endpoints: [{ at: 'a:eth0' }, { at: 'b:eth0' }] }] });
async function desk(document: Document) {
  const one = new Desk('x', 'platform', { view: there ? (structuredClone(view()) as never) : null, drawing: null, yaml: JSON.stringify(document) });
  await one.right();
  return one;
}
async function type(one: Desk, document: Document) {
  one.type(JSON.stringify(document));
  await one.right();
}

it('one’s own deployment is nobody else’s; another one is told until it is looked at', async () => {
  const one = await desk(drawn('a', 'b'));
  const { ended } = await one.deploy();
  there = drawn('a', 'b');
  await one.look();
  await type(one, drawn('a', 'b', 'c'));
  // Not even while the run's end isn't known here.
  expect([one.edited, one.elsewhere]).toEqual([true, false]);
  await ended(true);
  expect([one.edited, one.elsewhere]).toEqual([true, false]);

  there = drawn('a', 'b', 'theirs');
  await one.look();
  expect(one.elsewhere).toBe(true);
  // A run of one's own that changes no document tells nothing of it.
  await (await one.change('lab/verify', { lab: 'x' })).ended(true);
  expect(one.elsewhere).toBe(true);
  one.keepDrawn();
  expect(one.elsewhere).toBe(false);
});

it('what somebody deploys between one’s own deployment and its end is told', async () => {
  const one = await desk(drawn('a', 'b'));
  const { ended } = await one.deploy();
  there = drawn('theirs');
  await ended(true);
  expect(one.elsewhere).toBe(true);
});

it('a deployment that fails makes nothing one’s own', async () => {
  there = drawn('theirs');
  const one = await desk(drawn('theirs'));
  await type(one, drawn('a', 'b'));
  const { ended } = await one.deploy();
  there = drawn('a', 'b');
  await one.look();
  await type(one, drawn('a'));
  await ended(false);
  expect(one.elsewhere).toBe(true);
});

it('a cable that one pulls is one’s own, and hides nothing else that came with it', async () => {
  there = drawn('a', 'b');
  const one = await desk(drawn('a', 'b'));
  await type(one, drawn('a', 'b', 'c'));
  const pulled = { ...drawn('a', 'b'), links: [{ ...drawn().links[0]!, state: 'down' }] };
  let change = await one.change('lab/set-link', { lab: 'x', at: 'a:eth0', state: 'down' });
  there = pulled;
  await change.ended(true);
  expect(one.elsewhere).toBe(false);
  change = await one.change('lab/set-link', { lab: 'x', at: 'a:eth0', state: 'up' });
  there = drawn('a', 'b', 'theirs');
  await change.ended(true);
  expect(one.elsewhere).toBe(true);
});

it('a look that is asked for while another one is under way sees what is there by then', async () => {
  there = drawn('a', 'b');
  const one = await desk(drawn('a', 'b'));
  let go = () => {};
  looks = new Promise((resolve) => (go = resolve));
  const first = one.look();
  there = drawn('later');
  const second = one.look();
  go();
  await Promise.all([first, second]);
  expect((one.view!.document as unknown as Document).nodes[0]!.name).toBe('later');
});
