// Keeping a drawing: saves never meet, what was sent from here is nobody else's, and what is left when the page goes.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Keeper, type Drawn } from './keeper.svelte';

/** A server with one drawing; its answers wait until they are let go. */
const server = { text: '', base: '', version: 0, busy: 0, most: 0, puts: [] as { text: string; keepalive: boolean; headers: Record<string, string> }[], loses: 0, down: false };
let waiting: (() => void)[] = [];
let held = false;
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' } });
const view = () => ({ organisation: 'platform', lab: 'x', text: server.text, base: server.base, by: 'ann', version: server.version, updated_at_ms: 0 });

beforeEach(() => {
  Object.assign(server, { text: '', base: '', version: 0, busy: 0, most: 0, puts: [], loses: 0, down: false });
  [waiting, held] = [[], false];
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    if (init.method === 'GET') return server.version ? json(200, view()) : json(404, { code: 'not_found', detail: 'none' });
    const [headers, body] = [init.headers as Record<string, string>, JSON.parse(init.body as string) as Drawn];
    server.puts.push({ text: body.text, keepalive: init.keepalive === true, headers });
    server.most = Math.max(server.most, (server.busy += 1));
    if (held) await new Promise<void>((go) => waiting.push(go));
    server.busy -= 1;
    if (server.down) throw new TypeError('no way there');
    const fits = headers['if-none-match'] === '*' ? !server.version : headers['if-match'] === `"${server.version}"`;
    if (!fits) return json(412, { code: 'precondition_failed', detail: 'somebody was faster' });
    Object.assign(server, body, { version: server.version + 1 });
    if (server.loses-- > 0) throw new TypeError('the answer was lost');
    return json(200, { version: server.version });
  });
});
afterEach(() => vi.unstubAllGlobals());

function drawing(text: string) {
  const drawn = { text, base: '' };
  return { drawn, keeper: new Keeper('x', {}, server.version ? view() : null, () => ({ ...drawn })) };
}
const settle = async () => {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
};
async function letGo() {
  while (waiting.length) {
    waiting.shift()!();
    await settle();
  }
}

it('saves that come while one is under way wait, and the newest text is the next one', async () => {
  const { drawn, keeper } = drawing('one');
  await keeper.now();
  held = true;
  drawn.text = 'two';
  const saves = [keeper.now()];
  await settle();
  // Two more ask while it is under way: both waited for it, and went off together.
  drawn.text = 'three';
  saves.push(keeper.now());
  drawn.text = 'four';
  saves.push(keeper.now());
  await settle();
  await letGo();
  await Promise.all(saves);
  expect(server.most).toBe(1);
  expect(server.puts.map((put) => put.text)).toEqual(['one', 'two', 'four']);
  expect([keeper.state, server.text, server.version]).toEqual(['kept', 'four', 3]);
});

it('what is typed while a save is under way is not told as kept', async () => {
  const { drawn, keeper } = drawing('one');
  held = true;
  keeper.later();
  const save = keeper.now();
  await settle();
  drawn.text = 'two';
  await letGo();
  await save;
  expect(keeper.state).toBe('keeping');
});

it('the first save makes the drawing, and never takes somebody else’s place', async () => {
  const [mine, theirs] = [drawing('mine'), drawing('theirs')];
  await theirs.keeper.now();
  await mine.keeper.now();
  expect(server.puts.map((put) => put.headers['if-none-match'])).toEqual(['*', '*']);
  expect([mine.keeper.state, server.text]).toEqual(['other', 'theirs']);
  // From then on nothing is sent, however much is typed.
  mine.drawn.text = 'mine, more';
  mine.keeper.later();
  await mine.keeper.now();
  expect([mine.keeper.state, server.puts.length]).toEqual(['other', 2]);
});

it('a save whose answer was lost is no change of somebody else’s', async () => {
  const { drawn, keeper } = drawing('one');
  await keeper.now();
  server.loses = 1;
  drawn.text = 'two';
  await keeper.now();
  expect(keeper.state).toBe('failed');
  drawn.text = 'three';
  await keeper.now();
  expect([keeper.state, server.text]).toEqual(['kept', 'three']);
  // But another text is.
  Object.assign(server, { text: 'theirs', version: 9 });
  drawn.text = 'four';
  await keeper.now();
  expect([keeper.state, server.text]).toEqual(['other', 'theirs']);
});

it('what browsers send for a page that is gone is sent so, and whoever leaves is asked about the rest', async () => {
  const { drawn, keeper } = drawing('');
  expect([keeper.leave(), server.puts.length]).toEqual([true, 0]);
  drawn.text = '#'.repeat(59_000);
  expect(keeper.leave()).toBe(true);
  await settle();
  expect(server.puts.at(-1)).toMatchObject({ keepalive: true });
  expect([keeper.leave(), server.puts.length]).toEqual([true, 1]);
  // Bytes count, not letters; and what JSON makes of them.
  for (const large of ['#'.repeat(60_001), 'é'.repeat(31_000), '"\n'.repeat(16_000)]) {
    drawn.text = large;
    keeper.later();
    expect(keeper.leave(), `${large.length} of ${large[0]}`).toBe(false);
    await settle();
    expect(server.puts.at(-1)).toMatchObject({ keepalive: false, text: large });
    expect(keeper.leave()).toBe(true);
  }
});

it('a text that has to wait for another one isn’t surely kept when the page goes', async () => {
  const { drawn, keeper } = drawing('');
  held = true;
  drawn.text = 'one';
  void keeper.now();
  await settle();
  expect(keeper.leave()).toBe(true);
  drawn.text = 'two';
  expect(keeper.leave()).toBe(false);
  await letGo();
  expect(server.text).toBe('two');
  server.down = true;
  held = false;
  drawn.text = 'three';
  await keeper.now();
  expect([keeper.state, keeper.leave()]).toEqual(['failed', false]);
});

it('what was thrown away isn’t kept again', async () => {
  const { drawn, keeper } = drawing('one');
  await keeper.now();
  keeper.end();
  drawn.text = 'two';
  keeper.later();
  await keeper.now();
  expect([keeper.leave(), server.puts.length]).toEqual([true, 1]);
});
