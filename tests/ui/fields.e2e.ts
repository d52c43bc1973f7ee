// A form with a field of every kind: filled in with the keyboard and the mouse, checked by the server, launched as it was meant.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { fitsWidth, open, picture, Server, until } from './harness';

const ALL = `const WORKFLOW = #{
    name: "t/all", title: "Everything", inputs: #{ type: "object", additionalProperties: false,
    "$defs": #{ port: #{ type: "integer", title: "Port", minimum: 1, maximum: 65535 } },
    required: ["text", "count", "size", "place", "any"],
    properties: #{
        text: #{ type: "string", title: "Word", minLength: 2, pattern: "^[a-z]+$", "x-pattern-help": "Small letters only." },
        notes: #{ type: "string", title: "Notes", "x-widget": "textarea" },
        count: #{ type: "integer", title: "Count", minimum: 1, maximum: 5, "default": 3, "x-unit": "machines" },
        ratio: #{ type: "number", title: "Ratio", exclusiveMinimum: 0, multipleOf: 0.25 },
        sure: #{ type: "boolean", title: "Sure", "default": true },
        maybe: #{ type: ["boolean", "null"], title: "Maybe" },
        size: #{ title: "Size", "enum": ["small", "large"], "x-labels": #{ small: "A small one", large: "A large one" } },
        region: #{ title: "Region", oneOf: [#{ "const": "eu-1", title: "Frankfurt am Main" }, #{ "const": "us-1", title: "Columbus, Ohio" }, #{ "const": "ap-1", title: "Singapore" }] },
        day: #{ type: "string", title: "Day", format: "date" },
        at: #{ type: "string", title: "At", format: "date-time" },
        mail: #{ type: "string", title: "Mail", format: "email" },
        site: #{ type: "string", title: "Site", format: "uri" },
        address: #{ type: "string", title: "Address", format: "ipv4" },
        port: #{ "$ref": "#/$defs/port" },
        place: #{ title: "Place", type: "object", required: ["kind"], oneOf: [
            #{ title: "By DHCP", properties: #{ kind: #{ "const": "dhcp" } }, required: ["kind"] },
            #{ title: "Fixed", properties: #{ kind: #{ "const": "fixed" }, ip: #{ type: "string", title: "IP address", format: "ipv4" } }, required: ["kind", "ip"] }] },
        pair: #{ type: "array", title: "Pair", prefixItems: [#{ type: "string", title: "First" }, #{ type: "integer", title: "Second" }], items: false },
        labels: #{ type: "object", title: "Labels", additionalProperties: #{ type: "string" } },
        days: #{ type: "array", title: "Days", uniqueItems: true, items: #{ "enum": ["mon", "tue", "wed"] } },
        deep: #{ type: "object", title: "Deep", properties: #{ deeper: #{ type: "object", title: "Deeper", properties: #{ limit: #{ type: "integer", title: "Limit" } } } } },
        mixed: #{ type: ["string", "integer"], title: "Mixed" },
        any: #{ title: "Anything" },
        key: #{ type: "string", title: "Key", "x-secret": true },
        tls: #{ type: "boolean", title: "TLS" },
    }, "if": #{ required: ["tls"], properties: #{ tls: #{ "const": true } } }, then: #{ required: ["certificate"], properties: #{ certificate: #{ type: "string", title: "Certificate" } } },
       "else": #{ properties: #{ certificate: false } } } };
fn run(input) { input }
`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/all': ALL } });
  await server.api('PUT', '/secrets/acme/key', { value: 'a certain value', to: ['exec:*'] });
});
const launched = async (page: Page) => {
  await until('the run', () => /^\/runs\/\w+$/.test(new URL(page.url()).pathname));
  return server.reaches(new URL(page.url()).pathname.split('/').pop()!, 'succeeded');
};
const field = (page: Page, pointer: string) => page.locator(`[data-pointer="${pointer}"]`).first();

