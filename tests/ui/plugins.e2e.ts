// Plugins: how each stands, what it may reach in words, trying credentials; a file that is changed is refused until it is approved.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { looks, open, Server, until } from './harness';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ playground: true });
  expect(server.playground?.missing, 'what `windlass dev` needs').toEqual([]);
});
const standing = async () => (await server.api<{ state: string }>('GET', '/plugins/registrars/porkbun/approval')).state;

describe('a registrar’s plugin', () => {
  it('is found in the gallery, read, tried, changed on disk, refused, approved and disabled', async () => {
    const page = await open(server, '/plugins');
    const card = page.getByRole('link', { name: /registrars\/porkbun/ });
    await card.getByText('Approved').waitFor();
    await card.getByText(/change name servers/).waitFor();
    await looks(page, 'plugins-gallery');
    await page.getByLabel('Search plugins').fill('gandi');
    await page.getByText('No plugin of that name').waitFor();
    await page.getByLabel('Search plugins').fill('pork');
    await card.click();
    await page.getByRole('heading', { level: 1, name: 'Porkbun' }).waitFor();
    const reach = page.getByRole('region', { name: 'May reach' });
    await reach.getByText('api.porkbun.com').waitFor();
    await reach.getByText('may change things').waitFor();
    await page.getByRole('textbox', { name: /^Source of/ }).getByText('every request is a POST').waitFor();

    // Stored credentials are offered; they are tried and nothing is changed.
    const trial = page.getByRole('region', { name: 'Try credentials' });
    await trial.getByText('registrar/simulated-porkbun-key').waitFor();
    await trial.getByLabel('Domain').fill('porkbun.example.org');
    await trial.getByRole('button', { name: 'Try these credentials' }).click();
    await trial.getByText('The credentials are taken').waitFor();
    await trial.getByText(/The account has .*porkbun\.example\.org/).waitFor();
    await looks(page, 'plugin-porkbun');

    // A file that isn't what was approved is refused, and the difference is shown.
    const file = join(server.folder, 'plugins/registrars/porkbun/main.rhai');
    const before = readFileSync(file, 'utf8');
    appendFileSync(file, '\n// One more line.\n');
    await until('the change', async () => (await standing()) === 'modified');
    await page.reload();
    await page.getByRole('heading', { name: 'Changed', exact: true }).waitFor();
    await page.getByRole('region', { name: 'Difference of its files' }).getByText('// One more line.').waitFor();
    await looks(page, 'plugin-changed');
    await page.getByRole('button', { name: 'Approve the change…' }).click();
    await page.getByRole('dialog').getByLabel('Why').fill('read');
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await page.getByRole('heading', { name: 'Approved', exact: true }).waitFor();
    await page.getByText(/Approved by admin .*: read\. It passed the conformance kit then\./).waitFor();
    expect(await standing()).toBe('approved');

    // What doesn't do what the kit asks for isn't approved, and it is said why.
    writeFileSync(file, before.replace('apikey:', 'wrong:'));
    await until('another change', async () => (await standing()) === 'modified');
    await page.reload();
    await page.getByRole('button', { name: 'Approve the change…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await page.getByRole('dialog').getByRole('alert').or(page.getByText('It doesn’t pass, and isn’t approved')).first().waitFor({ timeout: 40_000 });
    expect(await standing()).toBe('modified');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Disable…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable it' }).click();
    await page.getByRole('heading', { name: 'Disabled', exact: true }).waitFor();
    expect(await standing()).toBe('disabled');
  });
});
