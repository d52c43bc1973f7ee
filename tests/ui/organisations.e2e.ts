// Organisations and their members: the tree, invitations, limits, secrets, suspension and removal; and what siblings don't see.
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, logIn, looks, open, Server, until, visit } from './harness';
import { organisation, PASSWORD, person, vouchers } from './franchise';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ settings: '[vouchers]\neach_per_minute = 500\n' });
  await organisation(server, 'north', 'franchisee', 'North');
  await organisation(server, 'south', 'franchisee', 'South');
  await organisation(server, 'bob', 'customer', 'Bob & Sons', 'north');
  await person(server, 'nina', 'north');
  await person(server, 'sam', 'south');
  await person(server, 'olga', 'north', 'operator');
});
const as = (name: string, path: string, look = {}) => open(server, path, { name, password: PASSWORD, ...look });

describe('organisations', () => {
  it('are a tree; the platform makes a franchisee and invites its manager', async () => {
    const page = await open(server, '/organisations');
    await page.getByRole('row', { name: /Bob & Sons/ }).waitFor();
    const names = await page.locator('tbody .title').allInnerTexts();
    expect(names.indexOf('Bob & Sons'), 'a customer stands under its franchisee').toBe(names.indexOf('North') + 1);
    await page.getByRole('button', { name: 'New organisation' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Under').selectOption('platform');
    await dialog.getByText('Franchisee', { exact: true }).click();
    await dialog.getByRole('button', { name: 'Make the organisation' }).click();
    await dialog.getByText('A name is needed.').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('west');
    await dialog.getByLabel('How people call it').fill('West');
    await dialog.getByLabel('Who manages it').fill('wendy@west.test');
    await looks(page, 'organisations-new', { full: false });
    await dialog.getByRole('button', { name: 'Make the organisation' }).click();
    await dialog.getByText('No letter could be sent to wendy@west.test', { exact: false }).waitFor();
    const link = await dialog.getByRole('region', { name: 'The invitation’s link' }).innerText();
    await dialog.getByRole('button', { name: 'I have handed it over' }).click();
    await page.getByRole('row', { name: /West/ }).waitFor();
    await looks(page, 'organisations-tree');
    const wendy = await visit(server, new URL(link).pathname + new URL(link).hash);
    await wendy.getByLabel('Password').fill(PASSWORD);
    await wendy.getByRole('button', { name: 'Accept, and come in' }).click();
    await wendy.locator('.shell').waitFor();
    await wendy.goto('/organisations');
    await wendy.getByRole('row', { name: /West/ }).waitFor();
    expect(await wendy.getByText('North').count()).toBe(0);
  });

  it('have members, who are invited, again, and not after all', async () => {
    await server.api('PATCH', '/users/olga', { email: 'olga@elsewhere.test', email_unproved: true });
    const page = await as('nina', '/organisations/north?part=members');
    const olga = page.getByRole('row', { name: /olga/ });
    await olga.getByText('Operator').waitFor();
    // Nobody has shown yet that the address is hers; nina’s is.
    await olga.getByText('not proved').waitFor();
    expect(await page.getByText('not proved', { exact: true }).count()).toBe(1);
    await page.getByText('An address that is not proved').waitFor();
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByText('An e-mail address is needed.').waitFor();
    await page.getByLabel('E-mail address').fill('paul@north.test');
    await page.getByLabel('Role').selectOption('viewer');
    expect(await page.getByLabel('Role').locator('option').allInnerTexts(), 'no more than one holds').not.toContain('Admin');
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByText('No letter could be sent to paul@north.test', { exact: false }).waitFor();
    const row = page.getByRole('row', { name: /paul@north.test/ });
    await row.getByText('none went out').waitFor();
    await looks(page, 'organisation-members');
    // No letter went out: there is another link at once, and the one before opens nothing.
    const link = () => page.getByText(/\/invitation#wi_/).first().innerText();
    const first = await link();
    await row.getByRole('button', { name: 'Send again' }).click();
    await until('another link', async () => (await link()) !== first);
    await row.getByRole('button', { name: 'Withdraw the invitation of paul@north.test' }).click();
    await page.getByRole('button', { name: 'Withdraw it' }).click();
    await until('it to be gone', async () => (await row.count()) === 0);
    // Whoever stands above invites the first manager, and then nobody.
    await page.goto('/organisations/bob?part=members');
    await page.getByText('You look after it from above', { exact: false }).waitFor();
    expect(await page.getByLabel('Role').locator('option').allInnerTexts()).toEqual(['Franchisee']);
    await person(server, 'ben', 'bob');
    await page.reload();
    await page.getByText('They alone invite others into it.', { exact: false }).waitFor();
  });

  it('are limited and suspended by whoever stands above', async () => {
    const page = await as('nina', '/organisations/bob?part=limits');
    await page.getByRole('button', { name: 'Change the limits' }).click();
    await page.getByLabel('Limit: Members').fill('many');
    await page.getByRole('button', { name: 'Save the limits' }).click();
    await page.getByText('A limit is a whole number', { exact: false }).waitFor();
    await page.getByLabel('Limit: Members').fill('5');
    await page.getByRole('button', { name: 'Save the limits' }).click();
    await page.getByText('of 5').waitFor();
    await looks(page, 'organisation-limits');
    expect((await server.api<{ quotas: unknown }>('GET', '/organisations/bob')).quotas).toMatchObject({ members: 5 });
    await page.getByRole('button', { name: 'More about bob' }).click();
    await page.getByRole('menuitem', { name: 'Suspend…' }).click();
    await page.getByLabel('Why').fill('unpaid since May');
    await page.getByRole('button', { name: 'Suspend the organisation' }).click();
    await page.getByText('It is suspended.').waitFor();
    await page.getByText('unpaid since May', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Let it act again…' }).click();
    await page.getByRole('button', { name: 'Let it act again', exact: true }).click();
    await until('it to act', async () => !(await server.api<{ suspended: boolean }>('GET', '/organisations/bob')).suspended);
    // Its own manager sees how much, and changes nothing.
    const ben = await as('ben', '/organisations/bob?part=limits');
    await ben.getByText('of 5').waitFor();
    expect(await ben.getByRole('button', { name: 'Change the limits' }).count()).toBe(0);
  });

  it('keep secrets of their own', async () => {
    const page = await as('nina', '/organisations/north?part=secrets', { width: 390, height: 844 });
    await page.getByRole('button', { name: 'Keep the first one' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('dns.key');
    await dialog.getByLabel('Value', { exact: true }).fill('a very secret value');
    await dialog.getByLabel('Where it may go').fill('https://api.example.net*');
    await dialog.getByRole('button', { name: 'Keep the secret' }).click();
    await page.getByRole('row', { name: /dns.key/ }).waitFor();
    await accessible(page);
    expect((await server.api<{ name: string }[]>('GET', '/secrets')).map((one) => one.name)).toContain('orgs/north/dns.key');
  });

  it('are removed by a run that somebody else approves', async () => {
    const { codes } = await vouchers(server, { issuer: 'north' });
    await fetch(`${server.url}/api/v1/redeem`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code: codes[0], organisation: 'gone', title: 'Soon gone', email: 'g@gone.test' }) });
    await until('the customer', () => server.api('GET', '/organisations/gone/environments').then((list) => (list as unknown as unknown[]).length > 0, () => false));
    await person(server, 'nils', 'north');
    const page = await as('nina', '/organisations/gone');
    await page.getByText('production').waitFor();
    await looks(page, 'organisation');
    await page.getByRole('button', { name: 'More about gone' }).click();
    await page.getByRole('menuitem', { name: 'Remove it…' }).click();
    await page.getByLabel('Type “gone” to go on').fill('gone');
    await page.getByRole('button', { name: 'Ask for its removal' }).click();
    await page.getByText('Remove gone?').first().waitFor();
    const nils = await as('nils', '/approvals');
    await nils.getByRole('button', { name: 'Approve' }).click();
    await until('it to be gone', async () => (await fetch(`${server.url}/api/v1/organisations/gone`, { headers: { authorization: `Bearer ${server.token}` } })).status === 404);
    const balances = await server.api<{ amount: number }[]>('GET', '/ledger/balances?organisation=gone');
    expect(balances.every((one) => one.amount === 0), 'what was left went back').toBe(true);
  });

  it('aren’t there for a sibling, and members see no more than theirs', async () => {
    const page = await as('sam', '/organisations');
    await page.getByRole('row', { name: /South/ }).waitFor();
    expect(await page.getByText(/North|Bob/).count()).toBe(0);
    for (const part of ['', '?part=members', '?part=look', '?part=secrets']) {
      await page.goto(`/organisations/north${part}`);
      await page.getByText('It isn’t there, or it isn’t yours to see').waitFor();
    }
    const olga = await visit(server, '/organisations/north');
    await logIn(olga, 'olga', PASSWORD);
    await olga.getByRole('heading', { name: /North/ }).waitFor();
    expect(await olga.getByRole('link', { name: 'Members' }).count()).toBe(0);
    expect(await olga.getByRole('link', { name: 'Look' }).count()).toBe(0);
    await accessible(olga);
  });

  it('work with the keyboard alone, and are in the palette', async () => {
    const page = await as('nina', '/organisations/north');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('north: members');
    await page.keyboard.press('Enter');
    await page.getByLabel('E-mail address').focus();
    await page.keyboard.type('keys@north.test');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /keys@north.test/ }).waitFor();
  });
});
