// Without a mouse: the skip link, menus, times as one likes them, an approval, a cancelled run, and messages that wait to be read.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, open, picture, Server, until } from './harness';

const ASKS = `const WORKFLOW = #{ name: "t/asks", title: "Asks somebody" };
fn run(input) { approve(#{ title: "Go on with the change?", allow_self: true }); log("went on"); "done" }
`;
const WAITS = `const WORKFLOW = #{ name: "t/waits", title: "Waits for an hour" };
fn run(input) { sleep("1h") }
`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/asks': ASKS, 't/waits': WAITS } });
});

/** What has the focus is called so. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element && element !== document.body ? (element.getAttribute('aria-label') ?? element.textContent ?? '').trim() : '';
  });

/** Presses Tab until what has the focus is called so, and says how often. */
async function tabTo(page: Page, name: RegExp): Promise<number> {
  for (let presses = 0; presses < 60; presses += 1) {
    if (name.test(await focused(page))) return presses;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab doesn’t come to ${name}`);
}

describe('the shell', () => {
  it('lets one skip the navigation', async () => {
    const page = await open(server, '/runs');
    await page.reload();
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the page');
    await accessible(page, 'skip link');
    await page.keyboard.press('Enter');
    await until('the focus', () => page.evaluate(() => document.activeElement?.id === 'main'));
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true);
  });

  it('has menus that work as menus do, and times as one likes them', async () => {
    await server.launch('t/waits');
    const page = await open(server, '/runs');
    const times = page.locator('main table time').first();
    await times.waitFor();
    await tabTo(page, /account and settings/);
    await page.keyboard.press('ArrowUp');
    expect(await focused(page)).toBe('Log out');
    await page.keyboard.press('Home');
    expect(await focused(page)).toBe('Account');
    await page.keyboard.press('u');
    expect(await focused(page)).toBe('UTC');
    await picture(page, 'user-menu');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toMatch(/account and settings/);
    expect(await times.innerText()).toMatch(/^\d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC$/);
    expect(await times.getAttribute('title')).toContain('(local)');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Escape');
    expect(await focused(page)).toMatch(/account and settings/);
    expect(await page.getByRole('menu').count()).toBe(0);
    await page.reload();
    await times.waitFor();
    expect(await times.innerText()).toContain('UTC');
  });

  it('keeps the focus in a dialog, and gives it back', async () => {
    const page = await open(server, '/runs');
    await page.locator('main h1').focus();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    for (let press = 0; press < 4; press += 1) {
      await page.keyboard.press('Tab');
      // Between the last and the first the browser itself has it.
      expect(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null)).toBe(true);
    }
    // A key of the page behind does nothing here.
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    expect(new URL(page.url()).pathname).toBe('/runs');
    await page.keyboard.press('Escape');
    await until('the focus', async () => (await focused(page)) === 'Runs');
  });
});

describe('work', () => {
  it('an approval is decided, and what is said about it waits until it is read', async () => {
    const run = await server.launch('t/asks');
    await server.reaches(run, 'waiting');
    const page = await open(server);
    await page.locator('main h1').focus();
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.getByText('Go on with the change?').waitFor();
    await tabTo(page, /^Approve/);
    await page.keyboard.press('Enter');
    const close = page.getByRole('button', { name: 'Close this message' });
    await close.focus();
    await server.reaches(run, 'succeeded');
    // It goes after some seconds, unless somebody is there.
    await page.waitForTimeout(7_000);
    await close.press('Enter');
    await until('the message to go', async () => (await close.count()) === 0);
  });

  it('a run is cancelled from its page', async () => {
    const run = await server.launch('t/waits');
    await server.reaches(run, 'waiting');
    const page = await open(server, `/runs/${run}`);
    await page.locator('.bench').waitFor();
    await page.locator('main h1').focus();
    await tabTo(page, /^Cancel$/);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Cancel this run?' });
    await dialog.waitFor();
    await accessible(page, 'cancel');
    await page.keyboard.type('Not needed');
    await tabTo(page, /^Cancel the run$/);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await server.reaches(run, 'cancelled', 'rolled_back');
  });
});
