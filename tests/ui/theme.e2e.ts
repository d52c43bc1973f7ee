// How an organisation looks: said with a preview and its contrasts, applied to its members' pages and the public's, and reset.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, logIn, looks, open, Server, until, visit } from './harness';
import { logo, organisation, PASSWORD, person, vouchers } from './franchise';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ settings: '[vouchers]\neach_per_minute = 500\n' });
  await organisation(server, 'acme', 'franchisee', 'Acme');
  await organisation(server, 'bob', 'customer', 'Bob', 'acme');
  await organisation(server, 'zeta', 'franchisee', 'Zeta');
  for (const [name, of, role] of [['ann', 'acme', 'franchisee'], ['ben', 'bob', 'franchisee'], ['zoe', 'zeta', 'franchisee'], ['otto', 'acme', 'operator']] as const) await person(server, name, of, role);
});
const as = (name: string, path: string, look = {}) => open(server, path, { name, password: PASSWORD, ...look });
const token = (page: Page, name: string) => page.evaluate((of) => getComputedStyle(document.documentElement).getPropertyValue(of).trim(), name);
const bytes = (address: string) => Buffer.from(address.split(',')[1]!, 'base64');

/** Acme's look, whatever was said before. */
const said = () => server.api('PUT', '/organisations/acme/brand', { title: 'Acme Cloud', logo: logo(138, 21, 56), colours: { primary: '#8a1538', background: '#fffaf5', text: '#2b1a10' } });

