// Somebody who has just typed `make run`: the start page leads to each mission, and each can be begun from the browser alone.
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { looks, open, Server, until, visit } from './harness';
import { makeKey } from './sovereign';
import { keep } from './pictures';
import { skipped } from './world';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ playground: true });
});

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const mission = (page: Page, title: string) => page.getByRole('region', { name: 'What would you like to do?' }).getByRole('listitem').filter({ has: page.getByRole('heading', { name: title }) });

describe('a stranger', () => {
  it('finds three missions at the start, and is told what is simulated', async () => {
    const page = await open(server);
    for (const title of ['Provision a Sovereign', 'Build a network lab', 'Run a franchise']) await mission(page, title).waitFor();
    await page.getByText(/Hetzner Cloud and registrars are simulated here/).waitFor();
    await looks(page, 'start-missions');
    await keep(page, 'start');
    await page.getByRole('button', { name: 'Put these away' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    expect(await page.getByRole('region', { name: 'What would you like to do?' }).count()).toBe(0);
  });

  it('provisions a Sovereign with what the form proposes, and is told that nothing answers there', async () => {
    const page = await open(server);
    await mission(page, 'Provision a Sovereign').getByRole('link', { name: 'Choose and provision' }).click();
    await heading(page, 'Org');
    await page.getByLabel('Organisation', { exact: true }).fill('stranger');
    await page.getByLabel('Owner').fill('me@stranger.example');
    const next = () => page.getByRole('button', { name: /^(Next|Review)$/ }).click();
    for (const step of ['Topology', 'Provider']) {
      await next();
      await heading(page, step);
    }
    await page.locator('[data-pointer="/regions/0"] label.card').first().click();
    await page.locator('[data-pointer="/regions/0/worker_size"] label.card.checked').waitFor();
    await next();
    await heading(page, 'Credentials');
    await makeKey(page);
    await next();
    await heading(page, 'Components');
    await page.getByRole('button', { name: 'Fill in a template' }).click();
    expect(await page.getByLabel('Git source').inputValue()).toContain('kind: GitRepository');
    await next();
    await heading(page, 'Domain');
    await page.getByLabel('Name', { exact: true }).fill('stranger');
    await page.getByText('stranger.example.net can be had').waitFor();
    await next();
    await page.getByText('It was rehearsed, and would succeed.').waitFor();
    await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
    await page.getByRole('heading', { name: 'stranger.example.net is there' }).waitFor({ timeout: 60_000 });
    await page.getByText('nothing answers at this address').waitFor();
  });

  it('appoints a franchisee, issues a voucher, and redeems it as somebody else', async () => {
    const page = await open(server);
    await mission(page, 'Run a franchise').getByRole('link', { name: 'Appoint a franchisee' }).click();
    await heading(page, 'Franchisee');
    await page.getByLabel('Organisation', { exact: true }).fill('north');
    await page.getByLabel('Owner').fill('ann@north.example');
    for (const step of ['Brand', 'Limits', 'Review']) {
      await page.getByRole('button', { name: /^(Next|Review)$/ }).click();
      await heading(page, step);
    }
    await page.getByText('It was rehearsed, and would succeed.').waitFor();
    await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
    await until('the run’s page', () => /\/runs\/[^/]+/.test(new URL(page.url()).pathname), 20);
    await page.getByRole('heading', { name: 'north is there' }).waitFor();
    await looks(page, 'stranger-franchisee');
    await page.getByRole('link', { name: 'Issue its vouchers' }).click();
    await page.getByLabel('Name of the batch').fill('First');
    await page.getByLabel('Worth of each').fill('20');
    await page.getByRole('button', { name: 'Issue the vouchers' }).click();
    await page.getByRole('button', { name: 'Hand out' }).first().click();
    const link = (await page.getByRole('dialog').getByText(/\/redeem\?code=/).first().textContent())!.trim();

    // A customer needs no account, and there is no mail server here: whoever issued the voucher hands the invitation over.
    const customer = await visit(server, link.replace(/^http:\/\/[^/]+/, ''));
    await customer.getByLabel('Your organisation').fill('Bob');
    await customer.getByLabel('E-mail address').fill('bob@bob.example');
    await customer.getByRole('button', { name: 'Redeem the voucher' }).click();
    await customer.getByRole('heading', { name: 'Bob is ready' }).waitFor();
    await customer.getByText('No letter could be sent').waitFor();
    await page.goto('/organisations/bob?part=members');
    await page.getByText('none went out').waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    const invitation = (await page.getByRole('status').getByText(/\/invitation#/).first().textContent())!.trim();
    await looks(page, 'stranger-customer');
    await customer.goto(invitation.replace(/^http:\/\/[^/]+/, ''));
    await customer.getByLabel('Name', { exact: true }).fill('bob');
    await customer.getByLabel('Password').fill('a long enough word');
    await customer.getByRole('button', { name: 'Accept, and come in' }).click();
    await customer.locator('.shell').waitFor();
  });

  it('reads what a plugin may do before it is trusted', async () => {
    const page = await open(server, '/plugins');
    await page.getByRole('link', { name: /registrars\/porkbun/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Porkbun' }).waitFor();
    await page.getByText('api.porkbun.com').first().waitFor();
    await keep(page, 'plugin');
  });

  it('draws a lab, deploys it, and pulls a cable', async () => {
    if (process.getuid?.() !== 0) return skipped('a stranger’s lab', 'network namespaces need root');
    const page = await open(server);
    await mission(page, 'Build a network lab').getByRole('link', { name: 'Draw or open a lab' }).click();
    await page.getByRole('button', { name: 'New lab' }).first().click();
    await page.getByLabel('Name', { exact: true }).fill('office');
    await page.getByLabel(/^A router between two networks/).check();
    await page.getByRole('button', { name: 'Draw it' }).click();
    await page.getByRole('button', { name: 'Deploy…' }).click();
    await page.getByRole('list', { name: 'What will be done' }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
    try {
      const far = page.locator('.svelte-flow__edge[data-id*="far:eth0"]');
      await until('the far link to be up', async () => /, up/.test((await far.getAttribute('aria-label')) ?? ''), 60);
      await page.locator('.facts').getByText('deployed', { exact: true }).waitFor();
      await far.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Pull the cable' }).click();
      await until('the far link to be down', async () => /, down/.test((await far.getAttribute('aria-label')) ?? ''), 30);
      for (const close of await page.getByRole('button', { name: 'Close this message' }).all()) await close.click();
      await keep(page, 'lab');
    } finally {
      await server.reaches(await server.launch('lab/destroy', { lab: 'office' }), 'succeeded');
    }
  });
});
