// Labs of containers and machines in the browser: states of containers, shells in them, a machine's serial line and its screen.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { Docker, guest } from './docker';
import { Guacd } from './guacd';
import { expectComplaint, open, picture, pictures, Server, until } from './harness';
import { keep } from './pictures';

let docker: Docker;
let guacd: Guacd;
let server: Server;
let page: Page;
const IMAGE = 'windlass-test/busybox:1';
const LAB = 'mixed';
const text = `name: ${LAB}
title: A container and a machine
networks:
  - { name: lan, position: { x: 240, y: 150 } }
nodes:
  - name: box
    image: ${IMAGE}
    command: [sleep, "1000000"]
    env: { GREETING: hello }
    health: { command: [test, "!", -e, /tmp/sick], interval_s: 1, retries: 1 }
    position: { x: 0, y: 0 }
  - name: vm
    kernel: vmlinuz
    initrd: initrd.gz
    append: console=ttyS0 quiet address=10.66.0.2/24
    memory_mb: 96
    vnc: true
    ready: { serial: "guest#", within: 3m }
    position: { x: 480, y: 0 }
links:
  - endpoints: [lan, { at: "box:eth0", addresses: [10.66.0.1/24] }]
  - endpoints: ["vm:eth0", lan]
`;
const node = (name: string) => page.locator(`.svelte-flow__node[data-id="node/${name}"]`);
const label = async (name: string) => (await node(name).getAttribute('aria-label')) ?? '';
const container = () => docker.run('ps', '--all', '--format', '{{.Names}} {{.Image}}').split('\n').find((line) => line.includes(IMAGE))!.split(' ')[0]!;

beforeAll(async () => {
  docker = await Docker.start();
  docker.makeImage(IMAGE);
  guacd = await Guacd.start();
  server = await Server.start({ settings: `[hosts.docker]\nsocket = "${docker.socket}"\n[hosts.qemu]\naccelerator = "tcg"\nimages = ["${guest()}"]\n[hosts.guacamole]\nguacd = "${guacd.address}"\n` });
  await server.api('PUT', `/labs/${LAB}/drawing`, { text });
  page = await open(server, `/labs/${LAB}`);
}, 180_000);
afterAll(async () => {
  await server.reaches(await server.launch('lab/destroy', { lab: LAB }), 'succeeded');
  guacd.stop();
  await docker.stop();
}, 60_000);

