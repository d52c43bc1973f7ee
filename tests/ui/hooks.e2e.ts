// Webhooks and triggers: made in the browser; what a sender's call and the end of a run launch.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, looks, open, Server } from './harness';

const HELLO = `const WORKFLOW = #{ name: "t/hello", title: "Says hello", inputs: #{ type: "object", additionalProperties: false, properties: #{ who: #{ type: "string", title: "Whom", "default": "world", maxLength: 40 } } } };
fn run(input) { log("hello " + input.who); #{ said: input.who } }
`;
const ORDER = `const WORKFLOW = #{ name: "t/order", title: "An order" };
fn run(input) { #{ paid: wait_signal("paid") } }
`;
let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/hello': HELLO, 't/after': HELLO.replace('t/hello', 't/after'), 't/order': ORDER } });
});

describe('webhooks', () => {
  it('show their key once, take a delivery from a shell and one from the page, and get new keys', async () => {
    const page = await open(server, '/webhooks');
    await page.getByText('No webhook yet').waitFor();
    await looks(page, 'webhooks-empty');
    await page.getByRole('link', { name: 'Make the first one' }).click();
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByLabel('Name').fill('push');
    await page.getByRole('combobox', { name: 'Workflow' }).fill('t/hello');
    await page.getByText('What t/hello takes').waitFor();
    await page.getByLabel('How old a delivery may be').fill('5 fortnights');
    await page.getByLabel('Input', { exact: true }).fill('{ "who": "${/body/name}" }');
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.locator('.field.wrong', { hasText: 'How old' }).waitFor();
    await page.getByLabel('How old a delivery may be').fill('10m');
    await looks(page, 'webhook-form');
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByRole('heading', { name: 'push is ready' }).waitFor();
    const key = (await page.getByRole('region', { name: 'The webhook’s key' }).innerText()).trim();
    expect(key).toMatch(/^whsec_/);
    // The example works as it is copied.
    await page.getByText('How a sender signs').click();
    const shell = await page.getByRole('region', { name: 'A delivery from a shell' }).innerText();
    const told = JSON.parse(execFileSync('bash', ['-c', shell], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { run: string };
    expect((await server.reaches(told.run, 'succeeded')).input).toEqual({ who: 'demo' });
    await page.getByLabel('Body').fill('{"name": "Grace"}');
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('Delivered. It launched').waitFor();
    await looks(page, 'webhook-key');
    await page.getByRole('link', { name: 'I have copied the key' }).click();
    await page.getByRole('table', { name: 'Runs of this webhook' }).getByRole('row').nth(2).waitFor();
    expect(await page.content()).not.toContain(key);
    await looks(page, 'webhook');

    // What the sender gets wrong is told by the page that knows it.
    await page.getByText('Send a test delivery from here').click();
    await page.getByLabel('Key').fill('whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('It was refused').waitFor();
    await page.getByLabel('Key').fill(key);
    await page.getByLabel('Body').fill('{"other": 1}');
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByRole('alert').getByText('/body/name').first().waitFor();
    await page.reload();
    await page.getByText('The last delivery was refused').waitFor();
    await looks(page, 'webhook-refused');

    await page.getByRole('button', { name: 'More to do' }).click();
    await page.getByRole('menuitem', { name: 'New key…' }).click();
    await page.getByText('The old key ends at once').click();
    await accessible(page, 'new key');
    await page.getByRole('button', { name: 'Make the new key' }).click();
    const fresh = (await page.getByRole('region', { name: 'The webhook’s key' }).innerText()).trim();
    expect(fresh).not.toBe(key);
    await page.getByRole('dialog').getByRole('button', { name: 'I have copied it' }).click();
    await page.getByText('Send a test delivery from here').click();
    await page.getByLabel('Body').fill('{"name": "Ada"}');
    await page.getByLabel('Key').fill(key);
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('It was refused').waitFor();
    await page.getByLabel('Key').fill(fresh);
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('Delivered. It launched').waitFor();

    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('It is at rest').waitFor();
    await page.goto('/webhooks');
    await page.getByRole('link', { name: 'push' }).waitFor();
    await looks(page, 'webhooks');
    await page.getByRole('link', { name: 'push' }).click();
    await page.getByRole('button', { name: 'More to do' }).click();
    await page.getByRole('menuitem', { name: 'Remove…' }).click();
    await page.getByRole('button', { name: 'Remove the webhook' }).click();
    await page.getByText('is removed.').waitFor();
  });

  it('sign as GitHub does, and can signal', async () => {
    const page = await open(server, '/webhooks/new');
    await page.getByLabel('Name').fill('hub');
    await page.getByText('Signal a run that waits').click();
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByText('Say which signal').waitFor();
    await looks(page, 'webhook-signal');
    await page.getByText('Launch a workflow', { exact: true }).click();
    await page.getByRole('combobox', { name: 'Workflow' }).fill('t/hello');
    await page.getByText('What t/hello takes').waitFor();
    await page.getByLabel('Signature').selectOption('github');
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('Delivered. It launched').waitFor();
    await page.getByText('How a sender signs').click();
    const shell = await page.getByRole('region', { name: 'A delivery from a shell' }).innerText();
    const told = JSON.parse(execFileSync('bash', ['-c', shell], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { existing: boolean };
    // The same body is the same delivery.
    expect(told.existing).toBe(true);
  });
});

describe('a webhook that signals', () => {
  it('wakes the one run that waits for it, and says which is missing', async () => {
    const page = await open(server, '/webhooks/new');
    await page.getByLabel('Name').fill('paid');
    await page.getByText('Signal a run that waits').click();
    await page.getByRole('combobox', { name: 'Workflow' }).fill('t/order');
    await page.getByLabel('Signal', { exact: true }).fill('paid');
    await page.getByLabel('Tag', { exact: true }).fill('order-${/body/order}');
    await page.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByRole('heading', { name: 'paid is ready' }).waitFor();
    const { id: run } = await server.api<{ id: string }>('POST', '/runs', { workflow: 't/order', input: {}, tags: ['order-7'] });
    await server.reaches(run, 'waiting');
    await page.getByLabel('Body').fill('{"order": 8}');
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('It was refused').waitFor();
    await page.getByLabel('Body').fill('{"order": 7, "by": "card"}');
    await page.getByRole('button', { name: 'Send a test delivery' }).click();
    await page.getByText('Delivered. It signalled').waitFor();
    expect((await server.reaches(run, 'succeeded')).output).toMatchObject({ paid: { by: 'card' } });
  });
});

describe('triggers', () => {
  it('launch when a run ends', async () => {
    const page = await open(server, '/triggers');
    await page.getByText('No trigger yet').waitFor();
    await looks(page, 'triggers-empty');
    await page.getByRole('link', { name: 'Set up the first one' }).click();
    await page.getByLabel('Runs of').fill('t/hello');
    await page.getByLabel('Failed: it').uncheck();
    await page.getByLabel('Undone: it').uncheck();
    await page.getByRole('combobox', { name: 'Workflow' }).fill('t/after');
    await page.getByText('What t/after takes').waitFor();
    await page.getByLabel('Input', { exact: true }).fill('{ "who": "${/run/output/said}" }');
    await page.getByLabel('Name').fill('next');
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByText('Choose at least one ending').waitFor();
    await page.getByLabel('Succeeded: it').check();
    await looks(page, 'trigger-form');
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByRole('heading', { name: 'next', level: 1 }).waitFor();
    await server.launch('t/hello', { who: 'first' });
    await page.getByRole('table', { name: 'Runs of this trigger' }).getByText('Succeeded').waitFor();
    const { items } = await server.api<{ items: { input: unknown; workflow: string }[] }>('GET', '/runs?tag=trigger:next');
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ workflow: 't/after', input: { who: 'first' } });
    await looks(page, 'trigger');
    await page.getByRole('link', { name: 'Change' }).click();
    await page.getByLabel('What it is for').fill('goes on');
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText('goes on').waitFor();
    await page.goto('/triggers');
    await page.getByRole('link', { name: 'next' }).waitFor();
    await looks(page, 'triggers');
  });
});
