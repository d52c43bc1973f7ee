// Two people and one lab, and pages that are left: nothing that is drawn is lost, and nobody's deployment is hidden.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { atEnd, open, picture, Server, until } from './harness';

let server: Server;
const deployed: string[] = [];
const root = process.getuid?.() === 0;
const draw = (lab: string, text: string) => server.api('PUT', `/labs/${lab}/drawing`, { text });
const drawn = async (lab: string) => (await server.api<{ text: string }>('GET', `/labs/${lab}/drawing`)).text;
const node = (page: Page, name: string) => page.locator(`.svelte-flow__node[data-id="node/${name}"]`);
async function add(page: Page, what: string) {
  await page.locator('main h1').focus();
  await page.keyboard.press('n');
  await page.getByRole('dialog').getByRole('button', { name: what, exact: true }).click();
}
/** More than browsers send for a page that is gone. */
const large = (lab: string) => `name: ${lab}\n${'# A long note about nothing in particular, for its length alone.\n'.repeat(1_200)}nodes:\n  - { name: h1, position: { x: 0, y: 0 } }\n`;

beforeAll(async () => {
  server = await Server.start();
});
afterAll(async () => {
  for (const lab of deployed) await server.reaches(await server.launch('lab/destroy', { lab }), 'succeeded');
});

describe('a drawing whose page is left at once', () => {
  it.each([['small', 'name: small\nnodes:\n  - { name: h1, position: { x: 0, y: 0 } }\n'], ['large', large('large')]])('is kept on the way to another page: %s', async (lab, text) => {
    await draw(lab, text);
    const page = await open(server, `/labs/${lab}`);
    await node(page, 'h1').waitFor();
    await add(page, 'Host');
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    await until('it to be kept', async () => (await drawn(lab)).includes('name: h2'));
  });

  it('is kept when its window is closed', async () => {
    await draw('closed', 'name: closed\nnodes:\n  - { name: h1, position: { x: 0, y: 0 } }\n');
    const page = await open(server, '/labs/closed');
    await node(page, 'h1').waitFor();
    await add(page, 'Host');
    await page.close({ runBeforeUnload: true });
    await until('it to be kept', async () => (await drawn('closed')).includes('name: h2'));
  });

  it('is asked about where browsers send no more of it, and kept if one stays', async () => {
    await draw('long', large('long'));
    const page = await open(server, '/labs/long');
    await node(page, 'h1').waitFor();
    const asked = new Promise<void>((resolve) => page.on('dialog', (dialog) => {
      expect(dialog.type()).toBe('beforeunload');
      void dialog.dismiss().then(resolve);
    }));
    await add(page, 'Host');
    await page.close({ runBeforeUnload: true });
    await asked;
    await until('it to be kept', async () => (await drawn('long')).includes('name: h2'));
    await page.getByText('Kept', { exact: true }).waitFor();
  });
});

it('two who draw the same lab at once: the later one is told, and overwrites nothing', async () => {
  await draw('both', 'name: both\nnodes:\n  - { name: h1, position: { x: 0, y: 0 } }\n');
  const [ann, ben] = [await open(server, '/labs/both'), await open(server, '/labs/both')];
  await node(ann, 'h1').waitFor();
  await node(ben, 'h1').waitFor();
  await add(ann, 'Router');
  await until('hers to be kept', async () => (await drawn('both')).includes('name: r1'));
  await add(ben, 'Host');
  await ben.getByText('Somebody else has changed this drawing').waitFor();
  expect(await drawn('both')).not.toContain('name: h2');
  await ben.getByRole('button', { name: 'Show theirs' }).click();
  await node(ben, 'r1').waitFor();
  // However fast she draws, she meets only herself: that is nobody else.
  for (let at = 0; at < 4; at += 1) await add(ann, 'Host');
  await until('all of hers to be kept', async () => (await drawn('both')).includes('name: h5'));
  expect(await ann.getByText('Somebody else has changed this drawing').count()).toBe(0);
});

