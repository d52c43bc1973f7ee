// A lab in the browser: drawn by the mouse, deployed with its plan, broken and mended, with real namespaces and links of the kernel.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { looks, open, picture, Server, until } from './harness';

let server: Server;
let page: Page;
const LAB = 'drawn';

/** The kernel's own word about a namespace of a lab. */
const spaces = () => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
interface View { document: { links: { state: string; impairment?: object }[] } | null; actual: { net: { namespaces: { name: string; path: string; interfaces: { at: string; up: boolean }[] }[] } } }
const lab = () => server.api<View>('GET', `/labs/${LAB}`);
const space = async (name: string) => (await lab()).actual.net.namespaces.find((one) => one.name === name)!.path;
const inside = async (node: string, ...argv: string[]) => execFileSync('nsenter', [`--net=${await space(node)}`, ...argv], { encoding: 'utf8' });
const node = (name: string) => page.locator(`.svelte-flow__node[data-id="node/${name}"]`);
const link = (id: string) => page.locator(`.svelte-flow__edge[data-id="${id}"]`);
const told = (id: string, state: RegExp) => until(`${id} to be ${state}`, async () => state.test((await link(id).getAttribute('aria-label')) ?? ''));

/** Drags from the middle of one thing to another place, in steps as a hand does. */
async function drag(from: { x: number; y: number }, to: { x: number; y: number }) {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 6 });
  await page.mouse.move(to.x, to.y, { steps: 6 });
  await page.mouse.up();
}
async function middle(of: ReturnType<typeof node>) {
  const box = (await of.boundingBox())!;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

beforeAll(async () => {
  server = await Server.start();
  page = await open(server, '/labs');
});
afterAll(async () => {
  const run = await server.launch('lab/destroy', { lab: LAB });
  await server.reaches(run, 'succeeded');
});

it('begins with an empty list that says what to do', async () => {
  await page.getByText('No lab yet').waitFor();
  await looks(page, 'labs-empty');
  await page.getByRole('button', { name: 'New lab' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill(LAB);
  await page.getByLabel('Nothing').check();
  await page.getByRole('button', { name: 'Draw it' }).click();
  await page.getByText('Drag a host here from the left').waitFor();
  expect(new URL(page.url()).pathname).toBe(`/labs/${LAB}`);
});

it('is drawn by the mouse: hosts from the palette, a link from a point of one to the other', async () => {
  const canvas = (await page.locator('.canvas').boundingBox())!;
  const host = page.getByRole('group', { name: 'Add to the lab' }).getByRole('button', { name: 'Host', exact: true });
  await host.dragTo(page.locator('.canvas'), { targetPosition: { x: canvas.width * 0.25, y: canvas.height * 0.35 } });
  await host.dragTo(page.locator('.canvas'), { targetPosition: { x: canvas.width * 0.75, y: canvas.height * 0.35 } });
  await node('h1').waitFor();
  await node('h2').waitFor();
  const point = (await node('h1').locator('.lab-point.svelte-flow__handle-right').boundingBox())!;
  await drag({ x: point.x + point.width / 2, y: point.y + point.height / 2 }, await middle(node('h2')));
  await link('h1:eth0 – h2:eth0').waitFor({ state: 'attached' });
  // Its ends get addresses where one sets all else.
  await page.getByLabel('Addresses of h1:eth0').fill('10.61.0.1/24');
  await page.getByLabel('Addresses of h1:eth0').blur();
  await page.getByLabel('Addresses of h2:eth0').fill('10.61.0.2/24');
  await page.getByLabel('Addresses of h2:eth0').blur();
  const drawn = await until('the drawing to be kept', async () => {
    const kept = await server.api<{ text: string }>('GET', `/labs/${LAB}/drawing`);
    return kept.text.includes('10.61.0.2/24') && kept;
  });
  expect(drawn.text).toContain('h1:eth0');
  expect(drawn.text).toMatch(/name: h1/);
});

it('what is dragged is kept in the document, and is there when the page is opened again', async () => {
  const before = await middle(node('h2'));
  await drag(before, { x: before.x + 10, y: before.y + 120 });
  const position = (text: string) => /name: h2[\s\S]*?y: (-?\d+)/.exec(text)?.[1];
  const first = position((await server.api<{ text: string }>('GET', `/labs/${LAB}/drawing`)).text);
  const now = await until('the new place to be kept', async () => {
    const kept = position((await server.api<{ text: string }>('GET', `/labs/${LAB}/drawing`)).text);
    return kept !== first ? kept : undefined;
  });
  expect(Number(now)).toBeGreaterThan(Number(first));
  await page.reload();
  await node('h2').waitFor();
  const [a, b] = [await middle(node('h1')), await middle(node('h2'))];
  expect(b.y - a.y).toBeGreaterThan(60);
});

it('is deployed with the plan first, and then it is there', async () => {
  await page.getByRole('button', { name: 'Deploy…' }).click();
  const plan = page.getByRole('list', { name: 'What will be done' });
  await plan.waitFor();
  expect(await plan.innerText()).toMatch(/add[\s\S]*h1/);
  await picture(page, 'lab-plan');
  await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
  await told('h1:eth0 – h2:eth0', /, up/);
  await until('the nodes to run', async () => /running/.test((await node('h1').getAttribute('aria-label')) ?? ''));
  await page.locator('.facts').getByText('deployed', { exact: true }).waitFor();
  await until('what is drawn to be what is deployed', async () => (await page.locator('.facts').getByText('edited').count()) === 0);
  expect(await inside('h1', 'ping', '-c1', '-W2', '10.61.0.2')).toContain('1 received');
});

it('a cable is pulled and plugged in, and packets stop and flow', async () => {
  await page.getByRole('heading', { name: 'The lab' }).waitFor();
  await link('h1:eth0 – h2:eth0').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Pull the cable' }).click();
  await told('h1:eth0 – h2:eth0', /, down/);
  await expect(inside('h1', 'ping', '-c1', '-W1', '10.61.0.2')).rejects.toThrow();
  await until('the document to tell it', async () => (await lab()).document!.links[0]!.state === 'down');
  await page.getByRole('button', { name: 'Plug it in' }).click();
  await told('h1:eth0 – h2:eth0', /, up/);
  expect(await inside('h1', 'ping', '-c1', '-W2', '10.61.0.2')).toContain('1 received');
  await until('the document to be the deployed one', async () => (await page.locator('.facts').getByText('edited').count()) === 0);
});

it('packets are impaired on a link that lives', async () => {
  await page.getByLabel('Rate, kbit/s').fill('2000');
  await page.getByRole('button', { name: 'Apply now' }).click();
  await until('the kernel to shape it', async () => (await inside('h1', 'tc', 'qdisc', 'show', 'dev', 'eth0')).includes('tbf'));
  await until('the picture to say so', async () => (await page.locator('.said').allInnerTexts().catch(() => [])).length >= 0 && /2 Mbit/.test((await link('h1:eth0 – h2:eth0').textContent()) ?? ''));
  await until('the document to be the deployed one', async () => (await page.locator('.facts').getByText('edited').count()) === 0);
});

it('a console is typed into and answers', async () => {
  await node('h1').click();
  await page.getByRole('button', { name: 'Shell' }).click();
  await page.getByText('you type').waitFor();
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('echo says $((6*7)); ip -br addr show eth0\n');
  await until('the answer', async () => /says 42/.test(await page.locator('.xterm-rows').innerText()));
  // Colours of all kinds: the Content-Security-Policy refuses styles that a terminal writes carelessly.
  await page.keyboard.type("printf '\\033[38;2;120;200;80mgreen\\033[0m\\n'\n");
  await until('a colour', async () => /120, 200, 80/.test(await page.locator('.xterm-rows span').evaluateAll((all) => all.map((one) => getComputedStyle(one).color).join(';'))));
  await until('its address', async () => /10\.61\.0\.1\/24/.test(await page.locator('.xterm-rows').innerText()));
  await picture(page, 'lab-console');
});

it('a console is resized, and goes into a window of its own', async () => {
  const edge = page.getByRole('separator', { name: 'Height of the consoles' });
  const before = Number(await edge.getAttribute('aria-valuenow'));
  await edge.focus();
  await page.keyboard.press('PageUp');
  expect(Number(await edge.getAttribute('aria-valuenow'))).toBeGreaterThan(before);
  const [popup] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: /in a window of its own/ }).click()]);
  await popup.getByText('you type').waitFor();
  // It is the same terminal: what was typed is still in sight.
  await until('the terminal to be the same', async () => /says 42/.test(await popup.locator('.xterm-rows').innerText()));
  expect(new URL(popup.url()).pathname).toBe(`/labs/${LAB}/console/h1`);
  await popup.close();
});

it('a link that is removed by hand is seen as missing, and one that is added by hand as discovered', async () => {
  const path = await space('h1');
  execFileSync('nsenter', [`--net=${path}`, 'ip', 'link', 'add', 'extra0', 'type', 'veth', 'peer', 'name', 'extra1']);
  await page.locator('.svelte-flow__edge[data-id^="found/h1:extra"]').first().waitFor({ state: 'attached' });
  execFileSync('nsenter', [`--net=${path}`, 'ip', 'link', 'del', 'eth0']);
  await told('h1:eth0 – h2:eth0', /missing/);
  await picture(page, 'lab-missing');
  // Deploying puts it right.
  await page.getByRole('button', { name: 'Deploy…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
  await told('h1:eth0 – h2:eth0', /, up/);
  await until('the extra link to be gone', async () => (await page.locator('.svelte-flow__edge[data-id^="found/"]').count()) === 0);
  expect(spaces()).toBeTruthy();
});
