// The server's pages: what it runs with and what waits for a new start, what its machine can do, its nodes.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fitsWidth, looks, open, picture, Server } from './harness';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/none': 'const WORKFLOW = #{ name: "t/none", title: "Nothing" };\nfn run(input) { 1 }\n' }, settings: '[server]\nstreams = 77\n\n[hosts.notify.email]\nhost = "mail.acme.test"\nuser = "windlass"\npassword = "env:MAIL_PASSWORD"\nfrom = "Windlass <windlass@acme.test>"\n' });
});

describe('the server', () => {
  it('says what it runs with, where that comes from, and what waits', async () => {
    const page = await open(server, '/nodes');
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
    await page.getByLabel('Find settings').fill('server.streams');
    const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'server.streams', exact: true }) });
    await row.getByText('77', { exact: true }).waitFor();
    await row.getByText('windlass.toml:2').waitFor();
    await row.getByText('WINDLASS_SERVER_STREAMS', { exact: true }).waitFor();
    await page.getByLabel('Find settings').fill('');
    await page.getByLabel('Only what isn’t the default').check();
    await page.getByText('mail.acme.test').waitFor();
    await page.getByRole('paragraph').filter({ hasText: /^env:MAIL_PASSWORD$/ }).waitFor();
    expect(await page.getByRole('heading', { level: 3 }).count()).toBeLessThan(20);
    await looks(page, 'settings');
    // The file is changed: it isn't in effect, and the page says so.
    appendFileSync(join(server.folder, 'windlass.toml'), '\n[engine]\npoll_ms = 123\n');
    await page.reload();
    await page.getByText(/One key was changed, and waits\./).waitFor();
    await page.getByText('after the next start').waitFor();
    await looks(page, 'settings-waiting');
    // On a small screen the parts are folded, but for what waits; whoever looks for something sees it.
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto('/settings');
    await page.getByRole('heading', { name: 'engine.poll_ms' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(6_000);
    await fitsWidth(page);
    await picture(page, 'settings-folded-390');
    expect(await page.getByRole('heading', { name: 'server.streams', exact: true }).isVisible()).toBe(false);
    await page.getByRole('heading', { level: 2, name: 'server', exact: true }).click();
    expect(await page.getByRole('heading', { name: 'server.streams', exact: true }).isVisible()).toBe(true);
    await page.getByRole('heading', { level: 2, name: 'server', exact: true }).click();
    await page.getByLabel('Find settings').fill('server.streams');
    await page.getByRole('heading', { name: 'server.streams', exact: true }).waitFor();
    await page.setViewportSize({ width: 1280, height: 800 });
    appendFileSync(join(server.folder, 'windlass.toml'), 'nonsense = true\n');
    await page.reload();
    await page.getByRole('alert').getByText(/wouldn’t start with its configuration/).waitFor();
    await page.getByRole('alert').getByText('engine.nonsense').waitFor();
  });

  it('says what its machine can do, and what to do about the rest', async () => {
    const page = await open(server, '/doctor');
    await page.getByText('ready', { exact: true }).waitFor();
    const found = await server.api<{ findings: { name: string; standing: string; help: string }[] }>('GET', '/doctor');
    for (const one of found.findings) await page.getByText(one.name, { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Look again' }).click();
    await looks(page, 'doctor');
    await page.getByRole('link', { name: 'Nodes' }).click();
    await page.getByRole('button', { name: 'Drain…' }).waitFor();
    // Reached from the palette, too.
    await page.keyboard.press('Control+k');
    await page.keyboard.type('doctor');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Doctor' }).waitFor();
  });

  it('tells nobody who isn’t an admin of all organisations', async () => {
    await server.api('POST', '/users', { name: 'vera', organisation: 'platform', password: 'correct horse battery', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const page = await open(server, '/settings', { name: 'vera', password: 'correct horse battery' });
    expect(await page.getByRole('heading', { name: 'server.streams' }).count()).toBe(0);
    await page.getByText(/may not|can’t|aren’t allowed|Only/i).first().waitFor();
  });
});
