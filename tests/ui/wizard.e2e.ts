// The wizard: a Sovereign in each of the three ways to a domain, with the real server, PowerDNS and the simulated provider and registrars.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, looks, open, picture, Server, tabTo, until, visit } from './harness';
import { makeKey } from './sovereign';

const SOURCE = 'kind: GitRepository';
let server: Server;
beforeAll(async () => {
  server = await Server.start({ playground: true });
  expect(server.playground?.missing, 'what `windlass dev` needs').toEqual([]);
});

// Each begins with an empty form.
beforeEach(() => server.api('DELETE', '/drafts/provision/sovereign').catch(() => {}));

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const card = (page: Page, text: string | RegExp) => page.locator('label.card', { hasText: text });
async function next(page: Page, to: string) {
  await page.getByRole('button', { name: /^(Next|Review)$/ }).click();
  await heading(page, to);
}
/** Fills in everything before the domain: one machine, as the wizard proposes it. */
async function toDomain(page: Page, name: string, { topology = 'Solo', places = ['Falkenstein'] } = {}) {
  await page.goto('/new/provision/sovereign/org');
  await heading(page, 'Org');
  await page.getByLabel('Organisation', { exact: true }).fill(name);
  await page.getByLabel('Owner').fill(`ann@${name}.example`);
  await next(page, 'Topology');
  await card(page, topology).click();
  await next(page, 'Provider');
  for (const [index, place] of places.entries()) await page.locator(`[data-pointer="/regions/${index}"]`).locator('label.card', { hasText: place }).click();
  // What the provider's catalogue recommends is chosen.
  await page.locator('[data-pointer="/regions/0/worker_size"] label.card.checked').waitFor();
  await next(page, 'Credentials');
  await page.getByText('The provider takes the token of main').waitFor();
  await makeKey(page);
  await next(page, 'Components');
  await page.getByLabel('Git source').fill(SOURCE);
  await next(page, 'Domain');
}
async function launch(page: Page): Promise<string> {
  await page.getByText('It was rehearsed, and would succeed.').waitFor();
  await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
  await until('the run’s page', () => /\/runs\/[^/]+\/progress$/.test(new URL(page.url()).pathname), 20);
  return new URL(page.url()).pathname.split('/')[2]!;
}
const draft = () => server.api<Record<string, unknown>>('GET', '/drafts/provision/sovereign').catch(() => undefined);

describe('a name of the pool', () => {
  it('goes from an empty form to a Sovereign that is there', async () => {
    const page = await open(server, '/new');
    await page.getByRole('link', { name: /Provision a Sovereign/ }).click();
    await heading(page, 'Org');
    // Nothing is said before somebody has been there; then it is, and nothing goes on.
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('This is needed.').first().waitFor();
    await looks(page, 'wizard-org');
    await toDomain(page, 'acme', { topology: 'Dual', places: ['Falkenstein', 'Nuremberg'] });

    // A name that is kept, one that looks wrong, one that can be had.
    const name = page.getByLabel('Name', { exact: true });
    await name.fill('www');
    await page.getByText(/is kept for the house itself/).waitFor();
    await name.fill('acme');
    await page.getByText('acme.example.net can be had').waitFor();
    await looks(page, 'wizard-domain-pool');
    await next(page, 'Review');
    // One control plane leaves the second region empty: it is told before anything is made.
    await page.getByText('It was rehearsed, and would fail.').waitFor();
    await page.getByText(/region 2, nbg1, has no machine/).first().waitFor();
    await looks(page, 'wizard-review-refused');

    // A change from a row, and back: the plan is made anew.
    await page.getByRole('button', { name: 'Change Three control planes' }).click();
    await heading(page, 'Topology');
    await page.getByLabel('Three control planes').check();
    await page.goBack();
    await heading(page, 'Review');
    // Machines and the balancer, by the prices of now; the DNS difference; what stays for good.
    await page.getByText('It was rehearsed, and would succeed.').waitFor();
    await page.getByRole('region', { name: 'Cost a month' }).getByText('21.86 EUR').waitFor();
    await page.getByRole('row', { name: /console\.acme\.example\.net/ }).waitFor();
    await page.getByRole('region', { name: 'Can’t be taken back' }).getByText(/An e-mail to ann@acme\.example/).waitFor();
    await looks(page, 'wizard-review');
    const run = await launch(page);
    const ended = await server.reaches(run, 'succeeded');
    expect(ended.input).toMatchObject({ name: 'acme', topology: 'dual', ha: true, label: 'acme', pool_domain: 'example.net', regions: [{ location: 'fsn1' }, { location: 'nbg1' }] });
    expect(Object.keys(ended.input as object)).not.toContain('domain');
    await page.getByRole('heading', { name: 'acme.example.net is there' }).waitFor();
    await page.getByRole('link', { name: 'Open the console' }).waitFor();
    await page.getByRole('region', { name: 'Components' }).getByText(/^\d+ of \d+$/).waitFor();
    await page.getByRole('region', { name: 'Report' }).getByText('Chain of trust').waitFor();
    expect(await page.getByRole('link', { name: 'Destroy it' }).getAttribute('href')).toContain('acme.example.net');
    await looks(page, 'wizard-there');
    // What was launched is no draft any more.
    expect(await draft()).toBeUndefined();
  });
});

