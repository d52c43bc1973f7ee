// What the browser tests stand on: the real server in a folder of its own, real headless Chromium, axe, pictures.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import axe from 'axe-core';
import { afterAll, afterEach, expect } from 'vitest';

export const root = resolve(import.meta.dirname, '../..');
export const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
const binary = () => {
  const found = [process.env.WINDLASS_BIN, join(target, 'debug/windlass'), join(target, 'release/windlass')].find((path) => path && existsSync(path));
  if (!found) throw new Error('there is no windlass: cargo build --package windlass-server');
  return found;
};
export const pictures = join(target, 'ui-screenshots');

/** Ends what a test file started, last things first. */
const endings: (() => unknown)[] = [];
export const atEnd = (end: () => unknown) => void endings.push(end);
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

export interface ServerOptions {
  /** Sources by name (`t/wait`); without it the repository's own workflows. */
  workflows?: Record<string, string>;
  /** Lines of `windlass.toml`. */
  settings?: string;
  /** With what `windlass dev` simulates beside it: a provider, registrars, a PowerDNS; and with the repository's plugins. */
  playground?: boolean;
}

/** A server: `await Server.start()`. Stopped by itself when the test file ends. */
export class Server {
  url = '';
  /** Where browsers go: the server itself, or with UI_DEV=1 a Vite server in front of it, which serves the sources as they are. */
  page = '';
  password = '';
  token = '';
  /** What stands beside it, if it was started with that: `dns` is the name server's address. */
  playground: Record<string, unknown> | null = null;
  #process: ChildProcess | undefined;

  private constructor(
    readonly folder: string,
    private readonly plays: boolean,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), 'windlass-ui-'));
    if (options.workflows) {
      mkdirSync(join(folder, 'workflows'), { recursive: true });
      for (const [name, source] of Object.entries(options.workflows)) {
        const file = join(folder, 'workflows', `${name}.rhai`);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, source);
      }
    } else {
      cpSync(join(root, 'workflows'), join(folder, 'workflows'), { recursive: true });
    }
    // A copy: a test may change it.
    if (options.playground) cpSync(join(root, 'plugins'), join(folder, 'plugins'), { recursive: true });
    writeFileSync(join(folder, 'windlass.toml'), options.settings ?? '');
    const server = new Server(folder, options.playground ?? false);
    endings.push(() => server.#end());
    await server.run('127.0.0.1:0');
    return server;
  }

  /** Starts it, or starts it again. */
  async run(listen = new URL(this.url).host) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WINDLASS_')));
    const child = spawn(binary(), ['--json', '--data', join(this.folder, 'data'), 'dev', ...(this.plays ? [] : ['--bare']), '--listen', listen], { cwd: this.folder, env });
    this.#process = child;
    let output = '';
    const ready = new Promise<Record<string, string> & { playground?: Record<string, unknown> }>((resolve, reject) => {
      child.stdout!.on('data', (piece: Buffer) => {
        output += piece.toString();
        const found = /\{\n[\s\S]*?\n\}/.exec(output);
        if (found) resolve(JSON.parse(found[0]) as Record<string, string>);
      });
      child.stderr!.on('data', (piece: Buffer) => (output += piece.toString()));
      child.on('exit', (code) => reject(new Error(`windlass ended with ${code}: ${output}`)));
    });
    const said = await ready;
    // Where it listens, whatever the world calls it.
    this.url = `http://${said.address!}`;
    this.password = said.password!;
    this.token = said.token!;
    this.playground = said.playground ?? null;
    if (process.env.UI_DEV) this.page ||= await vite(this.url);
    else this.page = this.url;
  }

  /** Ends it at once, as a power cut does. */
  async kill() {
    await this.#stop('SIGKILL');
  }

  /** Ends it as Ctrl-C does. */
  async stop() {
    await this.#stop('SIGINT');
  }

  async #stop(signal: 'SIGKILL' | 'SIGINT') {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async #end() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Asks the API as the admin: `await server.api('POST', '/runs', { workflow: 't/wait' })`. */
  async api<T = Record<string, unknown>>(method: string, path: string, body?: unknown, token = this.token): Promise<T> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  /** Saves a workflow as somebody in the editor does. */
  async save(workflow: string, source: string, message = '') {
    const now = await this.api<{ source_digest: string }>('GET', `/workflows/${workflow}`).catch(() => undefined);
    return this.api('PUT', `/workflows/${workflow}`, { source, message, expected: now?.source_digest });
  }

  /** Launches a workflow; answers the run's id. */
  async launch(workflow: string, input: unknown = {}): Promise<string> {
    return (await this.api<{ id: string }>('POST', '/runs', { workflow, input })).id;
  }

  /** Waits until a run has one of these states. */
  async reaches(run: string, ...states: string[]) {
    return until(`run ${run} to be ${states.join(' or ')}`, async () => {
      const shown = await this.api<{ state: string } & Record<string, unknown>>('GET', `/runs/${run}`);
      if (states.includes(shown.state)) return shown;
      const ended = ['succeeded', 'failed', 'rolled_back', 'cancelled'].includes(shown.state);
      if (ended) throw new Error(`run ${run} is ${shown.state}: ${JSON.stringify(shown.problem ?? null)}`);
      return undefined;
    });
  }
}

