// The whole story in browsers: somebody provisions a Sovereign and watches it; the Sovereign's admin comes in at its own address and
// issues a voucher; a customer redeems it, gets an organisation, and reaches an app that really runs. The name server, the mail server,
// Docker and all that Windlass does are real; the provider is simulated. Its machines serve nothing: behind the Sovereign's balancer
// stands a second Windlass, with data of its own. With UI_PICTURES=1 it leaves its pictures in docs/pictures/story.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { freePort, logIn, open, Server, until, visit } from './harness';
import { makeKey } from './sovereign';
import { keep } from './pictures';
import { Docker } from './docker';
import { Mail, skipped, Street } from './world';

const SHOP = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Bob’s shop</title>
<style>body { margin: 0; font: 18px/1.5 system-ui, sans-serif; background: #fdf6ec; color: #2b2118; display: grid; place-items: center; min-height: 100vh }
main { text-align: center; max-width: 30rem; padding: 2rem } h1 { font-size: 2.5rem; margin: 0 }</style>
<main><h1>The shop is open</h1><p>This page comes from a container that was started for one customer when the voucher was redeemed.</p></main></html>`;
const NAME = 'omantel.example.net';
let server: Server;
let own: Server;
let docker: Docker;
let mail: Mail;
let street: Street;
const missing = Mail.missing() ?? Docker.missing();

beforeAll(async () => {
  if (missing) return;
  [docker, mail, server] = await Promise.all([Docker.start(), Mail.start(), Server.start({ playground: true })]);
  docker.makeWebImage('shop:1', { 'index.html': SHOP });
  expect(server.playground?.missing, 'what `windlass dev` needs').toEqual([]);
  street = await Street.open(String(server.playground!.dns));
});

/** The Sovereign's own Windlass: customers get a name in its zone, and an app behind it. */
async function sovereign(appPort: number) {
  const offer = { zone: NAME, address: '127.0.0.1', app: 'container', image: 'shop:1', port: 80, published_port: appPort };
  const lines = (values: Record<string, unknown>) => Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join('');
  return Server.start({
    settings: `${mail.settings}
[server]
${lines({ public_url: `https://console.${NAME}`, trusted_proxies: ['127.0.0.0/8'] })}
[hosts.docker]
${lines({ socket: docker.socket, ports: '1024-65535' })}
[hosts.dns.servers.main]
${lines({ url: server.playground!.powerdns, api_key: `file:${join(server.folder, 'data/playground/api.key')}`, zones: [NAME], nameservers: ['ns1.example.net', 'ns2.example.net'] })}
[vouchers.offer]
${lines(offer)}`,
  });
}

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const card = (page: Page, text: string) => page.locator('label.card', { hasText: text });
async function next(page: Page, to: string) {
  await page.getByRole('button', { name: /^(Next|Review)$/ }).click();
  await heading(page, to);
}
/** Launches what Review shows; the run's id. */
async function launch(page: Page): Promise<string> {
  await page.getByText('It was rehearsed, and would succeed.').waitFor();
  await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
  await until('the run’s page', () => /\/runs\/[^/]+/.test(new URL(page.url()).pathname), 20);
  return new URL(page.url()).pathname.split('/')[2]!;
}

/** The first code of a batch, as its export has it. */
async function codeOf(batch: string): Promise<string> {
  const csv = await fetch(`${own.url}/api/v1/vouchers/batches/${batch}/export`, { headers: { authorization: `Bearer ${own.token}` } });
  return /\b[0-9A-Z]{4}(-[0-9A-Z]{4}){4}\b/.exec(await csv.text())![0];
}

it('goes from an empty server to a customer’s app', async () => {
  if (missing) return skipped('the story', missing);

  // 1. Logs in. 2. Picks "New Sovereign".
  const page = await open(server, '/new', { proxy: street.proxy });
  await page.getByRole('link', { name: /Provision a Sovereign/ }).click();
  await heading(page, 'Org');
  await page.getByLabel('Organisation', { exact: true }).fill('omantel');
  await page.getByLabel('Owner').fill('ann@omantel.test');
  await next(page, 'Topology');
  await card(page, 'Dual').click();
  await page.getByLabel('Three control planes').check();
  await next(page, 'Provider');
  // 3. The region, any; and the credentials, which are tried.
  for (const [index, place] of ['Falkenstein', 'Nuremberg'].entries()) await page.locator(`[data-pointer="/regions/${index}"]`).locator('label.card', { hasText: place }).click();
  await page.locator('[data-pointer="/regions/0/worker_size"] label.card.checked').waitFor();
  await next(page, 'Credentials');
  await page.getByText('The provider takes the token of main').waitFor();
  await makeKey(page);
  await keep(page, 'story/1-credentials');
  // 5. The first apps. (The wizard asks for the domain after them.)
  await next(page, 'Components');
  await card(page, 'Grafana').click();
  await page.getByLabel('Git source').fill('kind: GitRepository');
  await keep(page, 'story/2-components');
  await next(page, 'Domain');
  // 4. A name of the pool.
  await page.getByLabel('Name', { exact: true }).fill('omantel');
  await page.getByText('omantel.example.net can be had').waitFor();
  await keep(page, 'story/3-domain');
  // 6. Provision, as the plan says.
  await next(page, 'Review');
  await page.getByText('It was rehearsed, and would succeed.').waitFor();
  await keep(page, 'story/4-review');
  const run = await launch(page);
  // 7. Watches: phases and components, without a reload.
  await page.getByRole('region', { name: 'Phases' }).getByRole('listitem').nth(2).waitFor();
  await keep(page, 'story/5-progress');
  await page.getByRole('heading', { name: `${NAME} is there` }).waitFor({ timeout: 60_000 });
  const made = await server.reaches(run, 'succeeded');
  await page.getByRole('region', { name: 'Report' }).getByText('Chain of trust').waitFor();
  await keep(page, 'story/6-there');
  // 8. It is reachable: the world finds the name by the chain from the parent down, and comes to the balancer.
  const link = page.getByRole('link', { name: 'Open the console' });
  const console_ = new URL((await link.getAttribute('href'))!);
  expect(console_.origin).toBe('https://console.omantel.example.net');
  const balancer = await street.resolve(console_.hostname);
  expect(JSON.stringify(made.output)).toContain(balancer);
  const [host, dnsPort] = String(server.playground!.dns).split(':');
  const parent = execFileSync('dig', ['+norecurse', '+short', `@${host}`, '-p', dnsPort!, 'omantel.example.net', 'DS']).toString().trim();
  expect(parent, 'the parent’s DS record').toMatch(/^\d+ \d+ \d+ [0-9A-F ]+/);

  const appPort = await freePort();
  own = await sovereign(appPort);
  street.balances(balancer, new URL(own.url).host);
  const [opened] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
  await opened.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
  expect(new URL(opened.url()).hostname).toBe(console_.hostname);

  // 9. The Sovereign's admin logs in there.
  const ann = await visit(own, console_.origin, { proxy: street.proxy });
  await logIn(ann, 'admin', own.password);

  // 10. Issues a voucher, and hands it out.
  await ann.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Vouchers' }).click();
  await ann.getByRole('link', { name: 'Issue the first ones' }).click();
  await ann.getByLabel('Name of the batch').fill('Opening');
  await ann.getByLabel('Vouchers', { exact: true }).fill('1');
  await ann.getByLabel('Currency').selectOption('OMR');
  await ann.getByLabel('Worth of each').fill('25.000');
  await ann.getByLabel('What they are for').fill('A shop for three months');
  await ann.getByRole('button', { name: 'Issue the vouchers' }).click();
  await ann.getByRole('heading', { name: 'Opening' }).waitFor();
  await ann.getByRole('button', { name: 'Hand out' }).click();
  const given = ann.getByRole('dialog').getByText(/\/redeem\?code=/).first();
  await keep(ann, 'story/7-vouchers');
  const code = /code=([0-9A-Z-]+)/.exec((await given.textContent())!)![1]!;

  // 11. A customer, whom nobody knows, redeems it at the Sovereign's own name.
  const bob = await visit(own, `https://${NAME}/redeem?code=${code}`, { proxy: street.proxy });
  await bob.getByText('A shop for three months').waitFor();
  await bob.getByLabel('Your organisation').fill('Bob');
  expect(await bob.getByLabel('Short name').inputValue()).toBe('bob');
  await bob.getByLabel('E-mail address').fill('bob@bob.test');
  await keep(bob, 'story/8-redeem');
  await bob.getByRole('button', { name: 'Redeem the voucher' }).click();
  // 12. Organisation, environment and app are there; a letter invites to look after them.
  await bob.getByRole('heading', { name: 'Bob is ready' }).waitFor({ timeout: 60_000 });
  await keep(bob, 'story/9-redeemed');
  // 13. The customer reaches the app by its name.
  const [app] = await Promise.all([bob.context().waitForEvent('page'), bob.getByRole('link', { name: 'Open your app' }).click()]);
  await app.getByRole('heading', { name: 'The shop is open' }).waitFor();
  expect(app.url()).toBe(`http://bob.${NAME}:${appPort}/`);
  expect(street.asked).toContainEqual({ name: `bob.${NAME}`, address: '127.0.0.1' });
  await keep(app, 'story/10-app');

  // And comes in with the invitation.
  const letter = await mail.letter('bob@bob.test', /https:[^\s"\\]+\/invitation#[^\s"\\]+/);
  await bob.goto(letter[0]);
  await bob.getByLabel('Name', { exact: true }).fill('bob');
  await bob.getByLabel('Password').fill('a long enough word');
  await bob.getByRole('button', { name: 'Accept, and come in' }).click();
  await bob.locator('.shell').waitFor();
  expect(await own.api('GET', '/organisations/bob/environments')).toMatchObject([{ name: 'production', domain: `bob.${NAME}` }]);
}, 240_000);

it('gives another customer an app of their own', async () => {
  if (missing) return skipped('another customer of the story', missing);
  const batch = await own.reaches(await own.launch('franchise/issue-vouchers', { issuer: 'platform', name: 'second', credit: 100, currency: 'OMR' }), 'succeeded');
  const code = await codeOf((batch.output as { batch: string }).batch);
  const ports = () => docker.run('ps', '--format', '{{.Ports}}').trim().split('\n').filter((line) => line).sort();
  const before = ports();
  const begun = await own.api<{ run: string }>('POST', '/redeem', { code, organisation: 'carol', email: 'carol@carol.test' });
  const { app } = (await own.reaches(begun.run, 'succeeded')).output as { app: { url: string; port: number } };
  // Bob's is still there, at another port.
  expect(before).toHaveLength(1);
  expect(ports()).toEqual([...before, `127.0.0.1:${app.port}->80/tcp`].sort());
  expect(await (await fetch(app.url)).text()).toContain('The shop is open');
});