describe('a customer’s own domain', () => {
  it('is moved by its registrar, whose credentials are tried with what they may', async () => {
    const page = await open(server, '/');
    await toDomain(page, 'mill');
    await card(page, 'Your own, by us').click();
    await page.getByLabel('Your domain').fill('porkbun.example.org');
    await card(page, 'Porkbun').click();
    await page.getByText('The credentials are taken').waitFor();
    await page.getByText(/porkbun\.example\.org is in the account/).waitFor();
    await page.getByText('set DS records (DNSSEC)').waitFor();
    await looks(page, 'wizard-domain-registrar');

    // A wrong key is kept under a name of its own, and refused in words; the input has only the name.
    await page.getByLabel('API key', { exact: true }).fill('pk1_wrong');
    await page.getByRole('button', { name: 'Keep API key' }).click();
    await page.locator('.verdict.bad').waitFor();
    await page.getByRole('button', { name: 'Use a stored secret for API key' }).click();
    await page.getByLabel('API key', { exact: true }).fill('registrar/simulated-porkbun-key');
    await page.getByText('The credentials are taken').waitFor();
    expect(JSON.stringify(await until('the draft', draft))).not.toContain('pk1_wrong');
    await page.getByText('More settings').click();
    await page.getByLabel('How often the domain is looked at').fill('2s');
    await next(page, 'Review');
    await page.getByRole('row', { name: /porkbun\.example\.org NS .*ns1\.example\.net/ }).waitFor();
    const run = await launch(page);
    const ended = await server.reaches(run, 'succeeded');
    expect(ended.input).toMatchObject({ domain_mode: 'byo-api', domain: 'porkbun.example.org', registrar: { plugin: 'porkbun', credentials: { key: 'registrar/simulated-porkbun-key' } } });
    expect(Object.keys(ended.input as object)).not.toContain('pool_domain');
    await page.getByRole('heading', { name: 'porkbun.example.org is there' }).waitFor();
  });

  it('is moved by hand: the name servers to set, and what the world sees of them', async () => {
    const page = await open(server, '/');
    await toDomain(page, 'shop');
    await card(page, 'Your own, by hand').click();
    await page.getByLabel('Your domain').fill('shop.example.org');
    const servers = page.getByRole('region', { name: 'Name servers' });
    await servers.getByText('ns1.example.net').waitFor();
    await servers.getByText('shop.example.org isn\'t delegated yet').waitFor();
    await servers.getByRole('button', { name: 'Copy ns1.example.net' }).waitFor();
    await looks(page, 'wizard-domain-manual');
    await page.getByText('More settings').click();
    await page.getByLabel('How often the domain is looked at').fill('2s');
    await next(page, 'Review');
    const run = await launch(page);
    // It waits for the owner, and says what they have to do.
    const todo = page.getByRole('region', { name: 'Name servers' });
    await todo.getByText('ns2.example.net').waitFor({ timeout: 40_000 });
    await looks(page, 'wizard-waits');
    const address = String(server.playground!.dns);
    const [host, port] = address.split(':');
    const update = ['ns1', 'ns2'].map((name) => `update add shop.example.org 60 NS ${name}.example.net.\n`).join('');
    execFileSync('nsupdate', { input: `server ${host} ${port}\nzone example.org\n${update}send\n` });
    await server.reaches(run, 'succeeded');
    await page.getByRole('heading', { name: 'shop.example.org is there' }).waitFor();
  });
});