it('is deployed from its page: a healthy container, a machine that has booted', async () => {
  await node('vm').waitFor();
  await page.getByRole('button', { name: 'Deploy…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
  await until('both to run', async () => /running/.test(await label('box')) && /running/.test(await label('vm')), 80);
  await page.getByText('the lab is what its document says').waitFor({ timeout: 80_000 });
  await picture(page, 'lab-mixed');
}, 180_000);

it('tells a container that gets sick, one that is stopped, and starts it again', async () => {
  docker.run('exec', container(), 'touch', '/tmp/sick');
  await until('it to be unhealthy', async () => /unhealthy/.test(await label('box')));
  docker.run('exec', container(), 'rm', '/tmp/sick');
  await until('it to be healthy', async () => /running/.test(await label('box')));
  docker.run('kill', container());
  await until('it to be stopped', async () => /stopped/.test(await label('box')));
  await page.getByRole('button', { name: 'Deploy…' }).click();
  await page.getByText('1 to start').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
  await until('it to run again', async () => /running/.test(await label('box')), 60);
});

it('pulls a cable whose network is written first', async () => {
  const link = page.locator('.svelte-flow__edge', { has: page.locator('[aria-label*="box:eth0"]') }).or(page.locator('.svelte-flow__edge[aria-label*="box:eth0"]')).first();
  await link.focus();
  await page.keyboard.press('Enter');
  const cable = page.getByRole('group', { name: 'The cable' });
  for (const [act, state] of [['Pull the cable', 'down'], ['Plug it in', 'up']] as const) {
    // A press while the one before still works does nothing.
    await cable.locator('button:not([aria-busy="true"])', { hasText: act }).click();
    await until(`it to be ${state}`, async () => {
      const { document } = await server.api<{ document: { links: { state?: string; endpoints: { at?: string }[] }[] } }>('GET', `/labs/${LAB}`);
      return (document.links.find((one) => one.endpoints.some((end) => end.at === 'box:eth0'))?.state ?? 'up') === state;
    });
    await cable.getByRole('button', { name: act === 'Plug it in' ? 'Pull the cable' : 'Plug it in' }).waitFor();
  }
});

it('opens a shell in the container', async () => {
  await node('box').click();
  await page.getByRole('button', { name: 'Shell' }).click();
  await page.getByText('you type').waitFor();
  await page.keyboard.type('echo in-$GREETING-$((6*7))\n');
  await until('the answer', async () => /in-hello-42/.test(await page.locator('.xterm-rows').innerText()));
});

it('opens the machine’s serial line beside it, and its screen', async () => {
  await node('vm').click();
  await page.getByRole('button', { name: 'Serial line' }).click();
  const shown = page.locator('.one:not(.away)');
  await shown.getByText('you type').waitFor();
  await shown.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('\necho serial-$((6*7))\n');
  await until('the guest to answer', async () => /serial-42/.test(await shown.locator('.xterm-rows').innerText()), 40);
  await page.getByRole('button', { name: 'Screen', exact: true }).click();
  await shown.getByText('you type').waitFor();
  // noVNC draws what the machine shows: the screen has the size that it told.
  const size = await until('a screen', async () => shown.locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => canvas.width > 100 && [canvas.width, canvas.height]).catch(() => undefined));
  expect(size[0]).toBeGreaterThanOrEqual(320);
  await shown.getByRole('button', { name: 'Ctrl-Alt-Del' }).waitFor();
  await page.getByRole('tab').nth(0).click();
  await until('the container’s shell to be as it was', async () => /in-hello-42/.test(await shown.locator('.xterm-rows').innerText()));
  await keep(page, 'lab-consoles');
});

it('opens the screen by way of guacd: what it draws is seen, what is typed arrives', async () => {
  await node('vm').click();
  await page.getByRole('button', { name: 'Screen by guacd' }).click();
  const shown = page.locator('.one:not(.away)');
  await shown.getByText('you type').waitFor();
  const colour = () => shown.locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => [...canvas.getContext('2d')!.getImageData(10, 10, 1, 1).data].slice(0, 3));
  await until('the colour that guacd has drawn', async () => (await colour().catch(() => [])).join() === '20,120,220');
  await shown.getByRole('application').focus();
  await page.keyboard.press('a');
  await until('the key to arrive', () => guacd.heard.some((parts) => parts[0] === 'key' && parts[1] === '97' && parts[2] === '1'));
  await until('the picture to be acknowledged', () => guacd.heard.some((parts) => parts[0] === 'sync'));
});

it('takes all that is typed in a screen for the node, and none of it for the page', async () => {
  const [before, here] = [guacd.heard.length, page.url()];
  const keys = () => guacd.heard.slice(before).filter((parts) => parts[0] === 'key' && parts[2] === '1').map((parts) => String.fromCharCode(Number(parts[1]))).join('');
  // A click is enough to type into it.
  await page.getByRole('tab', { name: /guacd/ }).focus();
  await page.locator('.one:not(.away)').getByRole('application').click();
  // `g r` goes to the runs elsewhere, `l` adds a link, and `?` shows all keys.
  await page.keyboard.type('ls ?grep');
  await until('all keys to arrive', () => keys().length >= 8);
  expect(keys().replace(/[^ -~]/g, '')).toBe('ls ?grep');
  expect([page.url(), await page.getByRole('dialog').count()]).toEqual([here, 0]);
});

it('leaves a screen with the keyboard alone, and comes back', async () => {
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-tab'));
  await page.locator('.one:not(.away)').getByText('Control and ] leaves it').waitFor();
  await page.keyboard.press('Control+]');
  expect(await focused()).toBe('vm/guac');
  // Control isn't held in the node for ever.
  const control = () => guacd.heard.filter((parts) => parts[0] === 'key' && ['65507', '65508'].includes(parts[1]!)).at(-1)?.[2];
  await until('Control to be let go', () => control() === '0');
  await page.getByRole('tab', { name: /^vm screen$/ }).click();
  await page.getByRole('application', { name: 'Screen of vm; Control and ] leaves it' }).and(page.locator('canvas')).focus();
  await page.keyboard.press('Control+]');
  expect(await focused()).toBe('vm/vnc');
});

