// Notifications: targets and rules from the browser; a test message and a failed run really arrive, signed, at a receiver and
// at a mail server; what couldn't be delivered says why, and is told again.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, looks, open, root, Server, until } from './harness';

const FAILS = 'const WORKFLOW = #{ name: "t/fails", title: "Fails" };\nfn run(input) { throw "as asked"; }\n';
const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const PATH = '/hooks/hush-hush';
let server: Server;
let url = '';
/** What the receiver answers. */
let status = 200;
const taken: { headers: IncomingHttpHeaders; body: string }[] = [];
let mailbox = '';
const ends: (() => void)[] = [];
const mails = () => (existsSync(mailbox) ? readFileSync(mailbox, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as { to: string[]; headers: [string, string][] }) : []);

beforeAll(async () => {
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      if (request.url === PATH && status === 200) taken.push({ headers: request.headers, body });
      response.writeHead(request.url === PATH ? status : 404).end();
    });
  });
  await new Promise<void>((ready) => receiver.listen(0, '127.0.0.1', ready));
  ends.push(() => receiver.close());
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${PATH}`;

  const tools = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target', 'tools/smtp/bin/python');
  if (!existsSync(tools)) throw new Error(`there is no mail server at ${tools}: make setup`);
  mailbox = join(mkdtempSync(join(tmpdir(), 'windlass-mail-')), 'taken');
  const mail = spawn(tools, ['-B', join(root, 'tests/tools/smtp/server.py'), '--mode', 'none', '--out', mailbox]);
  ends.push(() => mail.kill());
  const port = await new Promise<string>((found, failed) => {
    let output = '';
    mail.stdout.on('data', (piece: Buffer) => {
      output += piece.toString();
      const told = /listening (\d+)/.exec(output);
      if (told) found(told[1]!);
    });
    mail.on('exit', (code) => failed(new Error(`the mail server ended with ${code}`)));
  });
  const settings = `[hosts.http]\nallow_addresses = ["127.0.0.0/8"]\n\n[hosts.notify.email]\nhost = "127.0.0.1"\nport = ${port}\ntls = "none"\nfrom = "Windlass <windlass@acme.test>"\n`;
  server = await Server.start({ workflows: { 't/fails': FAILS }, settings });
});
afterAll(() => ends.forEach((end) => end()));

async function test(page: Page) {
  await page.getByRole('button', { name: 'Send a test message' }).click();
}

/** What is asked before something is done, which is then left. */
async function asked(page: Page, act: () => Promise<unknown>): Promise<string> {
  let said = '';
  page.once('dialog', (dialog) => {
    said = dialog.message();
    void dialog.dismiss();
  });
  await act();
  return said;
}

describe('notifications', () => {
  it('are set up from nothing, tested, and arrive; what is secret is never shown again', async () => {
    const page = await open(server, '/notifications');
    await page.getByText('Nothing was told yet').waitFor();
    await looks(page, 'notifications-empty');
    await page.getByRole('link', { name: 'Make a target' }).click();
    await page.getByRole('heading', { level: 1, name: 'New target' }).waitFor();
    await page.getByRole('radio', { name: /^Webhook/ }).check();
    await page.getByRole('button', { name: 'Make the target' }).click();
    await page.getByText('The address is needed.').waitFor();
    await page.getByLabel('Address').fill(url);
    await page.getByLabel('Key').fill(KEY);
    await page.getByLabel('Name').fill('shop');
    await looks(page, 'notifications-target-new');
    await page.getByRole('button', { name: 'Make the target' }).click();
    await page.getByRole('heading', { level: 1, name: /shop/ }).waitFor();
    await test(page);
    await page.getByText('The test message was taken.').waitFor();
    expect(taken).toHaveLength(1);
    const { headers, body } = taken[0]!;
    const signed = createHmac('sha256', Buffer.from(KEY.slice(6), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
    expect(headers['webhook-signature']).toContain(`v1,${signed}`);
    await page.reload();
    await page.getByText(/There is one\. Leave it empty to keep it\./).waitFor();
    expect(await page.content()).not.toContain('hush-hush');
    expect(await page.content()).not.toContain(KEY);
    await looks(page, 'notifications-target');
    // Why a test isn't taken is told where it was asked.
    status = 403;
    await test(page);
    await page.getByText('The test message wasn’t taken.').waitFor();
    await page.getByRole('status').getByText(/403/).waitFor();
    status = 200;

    await page.goto('/notifications/targets/new');
    await page.getByRole('radio', { name: /^E-mail/ }).check();
    await page.getByRole('textbox', { name: 'To' }).fill('ann@acme.test\nbob@acme.test');
    await page.getByLabel('Name').fill('people');
    await page.getByRole('button', { name: 'Make the target' }).click();
    await page.getByRole('heading', { level: 1, name: /people/ }).waitFor();
    await test(page);
    await page.getByText('The test message was taken.').waitFor();
    expect(mails()).toHaveLength(1);
    expect(mails()[0]!.to.sort()).toEqual(['ann@acme.test', 'bob@acme.test']);

    // A rule; then a run fails, and both are told.
    await page.goto('/notifications?part=rules');
    await page.getByRole('link', { name: 'Make the first one' }).click();
    await page.getByRole('button', { name: 'Make the rule' }).click();
    await page.getByText('Choose at least one target.').waitFor();
    await page.getByRole('checkbox', { name: 'people (E-mail)' }).check();
    await page.getByRole('checkbox', { name: 'shop (Webhook)' }).check();
    await page.getByRole('checkbox', { name: 'Somebody has to approve' }).uncheck();
    await page.getByRole('checkbox', { name: /^Quiet hours/ }).check();
    await page.getByLabel('By the clocks of').fill('Nowhere/At-all');
    await page.getByLabel('Name').fill('failures');
    await looks(page, 'notifications-rule');
    await page.getByRole('button', { name: 'Make the rule' }).click();
    await page.locator('.field.wrong, [role=alert]').getByText(/Nowhere/).first().waitFor();
    await page.getByRole('checkbox', { name: /^Quiet hours/ }).uncheck();
    await page.getByRole('button', { name: 'Make the rule' }).click();
    await page.getByRole('row', { name: /failures/ }).getByText('A run has failed').waitFor();
    const run = await server.launch('t/fails');
    await until('the message and the mail', () => taken.length === 2 && mails().length === 2);
    expect(JSON.parse(taken[1]!.body)).toMatchObject({ type: 'run.failed' });
    expect(taken[1]!.body).toContain(run);
    await page.goto('/notifications');
    await page.getByRole('table').getByText('Delivered', { exact: true }).nth(1).waitFor();
    await page.getByRole('button', { name: /fail/i }).first().click();
    await page.getByRole('dialog').getByText('1 attempt').waitFor();
    await page.getByRole('dialog').getByRole('link', { name: run }).waitFor();
    await looks(page, 'notifications-delivery', { full: false });
    await page.keyboard.press('Escape');
    await looks(page, 'notifications');
  });

  it('that couldn’t be delivered say why after each attempt, are given up, and are told again', async () => {
    const before = taken.length;
    // Not now: it is tried again by itself.
    status = 503;
    await server.launch('t/fails');
    const page = await open(server, '/notifications?target=shop');
    await page.getByRole('table').getByText(/^\d+ attempts? failed$/).first().waitFor({ timeout: 30_000 });
    status = 200;
    await until('another attempt', () => taken.length === before + 1, 60);
    await page.getByRole('table').getByText(/failed$/).waitFor({ state: 'detached' });
    // Refused for good.
    status = 410;
    await server.launch('t/fails');
    await page.goto('/notifications?state=dead');
    await page.getByRole('table').getByText('Given up').first().waitFor({ timeout: 30_000 });
    await page.getByText(/after 1 attempt/).waitFor();
    await page.getByRole('row').nth(1).getByRole('button').first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/410/).waitFor();
    status = 200;
    await dialog.getByRole('button', { name: 'Tell it again' }).click();
    await until('the message', () => taken.length === before + 2, 60);
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await fitsWidth(page);
  });

  it('targets are paused, changed and removed by the keyboard too', async () => {
    const page = await open(server, '/notifications?part=targets');
    await page.getByRole('button', { name: 'Test shop' }).focus();
    const before = taken.length;
    await page.keyboard.press('Enter');
    await page.getByText('shop has taken the test message.').waitFor();
    expect(taken).toHaveLength(before + 1);
    await looks(page, 'notifications-targets');
    await page.getByRole('link', { name: 'shop', exact: true }).focus();
    await page.keyboard.press('Enter');
    // What is being filled in stays while it is paused, and isn't lost without a question.
    await page.getByLabel('What it is for').fill('half a sentence');
    await page.getByRole('button', { name: 'Pause' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    expect(await page.getByLabel('What it is for').inputValue()).toBe('half a sentence');
    expect(await asked(page, () => page.getByRole('link', { name: 'Leave it' }).click())).toContain('Leave without saving?');
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText('shop is saved.').waitFor();
    expect((await server.api<{ items: { name: string; paused: boolean }[] }>('GET', '/notifications/targets')).items.find((one) => one.name === 'shop')?.paused).toBe(true);
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove the target' }).click();
    // A rule tells it: that is said, and what to do.
    await page.getByRole('dialog').getByText(/the rule .*failures/).waitFor();
    await page.keyboard.press('Escape');
    await page.goto('/notifications?part=rules');
    await page.getByRole('link', { name: 'failures' }).click();
    await page.getByLabel('Other kinds').fill('run.parked');
    for (const [act, next] of [['Pause', 'Resume'], ['Resume', 'Pause']] as const) {
      await page.getByRole('button', { name: act }).click();
      await page.getByRole('button', { name: next }).waitFor();
    }
    expect(await page.getByLabel('Other kinds').inputValue()).toBe('run.parked');
    expect(await asked(page, () => page.getByRole('link', { name: 'Leave it' }).click())).toContain('Leave without saving?');
    await page.getByRole('checkbox', { name: 'shop (Webhook)' }).uncheck();
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText('“failures” is saved.').waitFor();
    await page.goto('/notifications?part=targets');
    await page.getByRole('link', { name: 'shop', exact: true }).click();
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove the target' }).click();
    await page.getByRole('table', { name: 'Targets' }).waitFor();
    expect(await page.getByRole('link', { name: 'shop', exact: true }).count()).toBe(0);
  });
});