describe('a draft', () => {
  it('keeps what was typed last, though the page is reloaded at once, and though the server was away', async () => {
    const page = await open(server, '/new/provision/sovereign');
    await heading(page, 'Org');
    await page.getByLabel('Organisation', { exact: true }).fill('hasty');
    await page.getByLabel('Owner').fill('ann@hasty.example');
    await page.reload();
    await heading(page, 'Org');
    await until('what was typed last', async () => (await page.getByLabel('Owner').inputValue()) === 'ann@hasty.example');
    const aside = page.getByRole('complementary', { name: 'So far' });
    await page.route('**/api/v1/drafts/**', (route) => route.abort(), { times: 1 });
    await page.getByLabel('Owner').fill('bob@hasty.example');
    await aside.getByText('It couldn’t be kept').waitFor();
    expect(JSON.stringify((await draft())?.input)).not.toContain('bob@hasty.example');
    await aside.getByRole('button', { name: 'Try again' }).click();
    await aside.getByText(/^Kept/).waitFor();
    expect(JSON.stringify((await draft())?.input)).toContain('bob@hasty.example');
    await server.api('DELETE', '/drafts/provision/sovereign');
  });

  it('goes on at another device, and says when it was changed elsewhere', async () => {
    const page = await open(server, '/new/provision/sovereign');
    await heading(page, 'Org');
    await page.getByLabel('Organisation', { exact: true }).fill('later');
    await page.getByLabel('Owner').fill('ann@later.example');
    await next(page, 'Topology');
    await card(page, 'Triangle').click();
    await until('the draft', async () => ((await draft())?.input as { topology?: string } | undefined)?.topology === 'triangle');
    const other = await open(server, '/new', { width: 390, height: 844 });
    await other.getByRole('link', { name: /^later/ }).click();
    await heading(other, 'Topology');
    await other.getByText('You go on where you were.').waitFor();
    expect(await other.getByLabel(/^Triangle/).isChecked()).toBe(true);
    await fitsWidth(other);
    await card(other, 'Citadel').click();
    await until('the change', async () => ((await draft())?.input as { topology?: string } | undefined)?.topology === 'citadel');
    // The first device has seen another version: its change is refused, and it says so.
    await card(page, 'Compact').click();
    await page.getByText('This was changed on another device.').waitFor();
    await page.getByRole('button', { name: 'Show what is there' }).click();
    await until('the other’s choice', () => page.getByLabel(/^Citadel/).isChecked().catch(() => false));
    // Back restores what stood before.
    await page.getByRole('link', { name: 'Org', exact: true }).click();
    await heading(page, 'Org');
    expect(await page.getByLabel('Organisation', { exact: true }).inputValue()).toBe('later');
    await page.getByRole('button', { name: 'More about this draft' }).click();
    await page.getByRole('menuitem', { name: 'Throw it away and begin anew' }).click();
    await page.getByRole('button', { name: 'Throw it away', exact: true }).click();
    await until('no draft', async () => (await draft()) === undefined);
    await until('an empty form', async () => (await page.getByLabel('Organisation', { exact: true }).inputValue()) === '');
  });

  it('has a key whose private half is a download that OpenSSH reads, and that is sent nowhere', async () => {
    const page = await open(server, '/new/provision/sovereign/credentials');
    await heading(page, 'Credentials');
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.postData() ?? ''));
    await page.getByText('read', { exact: true }).waitFor();
    await picture(page, 'wizard-credentials', { full: true });
    await page.getByRole('button', { name: 'Make a key' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download the private half' }).click();
    const file = `${server.folder}/key`;
    await (await download).saveAs(file);
    execFileSync('chmod', ['600', file]);
    const line = (await page.locator('.line code').textContent())!.trim();
    expect(execFileSync('ssh-keygen', ['-y', '-f', file]).toString().split(' ').slice(0, 2)).toEqual(line.split(' ').slice(0, 2));
    await page.getByLabel('I have saved the private half').check();
    await page.getByText('Private half saved').waitFor();
    await until('the draft', async () => ((await draft())?.input as { ssh_public_key?: string } | undefined)?.ssh_public_key === line);
    const secret = readFileSync(file, 'utf8').split('\n')[3]!;
    expect(sent.some((body) => body.includes(secret) || body.includes('OPENSSH'))).toBe(false);
  });

  it('doesn’t go on, and isn’t left, before somebody has saved the private half', async () => {
    await server.api('DELETE', '/drafts/provision/sovereign').catch(() => {});
    const page = await open(server, '/new/provision/sovereign/credentials');
    await heading(page, 'Credentials');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await page.getByText('Made here').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.locator('[data-pointer="/ssh_public_key"]').getByText('Download the private half, and say that you have saved it', { exact: false }).waitFor();
    await heading(page, 'Credentials');
    await looks(page, 'wizard-key-unsaved');
    // Within the wizard it is kept; elsewhere one is asked.
    const line = await page.locator('.line code').textContent();
    await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: /Org/ }).click();
    await heading(page, 'Org');
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.dismiss();
    });
    await page.getByRole('link', { name: 'Runs', exact: true }).first().click();
    await until('a question', () => asked.includes('confirm'));
    expect(new URL(page.url()).pathname).toContain('/new/provision/sovereign');
    await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: /Credentials/ }).click();
    await heading(page, 'Credentials');
    expect(await page.locator('.line code').textContent()).toBe(line);
    // Loaded anew: the private half is gone, and that is said.
    await until('the draft', async () => ((await draft())?.input as { ssh_public_key?: string } | undefined)?.ssh_public_key === line);
    page.removeAllListeners('dialog');
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await page.reload();
    expect(asked).toContain('beforeunload');
    await page.getByText('The private half of this key was never saved', { exact: false }).waitFor();
    await looks(page, 'wizard-key-lost');
    await makeKey(page);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('never saved', { exact: false }).waitFor({ state: 'detached' });
  });

  it('shows what comes along, by family, by search, and what always is there', async () => {
    const page = await open(server, '/new/provision/sovereign/components');
    await heading(page, 'Components');
    await card(page, 'Loki').click();
    await page.getByText('Loki: MinIO comes along.').first().waitFor();
    await page.getByText('Comes along: Loki needs it').waitFor();
    await page.getByRole('button', { name: 'security' }).click();
    expect(await card(page, 'MinIO').count()).toBe(0);
    await page.getByRole('button', { name: 'all', exact: true }).click();
    await page.getByLabel('Search components').fill('dashboards');
    await card(page, 'Grafana').waitFor();
    expect(await page.locator('label.card').count()).toBe(1);
    await page.getByLabel('Search components').fill('');
    await looks(page, 'wizard-components');
    await page.getByRole('tab', { name: /Always included/ }).click();
    await page.getByText('brings the cluster to what its Git repository says').waitFor();
    await accessible(page);
  });
});

