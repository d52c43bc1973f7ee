// What a browser gives up on the way, as Chromium does whenever addresses come or go on its machine: the interface comes up all the same.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page, Route } from 'playwright-core';
import { looks, open, picture, Server, visit } from './harness';

const WAITS = 'const WORKFLOW = #{ name: "t/wait", title: "Waits" };\nfn run(input) { approve(#{ title: "Go on?", expires: "1d" }); 1 }\n';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/wait': WAITS } });
});

/** The next so many requests for this are lost, as a network that changes loses them. Answers which were. */
async function lose(page: Page, what: string | RegExp, times = 1): Promise<string[]> {
  const lost: string[] = [];
  await page.route(what, (route: Route) => {
    lost.push(new URL(route.request().url()).pathname);
    return route.abort('failed');
  }, { times });
  return lost;
}
/** The next so many requests for this are taken, and never answered. Answers which were. */
async function hang(page: Page, what: string | RegExp | ((url: URL) => boolean), times = 1): Promise<string[]> {
  const hung: string[] = [];
  await page.route(what, (route: Route) => void hung.push(new URL(route.request().url()).pathname), { times });
  return hung;
}
/** A page that has fetched nothing in advance. Its clock may be put forward. */
async function bare(path: string): Promise<Page> {
  const page = await visit(server, '/login');
  await page.clock.install();
  await page.addInitScript(() => (window.requestIdleCallback = () => 0));
  await page.goto(path);
  await page.getByLabel('Name or e-mail address').fill('admin');
  await page.getByLabel('Password').fill(server.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.locator('main h1').waitFor();
  return page;
}
const titled = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor();
const goTo = (page: Page, name: string) => page.getByRole('navigation').getByRole('link', { name, exact: true }).first().click();
/** Whether a stylesheet is there with its rules, for each element that wants it. */
const styled = (page: Page, file: string) =>
  page.evaluate((name) => [...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')].filter((one) => one.href.endsWith(name)).map((one) => (one.sheet?.cssRules.length ?? 0) > 0), file);

// A Vite server that serves the sources as they are has other files, with other names.
describe.skipIf(process.env.UI_DEV === '1')('a file that is lost on its way', () => {
  it('is fetched again: a page’s own', async () => {
    const page = await bare('/tokens');
    const lost = await lose(page, /\/assets\/Schedules-.*\.js/, 2);
    await goTo(page, 'Schedules');
    await titled(page, 'Schedules');
    expect(lost).toHaveLength(2);
    await expect(page.getByText('can’t be shown').count()).resolves.toBe(0);
  });

  it('is fetched again: one that a page’s own needs', async () => {
    const page = await bare('/tokens');
    const files: string[] = [];
    page.on('request', (request) => files.push(new URL(request.url()).pathname));
    await goTo(page, 'Plans');
    await titled(page, 'Plans');
    const needed = files.filter((file) => /^\/assets\/.*\.js$/.test(file) && !/\/Plans-/.test(file));
    expect(needed.length).toBeGreaterThan(0);
    const other = await bare('/tokens');
    const lost = await lose(other, `**${needed[0]}`, 2);
    await goTo(other, 'Plans');
    await titled(other, 'Plans');
    expect(lost.length).toBeGreaterThan(0);
  });

  it('is fetched again: a page’s stylesheet, without which it would be ugly for good', async () => {
    const page = await bare('/tokens');
    const lost = await lose(page, /\/assets\/(Runs|RunTable|runs).*\.css/, 2);
    await goTo(page, 'Runs');
    await titled(page, 'Runs');
    expect(lost.length).toBeGreaterThan(0);
    for (const file of lost) expect(await styled(page, file), file).toEqual([true]);
  });

  it.each(['js', 'css'])('is fetched again: what the interface begins with, %s', async (kind) => {
    const page = await visit(server, '/login');
    const named = new RegExp(`/assets/[\\w-]+\\.${kind}`);
    const html = await (await fetch(server.page)).text();
    const file = named.exec(html)![0];
    const lost = await lose(page, `**${file}`, 2);
    await page.goto('/');
    await page.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
    await expect.poll(() => lost).toEqual([file, file]);
    await expect.poll(() => styled(page, file)).toEqual(kind === 'css' ? [true] : []);
  });

  it('says so when the interface can’t be had at all', async () => {
    const page = await visit(server, '/login');
    const html = await (await fetch(server.page)).text();
    const lost = await lose(page, `**${/src="(\/assets\/[\w-]+\.js)"/.exec(html)![1]}`, 99);
    await page.goto('/');
    await page.getByText('interface couldn’t be loaded').waitFor();
    expect(lost).toHaveLength(3);
  });

  it('is of an older interface: the page is loaded anew, once, and says why if that doesn’t help', async () => {
    const page = await bare('/tokens');
    // The server has been upgraded: its page names other files, and the old ones are gone.
    let loads = 0;
    page.on('load', () => (loads += 1));
    await page.route(/\/assets\/Plans-.*\.js/, (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{}' }));
    await page.route((url) => url.pathname === '/', (route) => route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/assets/index-newer.js"></script>' }));
    await goTo(page, 'Plans');
    await page.getByText('The server was upgraded since this page was opened.').waitFor();
    expect(new URL(page.url()).pathname).toBe('/plans');
    expect(loads).toBe(1);
    await page.getByRole('button', { name: 'Load it again' }).waitFor();
    await picture(page, 'upgraded');
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Load it again' }).click();
    await titled(page, 'Plans');
  });
});

// A connection that hangs: what was sent on it neither comes nor fails.
describe.skipIf(process.env.UI_DEV === '1')('a file that is never answered', () => {
  const PART = { js: /\/assets\/Schedules-.*\.js/, css: /\/assets\/(Runs|RunTable|runs).*\.css/ };
  /** Files that have been asked for, and haven't come. */
  function coming(page: Page): Set<string> {
    const files = new Set<string>();
    page.on('request', (request) => void (request.url().includes('/assets/') && files.add(new URL(request.url()).pathname)));
    const ended = (request: { url(): string }) => void files.delete(new URL(request.url()).pathname);
    page.on('requestfinished', ended).on('requestfailed', ended);
    return files;
  }
  /** Waits until so many requests hang and nothing else is on its way, as what comes shows that the network is alive; and then for as
   * long as nobody waits for an answer. */
  async function silence(page: Page, hung: string[], times: number, files: Set<string>) {
    await expect.poll(() => [hung.length, [...files].filter((file) => !hung.includes(file))], { timeout: 60_000 }).toEqual([times, []]);
    // It has been read by the page, too.
    await page.evaluate(() => fetch('/livez'));
    await page.clock.fastForward('00:10');
  }

  it.each(['js', 'css'] as const)('is fetched again, and the page comes, %s', async (kind) => {
    const page = await bare('/tokens');
    const name = kind === 'js' ? 'Schedules' : 'Runs';
    const files = coming(page);
    const hung = await hang(page, PART[kind]);
    await goTo(page, name);
    await page.getByText('Loading').first().waitFor({ state: 'attached' });
    await silence(page, hung, 1, files);
    await titled(page, name);
    expect(hung).toHaveLength(1);
    if (kind === 'css') expect(await styled(page, hung[0]!)).toEqual([true]);
  });

  it.each(['its file', 'everything'])('is said after three times, with a way to try again: %s hangs', async (what) => {
    const page = await bare('/tokens');
    const files = coming(page);
    const hung = await hang(page, PART.js, 99);
    const server = what === 'everything' ? await hang(page, (url) => url.pathname === '/', 99) : [];
    await goTo(page, 'Schedules');
    for (const time of [1, 2, 3]) await silence(page, hung, time, files);
    // It asks then whether the server is there at all.
    if (what === 'everything') await silence(page, server, 1, new Set());
    await page.getByText(what === 'everything' ? 'The server can’t be reached.' : 'A part of this page couldn’t be fetched.').waitFor();
    await titled(page, 'This page can’t be shown');
    expect([hung.length, server.length]).toEqual([3, what === 'everything' ? 1 : 0]);
    if (what === 'its file') await looks(page, 'part-hangs');
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Try again' }).click();
    await titled(page, 'Schedules');
  });
});

it.skipIf(process.env.UI_DEV === '1')('a part’s files come over the wire once', async () => {
  const page = await bare('/tokens');
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const wire: string[] = [];
  const asked: string[] = [];
  session.on('Network.responseReceived', ({ response }) => {
    const { pathname } = new URL(response.url);
    if (!pathname.startsWith('/assets/')) return;
    asked.push(pathname);
    if (!response.fromDiskCache) wire.push(pathname);
  });
  await goTo(page, 'Runs');
  await titled(page, 'Runs');
  expect(wire.filter((file) => file.endsWith('.css')).length).toBeGreaterThan(0);
  // Fetched, and then taken from the browser's cache.
  expect(asked.length).toBeGreaterThan(wire.length);
  expect([...wire].sort()).toEqual([...new Set(wire)].sort());
});

describe('a question that is lost on its way', () => {
  it('is asked again if it only looks', async () => {
    const page = await open(server, '/tokens');
    const lost = await lose(page, '**/api/v1/schedules*', 2);
    await goTo(page, 'Schedules');
    await page.getByText('Nothing is scheduled').or(page.getByText(/no schedule/i)).first().waitFor();
    expect(lost).toHaveLength(2);
    await expect(page.getByText('can’t be reached').count()).resolves.toBe(0);
  });

  it('is sent once if it changes something', async () => {
    const run = await server.launch('t/wait');
    await server.reaches(run, 'waiting');
    const page = await open(server, `/runs/${run}`);
    const lost = await lose(page, `**/api/v1/runs/${run}/cancel`, 99);
    await page.getByRole('button', { name: /^Cancel/ }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: /^Cancel the run/ }).click();
    await page.getByText('can’t be reached').first().waitFor();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(lost).toHaveLength(1);
  });

  it('is heard again: a stream that breaks off', async () => {
    const page = await visit(server, '/login');
    const lost = await lose(page, '**/api/v1/events*');
    await page.getByLabel('Name or e-mail address').fill('admin');
    await page.getByLabel('Password').fill(server.password);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await goTo(page, 'Runs');
    await expect.poll(() => lost.length, { timeout: 60_000 }).toBe(1);
    await page.getByText('Nothing has run yet').or(page.locator('main table')).first().waitFor();
    const run = await server.launch('t/wait');
    await page.locator(`a[href="/runs/${run}"]`).first().waitFor();
  });
});