/** Asks until there is an answer. No sleeping for a time that happens to be enough. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false> | T | undefined | false, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A Vite server in front of a server: no build of the binary is needed while one works on pages. UI_DEV=1 serves the sources,
 * UI_DEV=/path what was built there. */
async function vite(url: string): Promise<string> {
  const env = { ...process.env, WINDLASS_URL: url, NO_COLOR: '1' };
  const built = process.env.UI_DEV!.startsWith('/') ? ['preview', '--outDir', process.env.UI_DEV!] : [];
  const port = process.env.UI_PORT ?? '5400';
  const child = spawn(process.execPath, ['node_modules/vite/bin/vite.js', ...built, '--host', '127.0.0.1', '--port', port], { cwd: join(root, 'ui'), env });
  endings.push(() => child.kill());
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (piece: Buffer) => {
      output += piece.toString();
      const found = /Local:\s+(http:\/\/[\d.:]+)/.exec(output);
      if (found) resolve(found[1]!);
    });
    child.on('exit', () => reject(new Error(output)));
  });
}

let browser: Promise<Browser> | undefined;
/** Chromium now and then crashes as it starts, before any page: what it is asked to show then isn't what is wrong. */
async function started(options: Parameters<typeof chromium.launch>[0]): Promise<Browser> {
  return chromium.launch(options).catch(async (error: unknown) => {
    console.error('Chromium didn’t start, and is started once more:', String(error).split('\n')[0]);
    return chromium.launch(options);
  });
}
function chrome(): Promise<Browser> {
  const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const executablePath = places.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('there is no Chromium: .ci/setup test, or CHROMIUM=/path/to/it');
  browser ??= started({
    executablePath,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  if (endings.every((end) => end !== closeBrowser)) endings.unshift(closeBrowser);
  return browser;
}
async function closeBrowser() {
  await (await browser)?.close();
  browser = undefined;
}

/** What pages said that they must not say: mistakes of the interface, and what the Content-Security-Policy refused. */
let complaints: string[] = [];
/** Complaints that a test expects: it breaks something on purpose. */
let expected: RegExp[] = [];
export const expectComplaint = (pattern: RegExp) => expected.push(pattern);
/** Pages of the test that runs, with the requests that came to nothing. */
let looked: { page: Page; lost: string[] }[] = [];
/** What whoever reads of a failure would look at first. */
async function tell(title: string) {
  for (const [index, { page, lost }] of looked.entries()) {
    if (page.isClosed()) continue;
    const text = await page.locator('body').innerText({ timeout: 2_000 }).catch(() => 'no text');
    const picture = join(pictures, `failed-${title.replaceAll(/[^a-z0-9]+/gi, '-')}-${index}.png`);
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: picture, timeout: 5_000 }).catch(() => {});
    console.error(`${title}: ${page.url()}\nrequests that came to nothing: ${lost.slice(-20).join(', ') || 'none'}\npicture: ${picture}\n${text.slice(-1_500)}`);
  }
}
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await tell(task.name);
  looked = looked.filter(({ page }) => !page.isClosed());
  const all = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
  complaints = [];
  expected = [];
  expect(all, 'what the page complained about').toEqual([]);
});

export interface Look {
  width?: number;
  height?: number;
  scheme?: 'light' | 'dark';
  /** Through which names are found, and reached. */
  proxy?: string;
}