describe('by keyboard alone', () => {
  it('a Sovereign is provisioned, from the log-in to its address', async () => {
    const page = await visit(server, '/new/provision/sovereign/org');
    await page.getByLabel('Name or e-mail address').waitFor();
    await tabTo(page, /^Name or e-mail/);
    await page.keyboard.type('admin');
    await tabTo(page, /^Password/);
    await page.keyboard.type(server.password);
    await page.keyboard.press('Enter');
    await heading(page, 'Org');
    const goOn = async (to: string) => {
      await page.keyboard.press('Control+Enter');
      await heading(page, to);
      // The focus is at the title.
      await until('the focus', () => page.evaluate(() => document.activeElement?.tagName === 'H1'));
    };
    // The field, not the page of that name in the navigation.
    await tabTo(page, /^Organisation(?!s)/);
    await page.keyboard.type('keys');
    await tabTo(page, /^Owner/);
    await page.keyboard.type('ann@keys.example');
    await goOn('Topology');
    // To the chosen card, and with arrows to another one, and back.
    await tabTo(page, /^Solo/);
    await page.keyboard.press('ArrowUp');
    await until('another card', () => page.getByLabel(/^Compact/).isChecked());
    await looks(page, 'wizard-topology');
    await page.keyboard.press('ArrowDown');
    await goOn('Provider');
    await card(page, 'Falkenstein').waitFor();
    await looks(page, 'wizard-provider');
    // Tab comes to the first place; Space takes it.
    await tabTo(page, /Falkenstein|Nuremberg|Helsinki|Ashburn|Hillsboro|Singapore/);
    await page.keyboard.press('Space');
    await page.locator('[data-pointer="/regions/0/worker_size"] label.card.checked').waitFor();
    await goOn('Credentials');
    await tabTo(page, /^Make a key/);
    await page.keyboard.press('Enter');
    await page.getByText('Made here').waitFor();
    await tabTo(page, /^Download the private half/);
    await page.keyboard.press('Enter');
    await tabTo(page, /^I have saved/);
    await page.keyboard.press('Space');
    await page.getByText('Private half saved').waitFor();
    await goOn('Components');
    await tabTo(page, /^Fill in a template/);
    await page.keyboard.press('Enter');
    await until('the example', async () => (await page.getByLabel('Git source').inputValue()).includes(SOURCE));
    await goOn('Domain');
    await tabTo(page, /^Name/);
    await page.keyboard.type('keys');
    await page.getByText('keys.example.net can be had').waitFor();
    await goOn('Review');
    await page.getByText('It was rehearsed, and would succeed.').waitFor();
    await tabTo(page, /^Launch as rehearsed/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'keys.example.net is there' }).waitFor({ timeout: 60_000 });
    await tabTo(page, /^Open the console/);
  });
});
