// What admins look after: the audit log and its chain, secrets, nodes, the plans, the inventory with its locks, plugins.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, looks, open, Server, until } from './harness';

const LOCKED = `const WORKFLOW = #{ name: "t/locked", title: "Holds a lock" };
fn run(input) { lock("crane"); wait_signal("go"); #{} }
`;
const HELLO = `const WORKFLOW = #{ name: "t/hello", title: "Says hello", inputs: #{ type: "object", properties: #{ who: #{ type: "string", "default": "world" } } } };
fn run(input) { log("hello " + input.who); #{ said: input.who } }
`;
const MAKES = `const WORKFLOW = #{ name: "lab/makes", title: "Makes a thing", permissions: ["net.write:*"] };
fn run(input) { net::create_namespace("ui-inventory", "a"); wait_signal("go"); net::delete_namespace("ui-inventory", "a"); #{} }
`;
const MANIFEST = `id = "example"
version = "1.0.0"
api = 1
author = "Ann"
capabilities = ["validate"]

[credentials.token]
label = "API token"
secret = true

[[hosts]]
host = "api.example.net"
methods = ["GET"]
paths = ["/v1/*"]
`;
let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/locked': LOCKED, 't/hello': HELLO, 'lab/makes': MAKES } });
});

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
    // The list stands there behind the drawer, too: the address tells when that is closed.
    await page.waitForURL((url) => !url.searchParams.has('entry'));
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: /^Export/ }).click();
    expect((await download).suggestedFilename()).toBe('audit.ndjson');
  });

  it('exports what the filters show, line for line, with the hashes', async () => {
    await server.api('POST', '/users', { name: 'vito', password: 'a long enough word', bindings: [] });
    await server.api('PATCH', '/users/vito', { title: 'Vito' });
    const page = await open(server, '/audit?target=vito&action=user.');
    await page.getByRole('row').nth(2).waitFor();
    const waits = page.waitForEvent('download');
    await page.getByRole('link', { name: /^Export/ }).click();
    const lines = readFileSync((await (await waits).path())!, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { action: string; target: string; hash: string });
    const { items } = await server.api<{ items: { hash: string }[] }>('GET', '/audit?target=vito&action=user.');
    expect(lines.map((line) => line.hash).sort()).toEqual(items.map((item) => item.hash).sort());
    expect(lines.every((line) => line.target === 'vito' && line.action.startsWith('user.') && /^[0-9a-f]{64}$/.test(line.hash))).toBe(true);
  });

  it('tells which entry somebody changed in the database behind its back', async () => {
    const other = await Server.start({ workflows: { 't/hello': HELLO } });
    await other.api('POST', '/users', { name: 'vera', password: 'a long enough word', bindings: [] });
    const { items } = await other.api<{ items: { seq: number; action: string }[] }>('GET', '/audit?action=user.create');
    const entry = items[0]!.seq;
    const page = await open(other, '/audit');
    await page.getByRole('button', { name: 'Check the chain' }).click();
    await page.getByText('entries are as they were written').waitFor();
    execFileSync('sqlite3', [join(other.folder, 'data/windlass.db'), `PRAGMA busy_timeout = 10000; DROP TRIGGER audit_no_update; UPDATE audit SET actor = 'nobody' WHERE seq = ${entry};`]);
    await page.getByRole('button', { name: 'Check again' }).click();
    await page.getByText(`The chain is broken at entry ${entry}.`).waitFor();
    await looks(page, 'audit-broken');
    await other.stop();
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

  it('has an inventory with locks, and sources by their digest', async () => {
    const page = await open(server, '/resources');
    await page.getByText('Nothing is there').waitFor();
    await looks(page, 'resources-empty');
    const run = await server.launch('t/locked');
    await page.getByRole('link', { name: /Locks/ }).click();
    await page.getByRole('row', { name: /crane/ }).getByRole('link', { name: run }).waitFor();
    await looks(page, 'locks');
    await server.api('POST', `/runs/${run}/signal`, { name: 'go' });
    await page.getByText('No lock is held').waitFor();
    const { bundle } = await server.api<{ bundle: string }>('GET', `/runs/${run}`);
    await page.goto(`/bundles/${bundle}?run=${run}`);
    await page.getByText('wait_signal').waitFor();
    await looks(page, 'bundle');
  });

  it('shows what runs have made outside, and what became of it', async (context) => {
    const { findings } = await server.api<{ findings: { name: string; standing: string }[] }>('GET', '/doctor');
    if (findings.find((one) => one.name === 'network namespaces')?.standing !== 'fine') return context.skip('no network namespaces on this machine: .ci/setup test, and rights for them');
    const run = await server.launch('lab/makes');
    const page = await open(server, '/resources');
    const row = page.getByRole('row', { name: /ui-inventory/ });
    await row.getByRole('link', { name: run.slice(-8), exact: true }).waitFor();
    await looks(page, 'resources');
    await server.api('POST', `/runs/${run}/signal`, { name: 'go' });
    await server.reaches(run, 'succeeded');
    await page.getByText('Nothing is there').waitFor();
    await page.getByRole('link', { name: 'Show what is gone' }).click();
    await row.getByText('Gone').waitFor();
    await page.getByLabel('Kind').fill('nothing-like-it');
    await page.getByText('Nothing fits').waitFor();
  });

  it('has plugins: what each may reach, what is wrong with its files, which version is in use', async () => {
    const page = await open(server, '/plugins');
    await page.getByText('No plugin').waitFor();
    await accessible(page);
    const folder = join(server.folder, 'plugins/registrars/example');
    mkdirSync(folder, { recursive: true });
    const script = 'fn validate(request) {\n    http::get("https://api.example.net/v1/me").status == 200\n}\n';
    writeFileSync(join(folder, 'main.rhai'), script);
    writeFileSync(join(folder, 'plugin.toml'), MANIFEST);
    await until('the plugin', async () => (await server.api<{ items: { state: string }[] }>('GET', '/plugins')).items[0]?.state === 'in_use');
    await page.reload();
    await page.getByRole('link', { name: /registrars\/example/ }).getByText('In use', { exact: true }).waitFor();
    await looks(page, 'plugins');
    writeFileSync(join(folder, 'main.rhai'), 'fn validate(request) {\n    nope(1)\n}\n');
    await until('the mistake', async () => (await server.api<{ items: { state: string }[] }>('GET', '/plugins')).items[0]?.state === 'behind');
    await page.getByRole('link', { name: /registrars\/example/ }).click();
    await page.getByText('Its files aren’t what is in use.').waitFor();
    await page.getByRole('region', { name: 'May reach' }).getByText('api.example.net').waitFor();
    await page.getByRole('region', { name: 'May reach' }).getByText('/v1/*').waitFor();
    await looks(page, 'plugin');
    rmSync(join(server.folder, 'plugins'), { recursive: true });
  });
});
