// A run's page: what it made with its cost and consoles, the plan that it was launched with, restarts from an earlier step.
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, fitsWidth, open, picture, Server, until } from './harness';

const WORKFLOWS = {
  't/makes': `const WORKFLOW = #{ name: "t/makes", title: "Makes servers", rollback: "none", permissions: ["inventory.write:acme"] };
fn run(input) {
    resource_created(#{ provider: "acme", kind: "server", id: "4711", monthly_cost: "4.90 EUR", console: [
        "https://console.example.net/servers/4711", #{ title: "Shell", command: "ssh root@192.0.2.7" } ] });
    resource_created(#{ provider: "acme", kind: "volume", id: "v1", monthly_cost: "1.10 EUR" });
    resource_created(#{ provider: "other-cloud", kind: "server", id: "o1", monthly_cost: "3 USD" });
    wait_signal("go", #{ timeout: "1h" });
    resource_deleted("acme", "server", "4711");
}
`.replace('write:acme', 'write:*'),
  't/planned': `const WORKFLOW = #{ name: "t/planned", title: "Does as planned, or not",
    inputs: #{ type: "object", properties: #{ fails: #{ type: "boolean", "default": false } } }, permissions: ["kv.*:t/*"] };
fn run(input) {
    kv_set("t/first", 1);
    let before = kv_get("t/count");
    kv_set("t/second", if before == () { 0 } else { before });
    if before != () { kv_set("t/more", 1); }
    if input.fails { fail("asked to") }
    "done"
}
`,
  't/counts': `const WORKFLOW = #{ name: "t/counts", title: "Counts", permissions: ["kv.*:t/*"] };
fn run(input) { kv_set("t/count", 7); }
`,
  't/late': `const WORKFLOW = #{ name: "t/late", title: "Fails late", rollback: "none", permissions: ["kv.*:t/*", "exec.run:sh"] };
fn run(input) {
    log("begins");
    kv_set("t/late", 1);
    exec::run(["sh", "-c", "echo once"]);
    let said = wait_signal("go", #{ timeout: "1h" });
    let there = kv_get("t/mended");
    log(\`mended: \${there}\`);
    if there == () { fail("not mended yet") }
    there
}
`,
  't/mends': `const WORKFLOW = #{ name: "t/mends", title: "Mends", permissions: ["kv.*:t/*"] };
fn run(input) { kv_set("t/mended", "yes"); }
`,
};
Object.assign(WORKFLOWS, {
  't/many': `const WORKFLOW = #{ name: "t/many", title: "Many steps" };
fn run(input) { for n in 0..620 { uuid(); } }
`,
  't/parent': `const WORKFLOW = #{ name: "t/parent", title: "Has a child with many steps", permissions: ["run.launch:t/many"] };
fn run(input) { child("t/many", #{}) }
`,
  't/once': `const WORKFLOW = #{ name: "t/once", title: "Must not be done twice", permissions: ["exec.run:sh"] };
fn run(input) { exec::run(["sh", "-c", "exec sleep 60"]); }
`,
  't/waits': `const WORKFLOW = #{ name: "t/waits", title: "Waits" };
fn run(input) { wait_signal("go", #{ timeout: "1d" }); }
`,
});
const SETTINGS = `[policy]\n"t/*" = ["kv.*:*", "inventory.*:*", "exec.run:*", "run.launch:*"]\n[hosts.exec]\nprograms = ["sh"]\n`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS, settings: SETTINGS });
});
const shown = async (run: string, search = '', look = {}) => {
  const page = await open(server, `/runs/${run}${search}`, look);
  await page.locator('.bench').waitFor();
  return page;
};

