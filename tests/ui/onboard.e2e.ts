// Appointing a franchisee in the browser: its looks and limits as fields, a review in words, and the letter that didn't go out.
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { accessible, fitsWidth, looks, open, Server, until } from './harness';
import { logo } from './franchise';

vi.setConfig({ testTimeout: 180_000 });
let server: Server;
beforeAll(async () => {
  server = await Server.start();
});

describe('a franchisee', () => {
  it('is appointed step by step, by fields that say what they are, and a review that says what is made', async () => {
    const page = await open(server, '/new/franchise/onboard/franchisee');
    const next = (name: string) => page.getByRole('button', { name, exact: true }).click();
    const heading = (name: string) => page.locator('main h1', { hasText: name }).waitFor();
    await heading('Franchisee');
    await page.getByLabel('Organisation', { exact: true }).fill('acme');
    await page.getByLabel('Title', { exact: false }).fill('Acme Cloud');
    await page.getByLabel('Owner’s e-mail address').or(page.getByLabel("Owner's e-mail address")).fill('ann@acme.test');
    await next('Next');
    await heading('Brand');
    expect(await page.getByText(/JSON|org::brand|\{|colours`/).count(), 'no jargon').toBe(0);
    await page.getByLabel('Title of its pages').fill('Acme');
    await page.getByLabel('Choose a picture').setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from(logo(10, 92, 63).split(',')[1]!, 'base64') });
    await page.getByAltText('The logo as it is now').waitFor();
    // What can't be read holds it back, at its field.
    await page.getByRole('textbox', { name: /^Buttons and links/ }).fill('#ffee00');
    await next('Next');
    await page.getByText(/1\.\d+ to 1 on/).first().waitFor();
    await heading('Brand');
    await page.getByRole('textbox', { name: /^Buttons and links/ }).fill('#0a5c3f');
    await looks(page, 'onboard-brand');
    await next('Next');
    await heading('Limits');
    expect(await page.getByText(/runs_open|runs_day/).count(), 'no names of fields').toBe(0);
    await page.getByLabel('Customers').fill('20');
    await page.getByLabel('Runs at a time').fill('4');
    await looks(page, 'onboard-limits');
    await next('Review');
    await page.getByText('It was rehearsed, and would succeed.').waitFor();
    const made = page.getByRole('region', { name: 'What is made' });
    for (const one of ['1 organisation', '1 invitation', '2 limits', '1 look', '1 e-mail']) await made.getByText(one, { exact: true }).waitFor();
    await made.getByText('Acme Cloud (acme)').waitFor();
    expect(await page.getByRole('region', { name: 'Cost a month' }).count(), 'it costs nothing').toBe(0);
    expect(await page.getByText(/\b0 things|Not known|data:image/).count()).toBe(0);
    await page.getByText('Runs at a time: 4 runs', { exact: false }).waitFor();
    await page.getByText('a picture (PNG', { exact: false }).waitFor();
    await looks(page, 'onboard-review');
    await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
    // No mail server here: that is said, with why and where the invitation is.
    await until('the run’s page', () => /\/progress$/.test(new URL(page.url()).pathname), 20);
    const left = page.getByRole('region', { name: 'What is left to do' });
    await left.getByText('No letter went out to ann@acme.test').waitFor();
    await left.getByText('no mail server is configured', { exact: false }).waitFor();
    await looks(page, 'onboard-done');
    const run = new URL(page.url()).pathname.split('/')[2]!;
    await page.goto(`/runs/${run}`);
    await left.getByRole('link', { name: 'Go there' }).waitFor();
    await accessible(page);
    await fitsWidth(page);
    await left.getByRole('link', { name: 'Go there' }).click();
    await page.getByText('none went out').waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByText(/\/invitation#/).waitFor();
    // What was filled in has arrived.
    const brand = await server.api<{ title: string; logo: string; colours: Record<string, string | null> }>('GET', '/organisations/acme/brand');
    expect([brand.title, brand.colours.primary, brand.logo.slice(0, 15)]).toEqual(['Acme', '#0a5c3f', 'data:image/png;']);
    const { items } = await server.api<{ items: { quota: string; limit: number | null }[] }>('GET', '/organisations/acme/usage');
    expect(items.filter((one) => one.limit !== null && one.limit !== undefined).map((one) => [one.quota, one.limit]).sort()).toEqual([['customers', 20], ['runs_open', 4]]);
  });

  it('may have a limit of each kind that there is', async () => {
    const { workflow } = await server.api<{ workflow: { inputs: { properties: { quotas: { properties: Record<string, { title?: string }> } } } } }>('GET', '/workflows/franchise/onboard');
    const fields = workflow.inputs.properties.quotas.properties;
    const { items } = await server.api<{ items: { quota: string }[] }>('GET', '/organisations/platform/usage');
    expect(Object.keys(fields).sort()).toEqual(items.map((one) => one.quota).sort());
    expect(Object.values(fields).every((one) => one.title)).toBe(true);
  });
});
