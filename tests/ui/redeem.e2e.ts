// What the public sees: a code is looked at, redeemed, and followed until the address is there; an invitation is accepted.
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, logIn, looks, Server, until, visit } from './harness';
import { logo, organisation, PASSWORD, person, vouchers } from './franchise';

const app = createServer((request, response) => response.setHeader('content-type', 'text/html').end(`<title>App</title><h1>The app of ${request.url!.slice(1)}</h1>`));
let server: Server;
beforeAll(async () => {
  await new Promise<void>((begun) => app.listen(0, '127.0.0.1', begun));
  const { port } = app.address() as { port: number };
  server = await Server.start({ settings: `[vouchers]\neach_per_minute = 500\n[vouchers.offer]\npublic_url = "http://127.0.0.1:${port}/{organisation}"\n` });
  await organisation(server, 'acme', 'franchisee', 'Acme Cloud');
  await server.api('PUT', '/organisations/acme/brand', { title: 'Acme Cloud', logo: logo(10, 92, 63), colours: { primary: '#0a5c3f' } });
});
afterAll(() => void app.close());
const accent = (page: Awaited<ReturnType<typeof visit>>) => page.evaluate(() => document.documentElement.style.getPropertyValue('--accent'));
const mistyped = (code: string) => code.slice(0, -1) + (code.endsWith('A') ? 'B' : 'A');