describe('a look', () => {
  it('is said with a preview in light and in dark, and with what can’t be read told at once', async () => {
    const page = await as('ann', '/organisations/acme?part=look');
    const field = (label: string) => page.getByLabel(label, { exact: true });
    await field('Buttons and links').fill('#ffd400');
    await page.getByText(/to 1 on the background: text needs 4\.5 to 1/).waitFor();
    expect(await page.getByRole('button', { name: 'Save the look' }).isDisabled()).toBe(true);
    await field('Buttons and links').fill('blue');
    await page.getByText('A colour such as #1a2b3c.').waitFor();
    await field('Buttons and links').fill('#8a1538');
    await field('Background').fill('#fffaf5');
    await field('Text').fill('#2b1a10');
    await page.getByLabel('Title').fill('Acme Cloud');
    // A drawing that could act isn't taken, whatever its name says; nor is what is too large.
    const file = page.locator('input[type=file]');
    await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>') });
    await page.getByText('This is no PNG, JPEG or WebP picture', { exact: false }).waitFor();
    await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.alloc(200_000) });
    await page.getByText('a logo has at most 128 KiB', { exact: false }).waitFor();
    await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: bytes(logo(138, 21, 56)) });
    await page.getByAltText('The logo as it is now').waitFor();
    await looks(page, 'theme-editor');
    await page.getByRole('button', { name: 'Save the look' }).click();
    await page.getByText('Its pages look like this from now on.').waitFor();
    expect(await server.api('GET', '/organisations/acme/brand')).toMatchObject({ title: 'Acme Cloud', colours: { primary: '#8a1538', background: '#fffaf5', text: '#2b1a10' } });
    await until('the page to be painted', async () => (await token(page, '--panel')) === '#fffaf5');
    await accessible(page);
  });

  it('is that of the pages of its members, its customers, and whoever redeems or is invited', async () => {
    await said();
    const otto = await as('otto', '/');
    await until('its title', async () => (await otto.locator('.shell .brand').first().innerText()).includes('Acme Cloud'));
    expect([await token(otto, '--accent'), await token(otto, '--panel'), await token(otto, '--text-1')]).toEqual(['#8a1538', '#fffaf5', '#2b1a10']);
    expect(await otto.locator('.shell .brand img').first().getAttribute('src')).toMatch(/^data:image\/png/);
    for (const path of ['/', '/runs', '/workflows', '/account']) {
      await otto.goto(path);
      await otto.locator('main h1').waitFor();
      await accessible(otto, `${path} in the colours`);
    }
    await looks(otto, 'theme-account');
    const ben = await as('ben', '/');
    await until('the franchisee’s look', async () => (await token(ben, '--accent')) === '#8a1538');
    const { codes } = await vouchers(server, { issuer: 'acme' });
    const customer = await visit(server, `/redeem?code=${codes[0]}`);
    await customer.getByText('50.00 EUR').waitFor();
    expect(await token(customer, '--panel')).toBe('#fffaf5');
    await looks(customer, 'theme-redeem');
    const { link } = await server.api<{ link: string }>('POST', '/organisations/acme/invitations', { email: 'new@acme.test', role: 'viewer' });
    const invited = await visit(server, `/invitation${new URL(link).hash}`);
    await invited.getByRole('heading', { name: /Welcome to/ }).waitFor();
    expect(await token(invited, '--accent')).toBe('#8a1538');
  });

  it('in the dark is dark, with links that can be read', async () => {
    await said();
    const otto = await as('otto', '/', { scheme: 'dark' });
    await until('the accent', async () => (await otto.evaluate(() => document.documentElement.style.getPropertyValue('--accent'))) !== '');
    expect(await otto.evaluate(() => document.documentElement.style.getPropertyValue('--panel')), 'a light background isn’t put into the dark').toBe('');
    expect(await token(otto, '--accent')).not.toBe('#8a1538');
    await accessible(otto);
  });

  it('is nobody else’s, and may be changed by nobody else', async () => {
    const zoe = await as('zoe', '/');
    expect(await zoe.evaluate(() => document.documentElement.style.getPropertyValue('--accent'))).toBe('');
    expect(await zoe.locator('.shell .brand').first().innerText()).toContain('Windlass');
    await zoe.goto('/organisations/acme?part=look');
    await zoe.getByText('It isn’t there, or it isn’t yours to see').waitFor();
    const otto = await as('otto', '/organisations/acme?part=look');
    await otto.getByText('What it is').waitFor();
    expect(await otto.getByText('Save the look').count()).toBe(0);
    const admin = await open(server, '/');
    await admin.getByRole('button', { name: /choose the organisation/ }).click();
    await admin.getByRole('menuitemradio', { name: /^Acme/ }).or(admin.getByRole('menuitem', { name: /^Acme/ })).first().click();
    await admin.getByRole('button', { name: /Acme: choose the organisation/ }).waitFor();
    expect(await admin.locator('.shell .brand').first().innerText()).toContain('Windlass');
  });

  it('is reset, and the one above holds again', async () => {
    await said();
    await server.api('PUT', '/organisations/bob/brand', { title: 'Bob’s own', colours: { primary: '#0a5c3f' } });
    const ben = await as('ben', '/organisations/bob?part=look');
    await until('Bob’s own colours', async () => (await token(ben, '--accent')) === '#0a5c3f');
    await ben.getByRole('button', { name: 'Reset…' }).click();
    await ben.getByRole('button', { name: 'Reset the look' }).click();
    await until('Acme’s colours', async () => (await token(ben, '--accent')) === '#8a1538');
    await ben.getByText('it looks like Acme Cloud', { exact: false }).waitFor();
    expect(await server.api('GET', '/organisations/bob/look')).toMatchObject({ title: 'Acme Cloud', branded: true });
    await ben.goto('/');
    await logOutAndSee(ben);
  });
});

/** Who logs out sees Windlass's own log-in. */
async function logOutAndSee(page: Page) {
  await page.locator('main h1').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').locator('input').waitFor();
  await page.keyboard.type('log out');
  await page.getByRole('option', { name: 'Log out' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
  await until('the colours to be gone', async () => (await page.evaluate(() => document.documentElement.style.getPropertyValue('--accent'))) === '');
  await logIn(page, 'zoe', PASSWORD);
}