describe('a form', () => {
  it('has a field for every kind of value, and sends what was meant', async () => {
    const page = await open(server, '/launch/t/all');
    const form = page.locator('main form');
    await form.getByLabel('Word').fill('UP');
    await form.getByLabel('Word').blur();
    await page.getByText('Small letters only.').first().waitFor();
    await form.getByLabel('Word').fill('web');
    await form.getByLabel('Notes').fill('one\ntwo');
    // Arrows count, and what is no number is said to be none.
    await form.getByLabel('Count').press('ArrowUp');
    expect(await form.getByLabel('Count').inputValue()).toBe('4');
    await form.getByLabel('Ratio').fill('0.3');
    await form.getByLabel('Ratio').blur();
    await page.getByText('Has to be a multiple of 0.25.').waitFor();
    await form.getByLabel('Ratio').fill('0.75');
    await page.getByRole('checkbox', { name: 'Sure' }).uncheck();
    await form.getByLabel('Maybe').selectOption('No');
    await form.getByLabel('Size').selectOption('A large one');
    await form.getByLabel('Region').selectOption('Singapore');
    await form.getByLabel('Day').fill('2027-02-28');
    await form.getByLabel('At', { exact: false }).and(form.locator('[type=datetime-local]')).fill('2027-02-28T13:45:00');
    await form.getByLabel('Mail').fill('anna');
    await form.getByLabel('Mail').blur();
    await page.getByText('This doesn’t look like an e-mail address').waitFor();
    await form.getByLabel('Mail').fill('anna@example.net');
    await form.getByLabel('Site').fill('https://example.net/');
    await form.getByLabel('Address', { exact: false }).first().fill('192.0.2.7');
    await form.getByLabel('Port').fill('70000');
    await form.getByLabel('Port').blur();
    await page.getByText('Has to be from 1 to 65535.').waitFor();
    await form.getByLabel('Port').fill('8443');
    await page.getByText('Fixed', { exact: true }).click();
    await form.getByLabel('IP address').fill('198.51.100.4');
    await field(page, '/pair').getByRole('button', { name: 'Add' }).click();
    await form.getByRole('textbox', { name: 'First' }).fill('a');
    await field(page, '/pair').getByRole('button', { name: 'Add' }).click();
    await form.getByRole('textbox', { name: 'Second' }).fill('2');
    await field(page, '/labels').getByRole('button', { name: 'Add Labels' }).click();
    await form.getByLabel('Name of a new entry').fill('team');
    await page.keyboard.press('Enter');
    await page.keyboard.type('net');
    await field(page, '/days').getByRole('checkbox', { name: 'wed' }).check();
    await field(page, '/days').getByRole('checkbox', { name: 'mon' }).check();
    await page.getByRole('button', { name: 'Add Deep', exact: true }).click();
    await page.getByRole('button', { name: 'Add Deeper' }).click();
    await form.getByLabel('Limit').fill('12');
    await field(page, '/mixed').getByText('Whole number').click();
    await field(page, '/mixed').getByRole('textbox').fill('7');
    await page.getByRole('combobox', { name: 'Key' }).fill('acme/key');
    // A condition brings a field, and takes it away again with what was in it.
    expect(await form.getByLabel('Certificate').count()).toBe(0);
    await page.getByRole('checkbox', { name: 'TLS' }).check();
    await form.getByLabel('Certificate').fill('here');
    await page.getByRole('checkbox', { name: 'TLS' }).uncheck();
    await form.getByLabel('Certificate').waitFor({ state: 'detached' });
    // Half a JSON is held back, and not sent as what stood there before.
    await form.getByLabel('Anything').fill('{ "a": [1, 2]');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await page.getByText('This isn’t JSON yet').waitFor();
    await until('the focus to be there', () => form.getByLabel('Anything').evaluate((one) => one === document.activeElement));
    await form.getByLabel('Anything').fill('{ "a": [1, 2] }');
    await page.getByText('The server takes this input').waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await picture(page, 'launch-all', { full: true });
    await page.setViewportSize({ width: 390, height: 844 });
    await fitsWidth(page);
    await picture(page, 'launch-all-390', { full: true });
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    const ended = await launched(page);
    expect(ended.input).toEqual({
      text: 'web', notes: 'one\ntwo', count: 4, ratio: 0.75, sure: false, maybe: false, size: 'large', region: 'ap-1', day: '2027-02-28',
      at: expect.stringMatching(/^2027-02-2[78]T\d\d:45:00/) as string, mail: 'anna@example.net', site: 'https://example.net/', address: '192.0.2.7', port: 8443,
      place: { kind: 'fixed', ip: '198.51.100.4' }, pair: ['a', 2], labels: { team: 'net' }, days: ['mon', 'wed'], deep: { deeper: { limit: 12 } },
      mixed: 7, any: { a: [1, 2] }, key: 'acme/key', tls: false,
    });

    // The same again from the run, and as a link: each field is filled in as it was.
    await page.goto(`/launch/t/all?from=${String(ended.id)}`);
    await page.getByText('Filled in from').waitFor();
    await page.getByText('The server takes this input').waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy and share' }).click();
    await page.getByRole('menuitem', { name: 'Copy a link with these values' }).click();
    const link = await until('the link', () => page.evaluate(() => navigator.clipboard.readText()));
    expect(link).not.toContain('acme');
    await page.goto(link);
    await page.getByRole('combobox', { name: 'Key' }).fill('acme/key');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await until('another run', () => /^\/runs\/\w+$/.test(new URL(page.url()).pathname) && !page.url().includes(String(ended.id)));
    expect((await launched(page)).input).toEqual(ended.input);
  });

  it('is gone through with the keyboard alone: rehearsed, then launched', async () => {
    const page = await open(server, '/launch/t/all?input.size=small&input.any=1');
    await page.getByLabel('Word').waitFor();
    for (let presses = 0; presses < 40 && !(await page.getByLabel('Word').evaluate((one) => one === document.activeElement)); presses += 1) await page.keyboard.press('Tab');
    expect(await page.getByLabel('Word').evaluate((one) => one === document.activeElement)).toBe(true);
    await page.keyboard.type('k');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Needs at least 2 characters; these are 1.').waitFor();
    expect(await page.getByLabel('Word').evaluate((one) => one === document.activeElement)).toBe(true);
    await page.keyboard.type('eys');
    await page.keyboard.press('Control+Shift+Enter');
    await page.getByText('Would succeed').waitFor();
    await page.keyboard.press('Control+Enter');
    const ended = await launched(page);
    expect(ended.input).toMatchObject({ text: 'keys', size: 'small', place: { kind: 'dhcp' } });
  });
});
