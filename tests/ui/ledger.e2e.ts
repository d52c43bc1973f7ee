// The ledger: accounts, entries in pages, that it balances; and settling with another Sovereign, which is a server of its own.
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, looks, open, Server, until } from './harness';
import { organisation, PASSWORD, person, vouchers } from './franchise';

const SETTINGS = '[vouchers]\neach_per_minute = 5000\n';
let server: Server;
let omantel: Server;
async function redeem(at: Server, code: string, name: string) {
  const response = await fetch(`${at.url}/api/v1/redeem`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code, organisation: name, email: `${name}@${name}.test` }) });
  expect(response.status, await response.clone().text()).toBe(202);
  await at.reaches(((await response.json()) as { run: string }).run, 'succeeded');
}
beforeAll(async () => {
  [server, omantel] = await Promise.all([Server.start({ settings: SETTINGS }), Server.start({ settings: SETTINGS })]);
  await organisation(server, 'acme', 'franchisee', 'Acme');
  await organisation(server, 'zeta', 'franchisee', 'Zeta');
  for (const [name, of] of [['ann', 'acme'], ['zoe', 'zeta']] as const) await person(server, name, of);
  const { codes } = await vouchers(server, { issuer: 'acme', count: 3 });
  for (const [index, code] of codes.entries()) await redeem(server, code, `customer-${index}`);
});

describe('the ledger', () => {
  it('shows accounts with their balances, what was booked, and that it balances', async () => {
    const page = await open(server, '/ledger');
    await page.getByText('It balances.').waitFor();
    await page.getByText('3 transactions with 6 entries looked at', { exact: false }).waitFor();
    const acme = page.getByRole('region', { name: 'Acme' });
    await acme.getByText('Vouchers granted').waitFor();
    expect(await acme.innerText()).toMatch(/150\.00 EUR\s*debit/);
    await page.getByText('Debits and credits are the same.', { exact: false }).waitFor();
    await looks(page, 'ledger');
    await page.getByRole('link', { name: 'Entries', exact: true }).first().click();
    await page.getByRole('table', { name: 'Entries' }).waitFor();
    expect(await page.getByText('Redeemed', { exact: true }).count()).toBe(3);
    await looks(page, 'ledger-entries');
    await page.getByLabel('Organisation', { exact: true }).selectOption('acme');
    await until('Acme’s alone', async () => (await page.locator('td a').allInnerTexts()).every((text) => text === 'Acme'));
  });

  it('is in pages', async () => {
    const { codes } = await vouchers(server, { issuer: 'acme', count: 1, max_redemptions: 0, credit: 1, currency: 'OMR' });
    for (let at = 0; at < 52; at += 4) await Promise.all([0, 1, 2, 3].map((more) => redeem(server, codes[0]!, `many-${at + more}`)));
    const page = await open(server, '/ledger?part=entries');
    await page.getByRole('table', { name: 'Entries' }).waitFor();
    const rows = () => page.locator('table[aria-label=Entries] tbody tr').count();
    const first = await rows();
    expect(first).toBe(100);
    await page.getByRole('button', { name: /more/i }).click();
    await until('the next page', async () => (await rows()) === 110);
  });

  it('of one organisation isn’t another one’s', async () => {
    const zoe = await open(server, '/ledger', { name: 'zoe', password: PASSWORD });
    await zoe.getByText('No account yet').waitFor();
    expect(await zoe.getByText('It balances.').count(), 'the whole is the platform’s').toBe(0);
    expect(await zoe.getByRole('link', { name: 'Other Sovereigns' }).count()).toBe(0);
    await zoe.goto('/ledger?organisation=acme&part=entries');
    await zoe.getByText('Nothing is booked yet').waitFor();
    const ann = await open(server, '/ledger', { name: 'ann', password: PASSWORD, width: 390, height: 844 });
    await ann.getByText('Vouchers granted').first().waitFor();
    await fitsWidth(ann);
    await accessible(ann);
  });
});

describe('another Sovereign', () => {
  it('is trusted, its voucher redeemed, settled, and its payment booked', async () => {
    const key = async (of: Server) => (await of.api<{ public_key: string }>('GET', '/vouchers/key')).public_key;
    const page = await open(server, '/ledger?part=sovereigns');
    await page.getByText('No other Sovereign is trusted').waitFor();
    await page.getByRole('region', { name: 'The public key' }).getByText(await key(server)).waitFor();
    await page.getByRole('button', { name: 'Trust a Sovereign' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Trust it', exact: true }).click();
    await dialog.getByText('Its key is needed.').waitFor();
    await dialog.getByLabel('Name').fill('omantel');
    await dialog.getByLabel('Its public key').fill(await key(omantel));
    await dialog.getByLabel('Its address').fill(omantel.url);
    await dialog.getByLabel('It may owe at most').fill('1000000');
    await looks(page, 'ledger-trust', { full: false });
    await dialog.getByRole('button', { name: 'Trust it', exact: true }).click();
    await page.getByRole('region', { name: 'omantel' }).waitFor();
    await omantel.api('PUT', '/sovereigns/muscat', { public_key: await key(server), url: server.url, limit: 0 });
    const { id } = await omantel.api<{ id: string }>('POST', '/vouchers/batches', { name: 'abroad', credit: 7_500, currency: 'EUR', signed: true, max_redemptions: 1, expires_at_ms: Date.now() + 3_600_000 });
    const csv = await (await fetch(`${omantel.url}/api/v1/vouchers/batches/${id}/export`, { headers: { authorization: `Bearer ${omantel.token}` } })).text();
    await redeem(server, csv.trim().split('\r\n')[1]!.split(',').at(-1)!, 'traveller');
    await page.reload();
    const card = page.getByRole('region', { name: 'omantel' });
    await until('what is to be claimed', async () => /To be claimed\s*75\.00 EUR/.test(await card.innerText()));
    await card.getByRole('button', { name: 'Claims' }).click();
    await page.getByText('Not asked yet').waitFor();
    await card.getByRole('button', { name: 'Settle now' }).click();
    await page.getByText('1 claim of 1 agreed.').waitFor();
    await page.getByText('Agreed', { exact: true }).waitFor();
    await until('what it owes', async () => /It owes\s*75\.00 EUR/.test(await card.innerText()));
    await looks(page, 'ledger-sovereigns');
    await card.getByRole('button', { name: 'Book a payment…' }).click();
    await dialog.getByLabel('Amount').fill('80');
    await dialog.getByLabel('Reference').fill('SEPA-2026-1');
    await dialog.getByRole('button', { name: 'Book it' }).click();
    await dialog.getByText('At most 75.00 EUR', { exact: false }).waitFor();
    await dialog.getByLabel('Amount').fill('75.00');
    await dialog.getByRole('button', { name: 'Book it' }).click();
    await until('it to owe nothing', async () => /It owes\s*0\.00 EUR/.test(await card.innerText()));
    expect((await server.api<{ faults: string[] }>('GET', '/ledger/verify')).faults).toEqual([]);
    await page.getByRole('button', { name: 'More about omantel' }).click();
    await page.getByRole('menuitem', { name: 'Trust it no more…' }).click();
    await page.getByRole('button', { name: 'Trust it no more', exact: true }).click();
    await page.getByText('No other Sovereign is trusted').waitFor();
  });
});
