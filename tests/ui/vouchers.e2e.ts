// Vouchers: a batch is issued, handed out, followed and taken back; a large one waits for somebody's word.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, logIn, looks, open, Server, until, visit } from './harness';
import { organisation, PASSWORD, person, vouchers } from './franchise';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ settings: '[vouchers]\neach_per_minute = 500\n' });
  await organisation(server, 'acme', 'franchisee', 'Acme Cloud');
  await organisation(server, 'zeta', 'franchisee', 'Zeta');
  await person(server, 'ann', 'acme');
  await person(server, 'zoe', 'zeta');
});
const as = (name: string, path: string, look = {}) => open(server, path, { name, password: PASSWORD, ...look });

describe('vouchers', () => {
  it('are issued by a franchisee, with all that a batch can say', async () => {
    const page = await as('ann', '/vouchers');
    await page.getByText('No voucher yet').waitFor();
    await accessible(page);
    await page.getByRole('link', { name: 'Issue the first ones' }).click();
    await page.getByRole('button', { name: 'Issue the vouchers' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByText('An amount is needed.').waitFor();
    await page.getByLabel('Name of the batch').fill('Spring fair');
    await page.getByLabel('Vouchers', { exact: true }).fill('12');
    await page.getByLabel('Currency').selectOption('OMR');
    await page.getByLabel('Worth of each').fill('5.0001');
    await page.getByText('An amount such as 123.456', { exact: false }).waitFor();
    await page.getByLabel('Worth of each').fill('2.500');
    await page.getByLabel('What they are for').fill('A shop for a month');
    await page.getByText('Several times').click();
    await page.getByLabel('Times', { exact: true }).fill('3');
    await page.getByLabel('How long they hold').selectOption('days');
    await page.getByLabel('Days', { exact: true }).fill('45');
    await page.getByRole('button', { name: 'Add a product' }).click();
    await page.getByLabel('Product 1', { exact: true }).fill('shop');
    await page.getByLabel('How often at most: product 1').fill('2');
    await page.getByText('90.000 OMR', { exact: false }).first().waitFor();
    await looks(page, 'vouchers-issue');
    await page.getByRole('button', { name: 'Issue the vouchers' }).click();
    await page.getByRole('heading', { name: 'Spring fair' }).waitFor();
    await page.getByText('shop (at most 2 times)').waitFor();
    await page.getByText('at most 3 times each', { exact: false }).waitFor();
    expect(await page.getByRole('row').count()).toBe(13);
    const [batch] = await server.api<{ id: string; credit: number; currency: string; issuer: string; created_by: string }[]>('GET', '/vouchers/batches');
    expect(batch).toMatchObject({ credit: 2_500, currency: 'OMR', issuer: 'acme' });
    const { items } = await server.api<{ items: { expires_at_ms: number; max_redemptions: number }[] }>('GET', `/vouchers?batch=${batch!.id}`);
    expect(items[0]!.max_redemptions).toBe(3);
    expect(Math.round((items[0]!.expires_at_ms - Date.now()) / 86_400_000)).toBe(45);
  });

  it('say who issues them, who tells of it, and whom a link may name', async () => {
    const page = await as('ann', '/vouchers/new');
    await page.getByText('Issued by Acme Cloud.').waitFor();
    expect(await page.getByRole('combobox', { name: 'Issuer' }).count(), 'there is nothing to choose').toBe(0);
    // Somebody else's name in a link is told, and not taken.
    await page.goto('/vouchers/new?issuer=zeta');
    await page.getByText('You can’t issue vouchers for “zeta”. These are issued for Acme Cloud.').waitFor();
    await accessible(page);
    await fitsWidth(page);
    const admin = await open(server, '/vouchers/new?issuer=zeta');
    await admin.getByText('Issued by Zeta.').waitFor();
    await admin.getByRole('combobox', { name: 'Issuer' }).selectOption('acme');
    await admin.getByText('Issued by Acme Cloud.').waitFor();
    await looks(admin, 'vouchers-issuer');
    // The letter that can't be sent is told of, as it is gone for good.
    await admin.getByLabel('Name of the batch').fill('Told');
    await admin.getByLabel('Worth of each').fill('5');
    await admin.getByLabel('Tell').fill('shop@acme.test');
    await admin.getByRole('button', { name: 'Issue the vouchers' }).click();
    await admin.getByRole('heading', { name: 'Told' }).waitFor();
    await admin.getByText('shop@acme.test wasn’t told of the batch', { exact: false }).or(admin.getByText("shop@acme.test wasn't told of the batch", { exact: false })).first().waitFor();
    const [run] = (await server.api<{ items: { id: string }[] }>('GET', '/runs?workflow=franchise/issue-vouchers&limit=1')).items;
    await admin.goto(`/runs/${run!.id}`);
    await admin.getByRole('region', { name: 'What is left to do' }).getByText('no mail server is configured', { exact: false }).waitFor();
  });

  it('are handed out as links and as CSV, redeemed, looked after, and taken back', async () => {
    const { batch, codes, ids } = await vouchers(server, { issuer: 'acme', name: 'winter', count: 3 });
    const page = await as('ann', `/vouchers/${batch}`);
    await page.getByText(ids[0]!).waitFor();
    expect(await page.getByText(codes[0]!).count(), 'codes aren’t in sight').toBe(0);
    const saved = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Export as CSV' }).click();
    expect(readFileSync(await (await saved).path(), 'utf8')).toContain(codes[0]!);
    await page.getByRole('button', { name: 'Hand out' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`/redeem?code=${codes[0]}`, { exact: false }).first().waitFor();
    await dialog.getByRole('img', { name: /QR code/ }).waitFor();
    await looks(page, 'vouchers-hand-out', { full: false });
    const opened = page.waitForEvent('popup');
    await dialog.getByRole('link', { name: 'Look at it' }).click();
    const redeems = await opened;
    await redeems.getByLabel('Your organisation').fill('Bob');
    await redeems.getByLabel('E-mail address').fill('bob@bob.test');
    await redeems.getByRole('button', { name: 'Redeem the voucher' }).click();
    await redeems.getByRole('heading', { name: 'Bob is ready' }).waitFor();
    await redeems.close();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.reload();
    await page.getByRole('button', { name: 'Show the codes' }).click();
    await page.getByText(codes[1]!).waitFor();
    await looks(page, 'vouchers-batch');
    await page.getByRole('button', { name: /^1 of 1/ }).click();
    await dialog.getByRole('link', { name: /bob/i }).waitFor();
    await page.keyboard.press('Escape');
    // One of them, then all that are left.
    await page.getByRole('button', { name: `More about ${ids[1]}` }).click();
    await page.getByRole('menuitem', { name: 'Take it back…' }).click();
    await page.getByRole('button', { name: 'Take it back', exact: true }).click();
    await page.getByRole('row', { name: new RegExp(codes[1]!) }).getByText('Taken back').waitFor();
    await page.getByRole('button', { name: 'Take it back…' }).click();
    await page.getByRole('button', { name: 'Take the batch back' }).click();
    await page.getByRole('row', { name: new RegExp(codes[2]!) }).getByText('Taken back').waitFor();
    expect((await fetch(`${server.url}/api/v1/redeem/${codes[2]}`)).status).toBe(410);
    const audit = await server.api<{ items: { action: string }[] }>('GET', '/audit?organisation=acme&limit=100');
    expect(audit.items.filter((one) => one.action === 'voucher.export').length, 'each look at the codes is in the audit log').toBeGreaterThanOrEqual(3);
    await page.goto('/vouchers');
    await page.getByRole('list', { name: 'Totals' }).getByText('50.00 EUR').first().waitFor();
    await looks(page, 'vouchers');
  });

  it('that are worth much wait for an admin, and go on by themselves', async () => {
    const page = await as('ann', '/vouchers/new', { width: 390, height: 844 });
    await page.getByLabel('Name of the batch').fill('Large');
    await page.getByLabel('Worth of each').fill('2,000');
    await page.getByText('An admin has to approve it: it is more than 10,000.00 EUR.').waitFor();
    await fitsWidth(page);
    await page.getByRole('button', { name: 'Ask to issue them' }).click();
    await page.getByRole('heading', { name: 'Issue 10 vouchers of 2,000.00 EUR for acme?' }).waitFor();
    await page.getByText('You can’t decide on this', { exact: false }).waitFor();
    await accessible(page);
    await fitsWidth(page);
    const run = new URL(page.url()).searchParams.get('run');
    const admin = await open(server, '/approvals');
    await admin.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('heading', { name: 'Large' }).waitFor();
    expect((await server.api<{ state: string }>('GET', `/runs/${run}`)).state).toBe('succeeded');
  });

  it('of one franchisee aren’t there for another', async () => {
    const { batch } = await vouchers(server, { issuer: 'acme' });
    const page = await as('zoe', '/vouchers');
    await page.getByText('No voucher yet').waitFor();
    await page.goto(`/vouchers/${batch}`);
    await page.getByText('there is no such batch').waitFor();
    await person(server, 'olga', 'acme', 'operator');
    const olga = await visit(server, '/vouchers');
    await logIn(olga, 'olga', PASSWORD);
    await olga.getByText('You may not see this').waitFor();
    expect(await olga.getByRole('link', { name: 'Vouchers' }).count()).toBe(0);
  });

  it('are issued once, though the answer to the first press is lost', async () => {
    const page = await as('ann', '/vouchers/new');
    await page.getByLabel('Name of the batch').fill('Twice pressed');
    await page.getByLabel('Worth of each').fill('3');
    // The server hears it, and its answer doesn't come through.
    await page.route('**/api/v1/runs', async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await page.getByRole('button', { name: 'Issue the vouchers' }).click();
    await page.getByText('The server can’t be reached.').first().waitFor();
    await page.getByRole('button', { name: 'Issue the vouchers' }).click();
    await page.getByRole('heading', { name: 'Twice pressed' }).waitFor();
    await until('all runs to have ended', async () => (await server.api<{ items: unknown[] }>('GET', '/runs?workflow=franchise/issue-vouchers&state=queued,running')).items.length === 0);
    const batches = await server.api<{ name: string }[]>('GET', '/vouchers/batches');
    expect(batches.filter((one) => one.name === 'Twice pressed')).toHaveLength(1);
  });

  it('are issued with the keyboard alone', async () => {
    const page = await as('ann', '/vouchers/new');
    await page.getByLabel('Name of the batch').focus();
    await page.keyboard.type('Typed');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('2');
    await page.keyboard.press('Tab');
    await page.keyboard.type('7');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Typed' }).waitFor();
    await page.getByText('2 × 7.00 EUR').waitFor();
  });
});