/** A browser of one's own (cookies, storage) with a page that isn't logged in. */
export async function visit(server: Server, path = '/', { width = 1280, height = 800, scheme = 'light', proxy }: Look = {}): Promise<Page> {
  const context: BrowserContext = await (await chrome()).newContext({
    baseURL: server.page, viewport: { width, height }, colorScheme: scheme, locale: 'en-GB', reducedMotion: 'reduce',
    // What is behind it has certificates that nobody knows.
    ...(proxy && { proxy: { server: proxy, bypass: '127.0.0.1' }, ignoreHTTPSErrors: true }),
  });
  endings.push(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const lost: string[] = [];
  looked.push({ page, lost });
  page.on('requestfailed', (request) => lost.push(`${request.method()} ${new URL(request.url()).pathname}: ${request.failure()?.errorText}`));
  page.on('pageerror', (error) => complaints.push(`${new URL(page.url()).pathname}: ${error.message}`));
  page.on('console', (message) => {
    // Refused requests are the API's business: pages show them, and tests look at that.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
    // Libraries that say how they are to be used.
    if (message.type() === 'warning' && /^\[[\w/-]+\]/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(path);
  return page;
}

/** Logs in through the form. */
export async function logIn(page: Page, name: string, password: string) {
  await page.getByLabel('Name or e-mail address').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.locator('.shell').waitFor();
}

/** A page as the admin, or as somebody else. */
export async function open(server: Server, path = '/', look: Look & { name?: string; password?: string } = {}): Promise<Page> {
  const page = await visit(server, path, look);
  await logIn(page, look.name ?? 'admin', look.password ?? server.password);
  await page.locator('main h1').waitFor();
  return page;
}

/** Fails with what axe finds. */
export async function accessible(page: Page, where = new URL(page.url()).pathname) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id} (${one.help}): ${node.target.join(' ')}: ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`));
  });
  expect(found, `axe at ${where}`).toEqual([]);
}

/** Pictures in both schemes, `target/ui-screenshots/<name>-light.png`; looks at both with axe, too. */
export async function picture(page: Page, name: string, { full = false } = {}) {
  mkdirSync(pictures, { recursive: true });
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    // Colours fade into one another, and axe would measure what is in between. What turns for ever has no end to wait for.
    await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))));
    await accessible(page, `${name}, ${scheme}`);
    await page.screenshot({ path: join(pictures, `${name}-${scheme}.png`), fullPage: full });
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Nothing sticks out: the page doesn't scroll sideways. */
export async function fitsWidth(page: Page) {
  const wide = await page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= limit) return [];
    const all = [...document.querySelectorAll<HTMLElement>('main *')].filter((one) => one.getBoundingClientRect().right > limit + 1);
    return all.slice(0, 5).map((one) => `${one.tagName}.${one.className}: ${Math.round(one.getBoundingClientRect().right)} > ${limit}`);
  });
  expect(wide, 'what is wider than the screen').toEqual([]);
}

/** No table is wider than the place that it has: nothing of it is out of sight. */
export async function fitsTables(page: Page) {
  const cut = await page.evaluate(() => [...document.querySelectorAll('main table')].filter((one) => one.parentElement!.scrollWidth > one.parentElement!.clientWidth + 1).map((one) => `${one.getAttribute('aria-label')}: ${one.parentElement!.scrollWidth} > ${one.parentElement!.clientWidth}`));
  expect(cut, 'tables that are cut').toEqual([]);
}

/** Pictures at 1280 and at 390 px in both schemes, axe, and nothing that sticks out. `full: false`: what is in sight, where it is. */
export async function looks(page: Page, name: string, { full = true } = {}) {
  const top = async () => full && (await page.evaluate(() => scrollTo(0, 0)));
  await top();
  await picture(page, name, { full });
  await page.setViewportSize({ width: 390, height: 844 });
  await top();
  await fitsWidth(page);
  await picture(page, `${name}-390`, { full: true });
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** Reads a file of the repository. */
export const source = (path: string) => readFileSync(join(root, path), 'utf8');

/** Presses Tab until what has the focus is called so: by its label, or by what it says. */
export async function tabTo(page: Page, name: RegExp) {
  for (let press = 0; press < 80; press += 1) {
    const here = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return '';
      const label = (element as HTMLInputElement).labels?.[0]?.textContent;
      return (element.getAttribute('aria-label') ?? label ?? element.textContent ?? '').trim();
    });
    if (name.test(here)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab doesn’t come to ${name}`);
}

/** Counts what a page fetches of the interface's files from now on, as it goes over the wire (compressed), as if it came for the first time. */
export async function weigh(page: Page) {
  // What is fetched in advance, while nothing else is to do, isn't what the page needs.
  await page.addInitScript(() => (window.requestIdleCallback = () => 0));
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const files = new Map<string, string>();
  const sizes = new Map<string, number>();
  session.on('Network.responseReceived', ({ requestId, type, response }) => {
    const { pathname } = new URL(response.url);
    if (type === 'Document' || pathname.startsWith('/assets/')) files.set(requestId, pathname);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const file = files.get(requestId);
    if (file) sizes.set(file, encodedDataLength);
  });
  return {
    /** What the page before still fetched (in advance, too) is broken off, and isn't counted. */
    begin: async () => {
      await page.goto('about:blank');
      files.clear();
      sizes.clear();
    },
    total: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
    files: () => [...sizes].sort((a, b) => b[1] - a[1]).map(([file, size]) => `${file} ${size}`),
  };
}

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
