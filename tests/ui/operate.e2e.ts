// What admins look after: the audit log and its chain, secrets, nodes, the plans, the inventory with its locks, plugins.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsWidth, open, picture, Server, until } from './harness';

const LOCKED = `const WORKFLOW = #{ name: "t/locked", title: "Holds a lock" };
fn run(input) { lock("crane"); wait_signal("go"); #{} }
`;
const HELLO = `const WORKFLOW = #{ name: "t/hello", title: "Says hello", inputs: #{ type: "object", properties: #{ who: #{ type: "string", "default": "world" } } } };
fn run(input) { log("hello " + input.who); #{ said: input.who } }
`;
let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/locked': LOCKED, 't/hello': HELLO } });
});
/** Wide in both schemes, and narrow. */
async function looks(page: Page, name: string) {
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, name, { full: true });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => scrollTo(0, 0));
  await fitsWidth(page);
  await picture(page, `${name}-390`, { full: true });
  await page.setViewportSize({ width: 1280, height: 800 });
}

describe('the audit log', () => {
  it('is filtered by the address, shows what changed, is checked and exported', async () => {
    await server.api('POST', '/users', { name: 'vera', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    await server.api('PATCH', '/users/vera', { title: 'Vera', bindings: [{ role: 'operator', organisation: 'platform', folder: 'lab' }] });
    const page = await open(server, '/audit');
    await page.getByRole('button', { name: 'Check the chain' }).click();
    await page.getByText('entries are as they were written').waitFor();
    await looks(page, 'audit');
    await page.getByLabel('To what').fill('vera');
    await page.getByLabel('What begins with').fill('user.');
    await until('the address to follow', () => new URL(page.url()).search.includes('action=user.') && page.url().includes('target=vera'));
    await until('two entries', async () => (await page.getByRole('row').count()) === 3);
    await page.getByRole('link', { name: /user\.update/ }).click();
    const drawer = page.getByRole('dialog', { name: /Entry \d+/ });
    await drawer.getByText('bindings › 0 › role').waitFor();
    await drawer.locator('del', { hasText: 'viewer' }).waitFor();
    await drawer.locator('ins', { hasText: 'operator' }).waitFor();
    expect(await drawer.innerText()).not.toContain('a long enough word');
    await looks(page, 'audit-entry');
    // A link to an entry opens it, also where the list doesn't have it.
    await page.goto('/audit?entry=1&actor=nobody');
    await page.getByRole('dialog', { name: 'Entry 1' }).getByText('What it changed').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('No entry fits').waitFor();
    expect(new URL(page.url()).searchParams.has('entry')).toBe(false);
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Export' }).click();
    expect((await download).suggestedFilename()).toBe('audit.ndjson');
  });
});

describe('secrets', () => {
  it('go in and never come out', async () => {
    const page = await open(server, '/secrets');
    await page.getByText('No secret yet').waitFor();
    await looks(page, 'secrets-empty');
    await page.getByRole('button', { name: 'Keep the first one' }).click();
    await page.getByRole('button', { name: 'Keep the secret' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByLabel('Name').fill('acme/dns.key');
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('s3cret-of-acme-4711');
    await page.getByLabel('Where it may go').fill('api.example.net');
    await page.getByText('“api.example.net” is none').waitFor();
    await page.getByLabel('Where it may go').fill('https://api.example.net*\nexec:*');
    await page.getByText('nearly everywhere').waitFor();
    await looks(page, 'secret-form');
    await page.getByRole('button', { name: 'Keep the secret' }).click();
    await page.getByRole('row', { name: /acme\/dns\.key/ }).waitFor();
    await looks(page, 'secrets');
    await page.getByRole('button', { name: 'More about acme/dns.key' }).click();
    await page.getByRole('menuitem', { name: 'New value…' }).click();
    expect(await page.getByRole('textbox', { name: 'Value', exact: true }).inputValue()).toBe('');
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('x');
    await page.getByRole('button', { name: 'Keep the new value' }).click();
    await page.locator('.field.wrong', { hasText: 'characters' }).waitFor();
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('another-s3cret-0815');
    await page.getByRole('button', { name: 'Keep the new value' }).click();
    await page.getByText('has its new value').waitFor();
    const all = await server.api<unknown>('GET', '/secrets');
    expect(JSON.stringify(all) + (await page.content())).not.toMatch(/s3cret/);
    await page.getByRole('button', { name: 'More about acme/dns.key' }).click();
    await page.getByRole('menuitem', { name: 'Remove…' }).click();
    await page.getByLabel('Type “acme/dns.key” to go on').fill('acme/dns.key');
    await page.getByRole('button', { name: 'Remove the secret' }).click();
    await page.getByText('No secret yet').waitFor();
  });
});

describe('the server', () => {
  it('shows its nodes, drains one and lets it go on', async () => {
    const page = await open(server, '/nodes');
    await page.getByText('answers you').waitFor();
    await looks(page, 'nodes');
    await page.getByRole('button', { name: 'Drain…' }).click();
    await page.getByText('No other node is active').waitFor();
    await accessible(page, 'drain');
    await page.getByRole('button', { name: 'Drain the node' }).click();
    await page.getByRole('row', { name: /Drained/ }).waitFor();
    const [node] = await server.api<{ state: string }[]>('GET', '/nodes');
    expect(node!.state).toBe('drained');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('row', { name: /Active/ }).waitFor();
  });

  it('keeps plans, and launches exactly what was looked at', async () => {
    const page = await open(server, '/plans');
    await page.getByText('No plan yet').waitFor();
    const plan = await server.api<{ id: string }>('POST', '/plans', { workflow: 't/hello', input: { who: 'plan' } });
    await page.reload();
    await page.getByRole('link', { name: 't/hello' }).waitFor();
    await looks(page, 'plans');
    await page.getByRole('link', { name: 't/hello' }).click();
    await page.getByText('Would succeed').waitFor();
    await looks(page, 'plan');
    await page.getByRole('button', { name: 'Launch exactly this' }).click();
    await until('the run', () => /^\/runs\/\w+$/.test(new URL(page.url()).pathname));
    const run = new URL(page.url()).pathname.split('/').pop()!;
    expect((await server.reaches(run, 'succeeded')).input).toEqual({ who: 'plan' });
    // Another version is in use: the plan isn't what would happen any more.
    const { source_digest } = await server.api<{ source_digest: string }>('GET', '/workflows/t/hello');
    await server.api('PUT', '/workflows/t/hello', { source: HELLO.replace('hello "', 'good day "'), expected: source_digest });
    await page.goto(`/plans/${plan.id}`);
    await page.getByText('The workflow was changed since').waitFor();
    expect(await page.getByRole('button', { name: 'Launch exactly this' }).isDisabled()).toBe(true);
  });

  it('has an inventory with locks, plugins, and sources by their digest', async () => {
    const page = await open(server, '/resources');
    await page.getByText('Nothing is there').waitFor();
    await looks(page, 'resources-empty');
    const run = await server.launch('t/locked');
    await page.getByRole('link', { name: /Locks/ }).click();
    await page.getByRole('row', { name: /crane/ }).getByRole('link', { name: run }).waitFor();
    await looks(page, 'locks');
    await server.api('POST', `/runs/${run}/signal`, { name: 'go' });
    await page.getByText('No lock is held').waitFor();
    await page.goto('/plugins');
    await page.getByText('No plugin').waitFor();
    await accessible(page);
    const { bundle } = await server.api<{ bundle: string }>('GET', `/runs/${run}`);
    await page.goto(`/bundles/${bundle}?run=${run}`);
    await page.getByText('wait_signal').waitFor();
    await looks(page, 'bundle');
  });
});