describe('what a run has made', () => {
  let run = '';
  beforeAll(async () => {
    run = await server.launch('t/makes');
    await server.reaches(run, 'waiting');
  });

  it('stands there with what it costs, and how to get at it', async () => {
    const page = await shown(run, '?part=made');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByText('≈ 6.00 EUR + 3.00 USD a month').waitFor();
    const machine = page.locator('main').getByRole('listitem').filter({ hasText: 'acme server' });
    await machine.getByText('≈ 4.90 EUR a month').waitFor();
    const link = machine.getByRole('link', { name: /^Console/ });
    expect([await link.getAttribute('href'), await link.getAttribute('target'), await link.getAttribute('rel')]).toEqual(['https://console.example.net/servers/4711', '_blank', 'noopener noreferrer']);
    await picture(page, 'run-made');
    await machine.getByRole('button', { name: /^Shell/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('It is in the clipboard.').waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('ssh root@192.0.2.7');
    await accessible(page, 'a console');
    await picture(page, 'run-console');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' }).catch(() => undefined);
    // What is gone costs nothing, and can't be got at.
    await server.api('POST', `/runs/${run}/signal`, { name: 'go' });
    await machine.getByText('Gone').waitFor();
    await page.getByText('≈ 3.00 USD + 1.10 EUR a month').waitFor();
    expect(await machine.getByRole('link').count()).toBe(0);
  });

  it('stands so in the inventory of all runs, on a phone, too', async () => {
    const page = await open(server, '/resources?kind=volume');
    await page.getByRole('table', { name: 'Things that runs have made' }).getByText('1.10 EUR').waitFor();
    await page.getByText('≈ 1.10 EUR a month').waitFor();
    await page.goto('/resources');
    await page.getByText('≈ 3.00 USD + 1.10 EUR a month').waitFor();
    await picture(page, 'resources-cost');
    await page.setViewportSize({ width: 390, height: 844 });
    await fitsWidth(page);
  });
});

describe('the plan that a run was launched with', () => {
  interface Kept { id: string }
  const planned = (input: unknown) => server.api<Kept>('POST', '/plans', { workflow: 't/planned', input });
  const launched = async (plan: string, input: unknown, state: string) => {
    const { id } = await server.api<Kept>('POST', '/runs', { workflow: 't/planned', input, plan });
    await server.reaches(id, state);
    return id;
  };

  it('stands beside what happened, and says that it went so', async () => {
    const plan = await planned({});
    const run = await launched(plan.id, {}, 'succeeded');
    const page = await shown(run);
    await page.getByRole('link', { name: 'launched as rehearsed' }).click();
    await page.getByText('It went as planned').waitFor();
    expect(await page.getByRole('link', { name: 'this plan' }).getAttribute('href')).toBe(`/plans/${plan.id}`);
    expect(await page.getByRole('button', { name: 'Rehearse with this input' }).count()).toBe(0);
    await accessible(page, 'as planned');
  });

  it('is that plan and no newer one, and says where the run left it', async () => {
    const plan = await planned({});
    await server.reaches(await server.launch('t/counts'), 'succeeded');
    const run = await launched(plan.id, {}, 'succeeded');
    // The workflow was changed since: what is shown is what was agreed to.
    await server.save('t/planned', WORKFLOWS['t/planned'].replace('"done"', '"done again"'), 'after the launch');
    const page = await shown(run, '?part=plan');
    await page.getByText('It left the plan at step 2').waitFor();
    await page.getByText('other arguments.').waitFor();
    const table = page.getByRole('table', { name: 'Plan beside reality' });
    const differs = table.locator('.differs');
    await until('two that differ', async () => (await differs.count()) === 2);
    expect(await differs.nth(0).innerText()).toContain('["t/second",7]');
    expect(await differs.nth(1).innerText()).toContain('not planned');
    expect(await page.getByText('The script was changed since').count()).toBe(0);
    await picture(page, 'run-as-planned');
    await page.getByRole('button', { name: '2', exact: true }).first().click();
    await page.getByRole('region', { name: 'The chosen step' }).getByText('kv_set').waitFor();
    // One without a plan is rehearsed now, and says so.
    const other = await server.launch('t/planned', {});
    await server.reaches(other, 'succeeded');
    await page.goto(`/runs/${other}?part=plan`);
    await page.getByText('It was launched without a plan.').waitFor();
    await page.getByRole('button', { name: 'Rehearse with this input' }).click();
    await page.getByText('Rehearsed just now with this run’s input').waitFor();
  });
});

describe('a restart', () => {
  it('begins with an earlier step, and says what is done again', async () => {
    const run = await server.launch('t/late');
    const go = () => server.api('POST', `/runs/${run}/signal`, { name: 'go' });
    await go();
    await server.reaches(run, 'failed');
    await server.reaches(await server.launch('t/mends'), 'succeeded');
    const page = await shown(run);
    // From its failed step it fails as before: what it has read stays read.
    await page.locator('[data-step="1"]').click();
    const step = page.getByRole('region', { name: 'The chosen step' });
    await step.getByRole('button', { name: 'Restart from this step' }).click();
    await page.getByRole('dialog', { name: 'Restart from step 1' }).waitFor();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Done again, though it was done').waitFor();
    await dialog.getByText('1 exec::run').waitFor();
    await dialog.getByText('It happens a second time').waitFor();
    await dialog.getByText('Waited for again, though it came: 2 wait_signal').waitFor();
    await dialog.getByRole('heading', { name: /It goes on with exec::run/ }).waitFor();
    await accessible(page, 'a restart from a step');
    await picture(page, 'restart-earlier');
    // Another step is chosen in the list; both scripts are offered, with what differs between them.
    await dialog.getByLabel('From').selectOption({ label: 'step 3: kv_get' });
    await dialog.getByText('Done again').waitFor({ state: 'detached' });
    await dialog.getByText('Compatible').waitFor();
    await server.save('t/late', WORKFLOWS['t/late'].replace('    there\n', '    "now " + there\n'), 'says more');
    await dialog.getByText('The current script', { exact: true }).click();
    await dialog.locator('.line.added').getByText('"now " + there').waitFor();
    await dialog.getByText('Compatible').waitFor();
    await dialog.getByRole('button', { name: 'Restart the run' }).click();
    await page.locator('.facts').getByText('Succeeded').waitFor();
    expect((await server.api<{ output: string }>('GET', `/runs/${run}`)).output).toBe('now yes');
    await page.locator('[data-line]').getByText('mended: yes').waitFor();
  });
});

describe('what is not there at first', () => {
  it('is told of a child’s steps, and loaded', async () => {
    const run = await server.launch('t/parent');
    await server.reaches(run, 'succeeded');
    const page = await shown(run);
    const steps = page.getByRole('region', { name: 'Steps and their times' });
    await page.getByRole('button', { name: 'Show the child run' }).click();
    await steps.locator('.child').getByText('uuid').first().waitFor();
    const down = () => steps.evaluate((view) => (view.scrollTop = view.scrollHeight));
    const more = page.getByRole('button', { name: 'Its first 500 steps are shown: load more' });
    await until('the end of what is shown', async () => (await down(), more.isVisible()));
    await more.click();
    await more.waitFor({ state: 'detached' });
    await until('the last step', async () => (await down(), steps.locator('.child').getByText('619', { exact: true }).isVisible()));
  });

  it('is a stream that the server refuses: that is said, and asked for again', async () => {
    const run = await server.launch('t/waits');
    await server.reaches(run, 'waiting');
    const page = await open(server, '/runs');
    const refusal = { type: 'urn:windlass:error:unavailable', title: 'permission denied', status: 403, code: 'permission_denied', detail: 'You may not follow this run any more.' };
    await page.route(`**/runs/${run}/events*`, (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(refusal) }));
    await page.goto(`/runs/${run}`);
    const notice = page.getByRole('region', { name: 'Steps', exact: true }).getByRole('status');
    await notice.getByText('You may not follow this run any more.').waitFor();
    await accessible(page, 'a refused stream');
    await page.unroute(`**/runs/${run}/events*`);
    await notice.getByRole('button', { name: 'Try again' }).click();
    await notice.getByText('live').waitFor();
    await page.locator('[data-step="0"]').getByText('wait_signal').waitFor();
  });

  it('is found all the same when it waits for an operator behind many that wait for something else', async () => {
    const doubt = await server.launch('t/once');
    await until('its step', async () => (await server.api<{ items: unknown[] }>('GET', `/runs/${doubt}/steps`)).items.length > 0);
    await server.kill();
    await server.run();
    await server.reaches(doubt, 'waiting');
    for (let some = 0; some < 7; some += 1) await Promise.all(Array.from({ length: 30 }, () => server.launch('t/waits')));
    const page = await open(server, '/runs');
    const mine = page.getByRole('region', { name: /waits? for you/ });
    await mine.getByText('a step is in doubt').waitFor();
    expect(await mine.getByRole('link', { name: 't/once' }).getAttribute('href')).toBe(`/runs/${doubt}`);
    await page.goto('/');
    await page.getByText('a step may or may not have happened: look, and say which').waitFor();
  });
});