describe('a voucher', () => {
  it('is looked at, redeemed without an account, and followed to the address of the app', async () => {
    const { codes } = await vouchers(server, { issuer: 'acme', description: 'Welcome to the spring', expires_at_ms: Date.now() + 40 * 86_400_000 });
    const page = await visit(server, `/redeem?code=${codes[0]!.toLowerCase()}`);
    await page.getByText('50.00 EUR').waitFor();
    await page.getByText('Welcome to the spring').waitFor();
    expect(await page.title()).toContain('Acme Cloud');
    expect(await accent(page), 'the colours are the issuer’s').toBe('#0a5c3f');
    await page.getByLabel('Your organisation').waitFor();
    await looks(page, 'redeem-voucher');
    // What is missing is said at the fields, and nothing is sent.
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByText('An e-mail address is needed', { exact: false }).waitFor();
    await page.getByLabel('Your organisation').fill('Bob & Sons');
    expect(await page.getByLabel('Short name').inputValue()).toBe('bob-sons');
    await page.getByLabel('Short name').fill('acme');
    await page.getByLabel('E-mail address').fill('bob@bob.test');
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByText('Somebody has this name already.', { exact: false }).waitFor();
    await page.getByLabel('Short name').fill('bob');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Bob & Sons is ready' }).waitFor();
    await page.getByText('Redeeming the voucher').waitFor();
    await page.getByText('No letter could be sent', { exact: false }).waitFor();
    await looks(page, 'redeem-ready');
    const opened = page.waitForEvent('popup');
    await page.getByRole('link', { name: 'Open your app' }).click();
    await (await opened).getByRole('heading', { name: 'The app of bob' }).waitFor();
    // The address opens it again, and without its word it opens nothing.
    const address = page.url();
    await page.reload();
    await page.getByRole('heading', { name: 'Bob & Sons is ready' }).waitFor();
    const other = await visit(server, new URL(address).pathname);
    await other.getByText('isn’t whole', { exact: false }).waitFor();
    await other.goto(`${new URL(address).pathname}#${'0'.repeat(64)}`);
    await other.reload();
    await other.getByText('There is no such redemption.').waitFor();
    expect((await server.api<{ parent: string }>('GET', '/organisations/bob')).parent).toBe('acme');
    const balances = await server.api<{ account: string; amount: number }[]>('GET', '/ledger/balances?organisation=bob');
    expect(balances.map((one) => one.amount)).toEqual([-5_000]);
    // It is used up now, and says so kindly.
    const late = await visit(server, `/redeem?code=${codes[0]}`);
    await late.getByText('This voucher was redeemed already').waitFor();
    await accessible(late);
  });

  it('whose answer is lost is asked for again, and redeemed once', async () => {
    const { codes } = await vouchers(server, { issuer: 'acme', max_redemptions: 5 });
    const page = await visit(server, `/redeem?code=${codes[0]}`);
    const keys: string[] = [];
    let lost = true;
    // The server does it, and nobody hears of it.
    await page.route('**/api/v1/redeem', async (route) => {
      keys.push(route.request().headers()['idempotency-key'] ?? '');
      if (!lost) return route.continue();
      await route.fetch();
      await route.abort('connectionreset');
    });
    await page.getByLabel('Your organisation').fill('Lost and Found');
    await page.getByLabel('E-mail address').fill('lost@found.test');
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByRole('alert').first().waitFor();
    lost = false;
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByRole('heading', { name: 'Lost and Found is ready' }).waitFor();
    expect(keys).toHaveLength(2);
    expect(keys[0]).toMatch(/.{16,}/);
    expect(keys[1], 'the same redemption').toBe(keys[0]);
    const balances = await server.api<{ amount: number }[]>('GET', '/ledger/balances?organisation=lost-and-found');
    expect(balances.map((one) => one.amount)).toEqual([-5_000]);
    // What is corrected after a refusal is another one.
    const other = await visit(server, `/redeem?code=${codes[0]}`);
    const next: string[] = [];
    other.on('request', (request) => { if (request.method() === 'POST' && request.url().endsWith('/api/v1/redeem')) next.push(request.headers()['idempotency-key'] ?? ''); });
    await other.getByLabel('Your organisation').fill('Acme');
    await other.getByLabel('E-mail address').fill('lost@found.test');
    await other.getByRole('button', { name: 'Redeem the voucher' }).click();
    await other.getByText('Somebody has this name already.', { exact: false }).waitFor();
    await other.getByLabel('Short name').fill('second');
    await other.getByRole('button', { name: 'Redeem the voucher' }).click();
    await until('two requests', () => next.length === 2);
    expect(next[1]).not.toBe(next[0]);
  });

  it('that is mistyped is seen at once, without asking', async () => {
    const { codes } = await vouchers(server);
    const page = await visit(server, '/redeem');
    const asked: string[] = [];
    page.on('request', (request) => request.url().includes('/api/v1/redeem') && asked.push(request.url()));
    const code = page.getByLabel('Code');
    await code.fill(mistyped(codes[0]!));
    await page.getByText('This isn’t quite a code', { exact: false }).waitFor();
    await code.fill('7KXU');
    await page.getByText('“U” is in no code', { exact: false }).waitFor();
    await code.fill('7KX2');
    await page.getByRole('button', { name: 'Look what it is worth' }).click();
    await page.getByText('16 characters are missing.').waitFor();
    await looks(page, 'redeem-code');
    expect(asked, 'nothing was sent').toEqual([]);
    // One that is changed while it is looked up isn't looked up any more.
    let answer = () => {};
    const late = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/api/v1/redeem/*', async (route) => {
      await late;
      await route.continue().catch(() => {});
    }, { times: 1 });
    await code.fill(codes[0]!);
    await page.getByText('Looking at the code').waitFor();
    await code.fill('7KX2');
    await page.getByText('Looking at the code').waitFor({ state: 'detached' });
    answer();
    await code.fill(codes[0]!.replaceAll('-', ' ').toLowerCase());
    await page.getByText('50.00 EUR').waitFor();
    await page.getByRole('button', { name: 'Use another code' }).click();
    expect(await page.getByLabel('Code').inputValue()).toBe('');
  });

  it('that is unknown, taken back or asked for too often is told kindly', async () => {
    const { batch, codes } = await vouchers(server, { count: 2 });
    await server.api('POST', `/vouchers/batches/${batch}/revoke`);
    const page = await visit(server, `/redeem?code=${codes[0]}`);
    await page.getByText('This voucher was taken back').waitFor();
    const elsewhere = await Server.start({ settings: '[vouchers]\neach_per_minute = 2\n' });
    const there = await visit(elsewhere, `/redeem?code=${codes[0]}`);
    await there.getByText('There is no such voucher').waitFor();
    await there.getByRole('button', { name: 'Look again' }).click();
    await there.getByLabel('Code').fill(codes[1]!);
    await there.getByText('Too many codes were tried from your network').waitFor();
    await there.getByText(/^Again in \d+ s\.$/).waitFor();
    expect(await there.getByRole('button', { name: 'Look again' }).isDisabled()).toBe(true);
    await looks(there, 'redeem-throttled');
  });

  it('gives nothing away when it can’t be redeemed after all', async () => {
    const { codes } = await vouchers(server, { issuer: 'acme', products: { database: 0, shop: 5 } });
    await server.api('PUT', '/organisations/acme/quotas', { customers: 1 });
    const page = await visit(server, `/redeem?code=${codes[0]}`, { width: 390, height: 844 });
    await page.getByLabel('Your organisation').fill('Late');
    await page.getByLabel('E-mail address').fill('late@late.test');
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByText('Choose what it is for.').waitFor();
    await page.getByLabel('What for').selectOption('shop');
    await page.getByRole('button', { name: 'Redeem the voucher' }).click();
    await page.getByRole('heading', { name: 'It didn’t work' }).waitFor();
    await page.getByText('can’t take more customers', { exact: false }).waitFor();
    await fitsWidth(page);
    await accessible(page);
    await server.api('PUT', '/organisations/acme/quotas', {});
    await page.getByRole('link', { name: 'Try again' }).click();
    await page.getByLabel('Code').fill(codes[0]!);
    await page.getByText('50.00 EUR').waitFor();
  });
});

describe('an invitation', () => {
  const invite = async (email: string, role = 'operator') =>
    new URL((await server.api<{ link: string }>('POST', '/organisations/acme/invitations', { email, role })).link);

  it('lets somebody new choose a name and a password, and come in', async () => {
    const link = await invite('ann@acme.test', 'franchisee');
    const page = await visit(server, `/invitation${link.hash}`);
    await page.getByRole('heading', { name: 'Welcome to Acme Cloud' }).waitFor();
    expect(await accent(page)).toBe('#0a5c3f');
    expect(page.url(), 'the word leaves the address').not.toContain('wi_');
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('ann');
    await page.getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Accept, and come in' }).click();
    await page.locator('p.error', { hasText: 'At least 10 characters.' }).waitFor();
    await looks(page, 'invitation');
    await page.reload();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('.shell').waitFor();
    await until('the frame to be Acme’s', async () => (await page.locator('.shell .brand').first().innerText()).includes('Acme Cloud'));
    const again = await visit(server, `/invitation${link.hash}`);
    await again.getByText('This invitation doesn’t hold any more.').waitFor();
    await accessible(again);
  });

  it('is accepted by a user once they have logged in, and by nobody else', async () => {
    await person(server, 'carl', 'platform', 'viewer');
    const link = await invite('carl@platform.test');
    const page = await visit(server, `/invitation${link.hash}`);
    await page.getByRole('heading', { name: 'Log in to accept it' }).waitFor();
    await accessible(page);
    await page.getByLabel('Name or e-mail address').fill('admin');
    await page.getByLabel('Password').fill(server.password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByRole('button', { name: 'Accept the invitation' }).click();
    await page.getByText('log in as them first', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'I am somebody else' }).click();
    await page.getByLabel('Name or e-mail address').fill('carl');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByRole('button', { name: 'Accept the invitation' }).click();
    await page.locator('.shell').waitFor();
    const { bindings } = await server.api<{ bindings: unknown[] }>('GET', '/users/carl');
    expect(bindings).toContainEqual({ role: 'operator', organisation: 'acme', folder: '*' });
  });

  it('that isn’t whole says what to do', async () => {
    const page = await visit(server, '/invitation');
    await page.getByText('isn’t whole', { exact: false }).waitFor();
    await page.getByRole('link', { name: 'Log in' }).click();
    await logIn(page, 'admin', server.password);
  });
});
