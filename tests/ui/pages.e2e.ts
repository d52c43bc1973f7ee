// Every page, with something on it: wide and narrow, light and dark, looked at with axe; nothing sticks out.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { fitsTables, fitsWidth, open, picture, Server, weigh } from './harness';

const WORKFLOWS = {
  't/hello': `const WORKFLOW = #{ name: "t/hello", title: "Says hello", description: "Says hello to whom it is told.",
  inputs: #{ type: "object", properties: #{ name: #{ type: "string", title: "Name", "default": "world" }, times: #{ type: "integer", minimum: 1, maximum: 9, "default": 2 } } } };
fn run(input) { annotate("components", ["cilium", "flux", "crossplane", "cert-manager", "external-secrets", "keycloak", "harbor", "gitea", "grafana", "loki", "a-component-whose-name-is-so-long-that-no-narrow-screen-has-room-for-it-in-a-line"]); for n in 0..input.times { log(\`hello \${input.name}\`) } #{ said: input.times } }
`,
  't/fails': `const WORKFLOW = #{ name: "t/fails", title: "Fails on purpose" };
fn run(input) { log("before"); throw "the disk is full"; }
`,
  't/asks': `const WORKFLOW = #{ name: "t/asks", title: "Asks somebody" };
fn run(input) { approve(#{ title: "Go on with the change?", details: #{ hosts: 3 }, allow_self: true, expires: "7d" }); "done" }
`,
  't/steps': `const WORKFLOW = #{ name: "t/steps", title: "Has steps", wizard: [#{ title: "Who" }, #{ title: "What" }],
  inputs: #{ type: "object", properties: #{ who: #{ type: "string", title: "Who", "x-step": "Who" }, what: #{ type: "string", title: "What", "x-step": "What" } } } };
fn run(input) { progress(50, "half of it"); annotate("where", "here"); #{ page: "https://example.net/" } }
`,
  't/waits': `const WORKFLOW = #{ name: "t/waits", title: "Waits for an hour" };
fn run(input) { sleep("1h"); "done" }
`,
};

let server: Server;
const table = [...readFileSync(new URL('../../ui/src/routes.ts', import.meta.url), 'utf8').matchAll(/\{ path: '([^']+)'/g)].map((match) => match[1]!);
/** Pages without parameters, by what a picture of them is called: all that there are. */
const plain = table.filter((path) => !path.includes('{')).map((path): [string, string] => [path.replace(/^\/$/, '/start').slice(1).replace(/[/+]+/g, '-'), path]);
/** The others, once there is what they show. */
const paths: Record<string, string> = {
  ...Object.fromEntries(plain), workflow: '/workflows/t/hello', launch: '/launch/t/hello', editor: '/edit/t/hello', wizard: '/new/t/steps/who',
  user: '/users/vera', organisation: '/organisations/acme', 'organisation-look': '/organisations/acme?part=look', lab: '/labs/drawn', 'lab-table': '/labs/sketch?view=table', console: '/labs/drawn/console/h1', progress: '', run: '', 'run-failed': '', 'run-asks': '', diff: '',
  schedule: '', 'schedule-edit': '', webhook: '', 'webhook-edit': '', trigger: '', 'trigger-edit': '', batch: '', 'notification-rules': '/notifications?part=rules', 'notification-targets': '/notifications?part=targets', target: '', rule: '', redemption: '/redeem/01m7abcdefghjkmnpqrstvwxyz#none',
};
/** Pages about what isn't here: these tests make it, and look at them. */
const ELSEWHERE: Record<string, string> = {
  '/plans/{id}': 'operate.e2e.ts', '/bundles/{digest}': 'operate.e2e.ts', '/plugins/{name*}': 'plugins.e2e.ts', '/plugins/+edit/{name*}': 'plugins-install.e2e.ts',
};

beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS });
  const make = (path: string, body: unknown) => server.api<{ id: string }>('POST', path, body);
  const vera = { name: 'vera', title: 'Vera', password: 'a long enough word', bindings: [{ role: 'operator', organisation: 'platform' }] };
  await make('/users', vera);
  await make('/organisations', { name: 'acme', title: 'Acme Ltd' });
  for (const at of [1, 2, 3]) await make('/organisations', { name: `branch-${at}`, title: `Branch ${at} of a company with quite a long name` });
  await make('/tokens', { name: 'ci' });
  await server.api('PUT', '/secrets/acme/dns.key', { value: 'certainly secret', to: ['https://api.example.net*'] });
  await server.api('POST', '/vouchers/batches', { issuer: 'platform', name: 'spring', credit: 5_000, currency: 'EUR', count: 3 }).then((one) => (paths.batch = `/vouchers/${String(one.id)}`));
  await server.api('PUT', '/labs/drawn/drawing', { text: readFileSync(new URL('../../workflows/lab/examples/three-routers.yaml', import.meta.url), 'utf8') });
  await server.api('PUT', '/labs/sketch/drawing', { text: 'name: sketch\nnodes: [{ name: a }, { name: b }]\nlinks: [{ endpoints: ["a:eth0", "b:eth0"] }]\n' });
  const schedule = await make('/schedules', { name: 'nightly', workflow: 't/hello', cron: '15 3 * * *', input: { name: 'night' } });
  const webhook = await make('/webhooks', { name: 'deploy', action: { do: 'launch', workflow: 't/hello', input: {} } });
  const trigger = await make('/triggers', { name: 'after hello', on: { workflow: 't/hello', states: ['failed'] }, workflow: 't/fails' });
  const target = await make('/notifications/targets', { name: 'people', way: 'email', to: ['ann@acme.test'] });
  const rule = await make('/notifications/rules', { name: 'stuck', on: ['run.rollback_stuck'], targets: ['people'] });
  const hello = await server.launch('t/hello', { name: 'Ann', times: 3 });
  const again = await server.launch('t/hello', { name: 'Ben', times: 2 });
  const steps = await server.launch('t/steps', { who: 'Ann' });
  const failed = await server.launch('t/fails');
  const asks = await server.launch('t/asks');
  await server.launch('t/waits');
  await Promise.all([server.reaches(steps, 'succeeded'), server.reaches(hello, 'succeeded'), server.reaches(again, 'succeeded'), server.reaches(failed, 'failed', 'rolled_back'), server.reaches(asks, 'waiting')]);
  Object.assign(paths, {
    progress: `/runs/${steps}/progress`, run: `/runs/${hello}`, 'run-failed': `/runs/${failed}`, 'run-asks': `/runs/${asks}`, diff: `/runs/${hello}/diff?with=${again}`,
    schedule: `/schedules/${schedule.id}`, webhook: `/webhooks/${webhook.id}`, trigger: `/triggers/${trigger.id}`,
    'schedule-edit': `/schedules/${schedule.id}/edit`, 'webhook-edit': `/webhooks/${webhook.id}/edit`, 'trigger-edit': `/triggers/${trigger.id}/edit`,
    target: `/notifications/targets/${target.id}`, rule: `/notifications/rules/${rule.id}`,
  });
});