it('opens a shell again whose server was away for a while, once', async () => {
  await page.getByRole('tab', { name: /^box shell$/ }).click();
  const shown = page.locator('.one:not(.away)');
  expectComplaint(/WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|Failed when connecting/);
  let tries = 0;
  page.on('websocket', (socket) => (tries += /nodes\/box\/console/.test(socket.url()) ? 1 : 0));
  await server.kill();
  try {
    await shown.getByText('It is tried again').waitFor();
    // Twice nobody is there.
    await until('it to be tried in vain', () => tries >= 2);
  } finally {
    await server.run();
  }
  await shown.getByText('you type').waitFor({ timeout: 40_000 });
  await shown.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('echo once-$((40+2))\n');
  await until('the answer', async () => /once-42/.test(await shown.locator('.xterm-rows').innerText()));
  expect(await shown.getByText(/look at it/).count()).toBe(0);
}, 120_000);

it('opens both screens again whose server was away for a while, once each', async () => {
  expectComplaint(/WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|Failed when connecting/);
  const shown = page.locator('.one:not(.away)');
  const tab = (name: RegExp) => page.getByRole('tab', { name }).click();
  const opened = { vnc: 0, guac: 0 };
  let pressed = false;
  page.on('websocket', (socket) => {
    const kind = /nodes\/vm\/console\?kind=(vnc|guac)/.exec(socket.url())?.[1] as 'vnc' | 'guac' | undefined;
    if (kind) opened[kind] += 1;
    // QEMU's message of a key that is pressed: 255, 0, two bytes of 1, the key.
    if (kind === 'vnc') socket.on('framesent', ({ payload }) => (pressed ||= Buffer.from(payload).includes(Buffer.from([255, 0, 0, 1, 0, 0, 0, 122]))));
  });
  const screens = [['guac', /guacd/], ['vnc', /^vm screen$/]] as const;
  for (const [, name] of screens) {
    await tab(name);
    await shown.getByText('you type').waitFor();
  }
  const typed = () => guacd.heard.filter((parts) => parts[0] === 'key' && parts[1] === '122' && parts[2] === '1').length;
  const [selects, before] = [guacd.heard.filter((parts) => parts[0] === 'select').length, typed()];
  // Somebody types there, and goes somewhere else while it is away.
  await shown.locator('canvas').focus();
  await server.kill();
  try {
    for (const [kind, name] of screens) {
      await tab(name);
      await shown.getByText('The connection broke. It is tried again.').waitFor();
      await shown.getByRole('button', { name: 'Try now' }).waitFor();
      // The last picture stands there still.
      expect(await shown.locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => canvas.width)).toBeGreaterThanOrEqual(320);
      await page.screenshot({ path: join(pictures, `console-lost-${kind}.png`) });
    }
    await until('both to be tried in vain', () => opened.vnc >= 1 && opened.guac >= 1);
  } finally {
    await server.run();
  }
  for (const [, name] of [...screens].reverse()) {
    await tab(name);
    await shown.getByText('you type').waitFor({ timeout: 40_000 });
    await until('a picture', () => shown.locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => canvas.width >= 320).catch(() => false));
    // What is typed elsewhere doesn't go to the node.
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('tab');
  }
  await tab(/guacd/);
  await shown.getByRole('application').focus();
  await page.keyboard.press('z');
  await until('the key to arrive', () => typed() === before + 1);
  expect(guacd.heard.filter((parts) => parts[0] === 'select').length).toBe(selects + 1);
  await tab(/^vm screen$/);
  await shown.getByRole('application').and(page.locator('canvas')).focus();
  await page.keyboard.press('z');
  await until('the key to be sent to the machine', () => pressed);
  expect(await shown.locator('canvas').count()).toBe(1);
  // It is open once, and stays so.
  const all = { ...opened };
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(opened).toEqual(all);
}, 180_000);

it('doesn’t open a screen again whose node is gone, and says that', async () => {
  await page.getByRole('tab', { name: /^vm screen$/ }).click();
  const shown = page.locator('.one:not(.away)');
  await shown.getByText('you type').waitFor();
  await server.reaches(await server.launch('lab/destroy', { lab: LAB }), 'succeeded');
  await shown.getByText(/the node is gone|it has ended/i).waitFor();
  await shown.getByRole('button', { name: 'Open again' }).waitFor();
  expect(await shown.getByText('It is tried again').count()).toBe(0);
}, 120_000);