it.runIf(root)('what somebody else has deployed stays told, whatever one does oneself, until one looks at it', async () => {
  const lab = (hosts: string) => `name: pair\nnodes:\n  - { name: a, position: { x: 0, y: 0 } }\n  - { name: b, position: { x: 300, y: 0 } }\n${hosts}links:\n  - endpoints: [{ at: "a:eth0", addresses: [10.67.0.1/24] }, { at: "b:eth0", addresses: [10.67.0.2/24] }]\n`;
  await draw('pair', lab(''));
  const page = await open(server, '/labs/pair');
  deployed.push('pair');
  await page.getByRole('button', { name: 'Deploy…' }).click();
  await page.getByRole('list', { name: 'What will be done' }).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
  const link = page.locator('.svelte-flow__edge[data-id="a:eth0 – b:eth0"]');
  const told = (state: RegExp) => until(`the link to be ${state}`, async () => state.test((await link.getAttribute('aria-label')) ?? ''));
  await told(/, up/);
  const note = page.getByText('Somebody has deployed another document since this was drawn.');
  // One's own deployment and one's own cables are nobody else's.
  await link.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Pull the cable' }).click();
  await told(/, down/);
  await until('the run to be over', async () => (await page.locator('.facts').getByText('edited').count()) === 0);
  await add(page, 'Host');
  await page.locator('.facts').getByText('edited').waitFor();
  await page.getByText('Kept', { exact: true }).waitFor();
  expect(await note.count()).toBe(0);

  const others = { name: 'pair', nodes: [{ name: 'a' }, { name: 'b' }, { name: 'theirs' }], links: [{ endpoints: [{ at: 'a:eth0', addresses: ['10.67.0.1/24'] }, { at: 'b:eth0', addresses: ['10.67.0.2/24'] }] }] };
  await server.reaches(await server.launch('lab/deploy', others), 'succeeded');
  await note.waitFor();
  await picture(page, 'lab-elsewhere');
  await link.focus();
  await page.keyboard.press('Enter');
  const pull = page.getByRole('button', { name: /Pull the cable|Plug it in/ });
  const ended = async () => (await server.api<{ items: { workflow: string; state: string }[] }>('GET', '/runs?workflow=lab/set-link')).items;
  const before = (await ended()).length;
  await pull.click();
  await until('one’s own run to end well', async () => { const now = await ended(); return now.length > before && now.every((run) => run.state === 'succeeded'); });
  await page.getByText('Kept', { exact: true }).waitFor();
  await page.reload();
  await note.waitFor();
  await page.getByRole('button', { name: 'Take what is deployed' }).click();
  await node(page, 'theirs').waitFor();
  await note.waitFor({ state: 'detached' });
});

it.runIf(root && existsSync('/usr/sbin/sshd') && existsSync('/usr/bin/ssh-keygen'))('an SSH server in a node is logged in to, with a key that is a secret', async () => {
  await server.reaches(await server.launch('lab/deploy', { name: 'keys', nodes: [{ name: 'r1' }] }), 'succeeded');
  deployed.push('keys');
  const folder = mkdtempSync(join(tmpdir(), 'windlass-ssh-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(name)]);
  mkdirSync('/run/sshd', { recursive: true });
  writeFileSync(path('config'), `HostKey ${path('host')}\nAuthorizedKeysFile ${path('user.pub')}\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\nListenAddress 127.0.0.1\nPrintMotd no\n`);
  const { actual } = await server.api<{ actual: { net: { namespaces: { name: string; path: string }[] } } }>('GET', '/labs/keys');
  const sshd = spawn('nsenter', [`--net=${actual.net.namespaces[0]!.path}`, '/usr/sbin/sshd', '-D', '-e', '-f', path('config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  atEnd(() => sshd.kill());
  await new Promise<void>((ready) => sshd.stderr.on('data', (piece: Buffer) => piece.toString().includes('Server listening') && ready()));
  await server.api('PUT', '/secrets/lab/key', { value: readFileSync(path('user'), 'utf8'), to: ['ssh://platform/keys/*'] });
  await draw('keys', 'name: keys\nnodes:\n  - { name: r1 }\n');

  const page = await open(server, '/labs/keys');
  await node(page, 'r1').click();
  await page.getByRole('button', { name: 'SSH', exact: true }).click();
  const dock = page.getByRole('region', { name: 'Consoles' });
  await dock.getByLabel('User').fill('root');
  await dock.getByLabel('Secret').fill('lab/none');
  await dock.getByRole('button', { name: 'Log in' }).click();
  // A secret that isn't there is said where it was asked for, and asked for again.
  await dock.getByRole('alert').getByText(/lab\/none/).waitFor();
  await picture(page, 'lab-ssh-refused');
  await dock.getByLabel('Secret').fill('lab/key');
  await dock.getByRole('button', { name: 'Log in' }).click();
  await dock.getByText('you type').waitFor();
  await dock.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('echo by-ssh-$((6*7)); echo $SSH_CONNECTION\n');
  const rows = () => dock.locator('.xterm-rows').innerText();
  await until('the answer', async () => /by-ssh-42/.test(await rows()) && /127\.0\.0\.1 \d+ 127\.0\.0\.1 22/.test(await rows()));
  // The node's terminal is as wide as the one that is seen, also after that has changed.
  const size = () => page.evaluate(() => document.querySelector('.xterm-rows')!.childElementCount);
  const first = await size();
  await page.getByRole('separator', { name: 'Height of the consoles' }).focus();
  await page.keyboard.press('PageUp');
  await until('the terminal to grow', async () => (await size()) > first);
  await dock.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('clear; stty size\n');
  await until('the node to know', async () => new RegExp(`^${await size()} \\d+`, 'm').test(await rows()));
  await picture(page, 'lab-ssh');
});