/** Waits until a page has what it shows. */
async function settled(page: Page) {
  await page.locator('main h1').waitFor();
  await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
  await page.waitForLoadState('load');
}

it('there is no page that nobody looks at', () => {
  expect(table.length).toBeGreaterThan(30);
  const looked = Object.values(paths).map((path) => path.split(/[?#]/)[0]!);
  const fits = (pattern: string) => new RegExp(`^${pattern.replace(/\+/g, '\\+').replace(/\{\w+\*\}/g, '.+').replace(/\{\w+\}/g, '[^/]+')}$`);
  const elsewhere = (pattern: string) => pattern in ELSEWHERE && readFileSync(new URL(ELSEWHERE[pattern]!, import.meta.url), 'utf8').includes('looks(');
  expect(table.filter((pattern) => !elsewhere(pattern) && !looked.some((path) => fits(pattern).test(path)))).toEqual([]);
});

/** Bytes that a page may fetch when somebody comes for the first time: the shell, and what it needs at once. What is heavy (the editor, the
 * canvas of labs, consoles) is fetched by the pages that are for it. */
const FIRST_LOAD = 160_000;
const HEAVIER: [RegExp, number][] = [[/^\/(edit|plugins\/\+(edit|new))(\/|$)/, 300_000], [/^\/labs\/(?!new)/, 300_000]];
const limitOf = (path: string) => HEAVIER.find(([pattern]) => pattern.test(path))?.[1] ?? FIRST_LOAD;

describe.each([['wide', 1280, 800], ['narrow', 390, 844]] as const)('every page, %s', (shape, width, height) => {
  let page: Page;
  let scales: Awaited<ReturnType<typeof weigh>>;
  beforeAll(async () => {
    page = await open(server, '/', { width, height });
    scales = await weigh(page);
  });

  it.each(Object.keys(paths))('%s', async (name) => {
    await scales.begin();
    await page.goto(paths[name]!);
    await settled(page);
    const [weight, limit] = [scales.total(), limitOf(paths[name]!)];
    if (!process.env.UI_DEV) expect(weight <= limit ? [] : scales.files(), `${name}: ${weight} bytes of ${limit}`).toEqual([]);
    expect(weight).toBeGreaterThan(20_000);
    await fitsWidth(page);
    await fitsTables(page);
    await picture(page, shape === 'wide' ? name : `${name}-390`);
  });
});
