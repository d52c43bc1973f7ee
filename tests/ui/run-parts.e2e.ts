// The parts of a run's page, each with a real run: branches, children, attempts, log, script, plan, undo, commands, differences.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsWidth, open, picture, Server, until } from './harness';

const WORKFLOWS = {
  't/child': `const WORKFLOW = #{ name: "t/child", title: "A child" };
fn run(input) { log("child at work"); random(); uuid(); #{ n: input.n } }
`,
  't/all': `const WORKFLOW = #{ name: "t/all", title: "Everything at once", tags: ["tour"],
    inputs: #{ type: "object", properties: #{ site: #{ type: "string" }, size: #{ type: "integer", "default": 2 }, fails: #{ type: "boolean", "default": true } }, required: ["site"] },
    permissions: ["exec.run:*", "http.get:http://127.0.0.1:1/*", "file.*:*", "run.launch:t/child"] };
fn run(input) {
    annotate("site", input.site);
    log("\\u001b[1;32mgreen\\u001b[0m, \\u001b[31mred\\u001b[0m and plain");
    log("warn", "the disk is nearly full", #{ free: "3 %" });
    log("error", "something else went wrong");
    log("debug", "chatty");
    artifact("report.txt", "all is well", "text/plain");
    try { with_retry(#{ attempts: 3, delay: "50ms" }, || http::get("http://127.0.0.1:1/")); } catch (error) { log("warn", \`gave up: \${error.message}\`); }
    let both = parallel([
        || { log("first branch"); sleep("300ms"); random() },
        || { log("second branch"); parallel_map([1, 2], |n| { log(\`inner \${n}\`); uuid() }) },
    ]);
    let made = child("t/child", #{ n: input.size });
    file::write(\`/tmp/windlass-ui-\${input.site}.txt\`, "hello");
    on_rollback("say goodbye", || log("goodbye"));
    if input.fails { exec::run(["sh", "-c", "echo no >&2; exit 4"]); }
    #{ site: input.site, made: made }
}
`,
  't/long': `const WORKFLOW = #{ name: "t/long", title: "Many steps that log" };
fn run(input) { for n in 0..300 { random(); log(\`after step \${n}\`); log("and more"); } "done" }
`,
  't/ticks': `const WORKFLOW = #{ name: "t/ticks", title: "Logs slowly" };
fn run(input) { for n in 0..400 { for k in 0..3 { log(\`tick \${n}.\${k}\`); } progress(n / 4, \`tick \${n}\`); sleep("50ms"); } "done" }
`,
  't/flaps': `const WORKFLOW = #{ name: "t/flaps", title: "Waits again and again" };
fn run(input) { for n in 0..2000 { sleep("20ms"); } }
`,
  't/waits': `const WORKFLOW = #{ name: "t/waits", title: "Waits for a signal" };
fn run(input) {
    log("before");
    let said = wait_signal("go", #{ timeout: "1h" });
    log(\`after \${said.to}\`);
    said
}
`,
  't/form': `const WORKFLOW = #{ name: "t/form", title: "Asks for details" };
fn run(input) {
    let answer = approve(#{ title: "Which window?", details: #{ hosts: 3 }, allow_self: true, expires: "1d",
        form: #{ type: "object", properties: #{ window: #{ type: "string", title: "Window", minLength: 3 } }, required: ["window"] } });
    answer.form.window
}
`,
  't/lab': `const WORKFLOW = #{ name: "t/lab", title: "Makes something", permissions: ["net.write:*"] };
fn run(input) { net::create_namespace(input.lab, "a"); wait_signal("go", #{ timeout: "1h" }); net::delete_namespace(input.lab, "a"); "done" }
`,
};
const GRANTS = '["exec.run:*", "http.get:http://127.0.0.1:1/*", "file.*:*", "run.launch:*", "net.*:*"]';
const SETTINGS = `[policy]\n"t/*" = ${GRANTS}\n[hosts.exec]\nprograms = ["sh"]\n[hosts.file]\nfolders = ["/tmp"]\n`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS, settings: SETTINGS });
});
const shown = async (run: string, search = '', look = {}) => {
  const page = await open(server, `/runs/${run}${search}`, look);
  await page.locator('.bench').waitFor();
  return page;
};
const steps = (page: Page) => page.getByRole('region', { name: 'Steps and their times' });
const log = (page: Page) => page.getByRole('region', { name: 'Log', exact: true });
const row = (page: Page, path: string) => page.locator(`[data-step="${path}"]`);
const chosen = (page: Page) => page.getByRole('region', { name: 'The chosen step' });
const facts = (page: Page) => page.locator('.facts');
const more = async (page: Page, item: RegExp) => {
  await page.getByRole('button', { name: 'More to do with this run' }).click();
  return page.getByRole('menuitem', { name: item });
};
/** Whether something can be seen inside of what scrolls around it. */
const inSight = (page: Page, selector: string, of: string) => page.evaluate(([inner, outer]) => {
  const [one, view] = [document.querySelector(inner!)?.getBoundingClientRect(), document.querySelector(outer!)!.getBoundingClientRect()];
  return Boolean(one && one.top >= view.top - 1 && one.bottom <= view.bottom + 1);
}, [selector, of]);

describe('steps', () => {
  let failed = '';
  beforeAll(async () => {
    failed = await server.launch('t/all', { site: 'a1' });
    await server.reaches(failed, 'rolled_back');
  });

  it('show branches, children, attempts, and what was taken back', async () => {
    const page = await shown(failed);
    await facts(page).getByText('Undone').waitFor();
    await facts(page).getByText('site: a1').waitFor();
    await page.getByRole('button', { name: 'Jump to the failure' }).click();
    await chosen(page).getByText('sh ended with code 4').waitFor();
    // Branches, and branches in them; folded with a key and with the mouse.
    await row(page, '2/b1/0/b1/0').waitFor();
    expect(await steps(page).getByText('branch 2', { exact: true }).count()).toBe(2);
    await row(page, '2').click();
    await steps(page).focus();
    await page.keyboard.press('ArrowLeft');
    await row(page, '2/b0/0').waitFor({ state: 'detached' });
    await row(page, '2').getByRole('button', { name: 'Show branches' }).click();
    await row(page, '2/b0/0').waitFor();
    // The child run's steps stand where it was waited for.
    await row(page, '4').click();
    await steps(page).focus();
    await page.keyboard.press('ArrowRight');
    await steps(page).locator('.child').getByText('uuid').waitFor();
    await page.keyboard.press('ArrowLeft');
    await steps(page).locator('.child').getByText('uuid').waitFor({ state: 'detached' });
    // Attempts, with why each failed.
    await row(page, '1').getByText('×3').waitFor();
    await row(page, '1').click();
    await chosen(page).getByText('3 attempts').waitFor();
    await until('each with its error, and the step’s', async () => (await chosen(page).getByText('Connection refused').count()) === 4);
    // The undo is a part of its own, from the last to the first, with the steps of each.
    await steps(page).press('End');
    await row(page, '5/u1/0').waitFor();
    const undone = await steps(page).locator('.line').allInnerTexts();
    const at = (text: string) => undone.findIndex((line) => line.includes(text));
    expect(at('Undo, from the last')).toBeGreaterThan(at('exec::run'));
    expect(at('say goodbye')).toBe(at('Undo, from the last') + 1);
    expect(at('file::restore')).toBeGreaterThan(at('say goodbye'));
    await page.getByRole('link', { name: 'Undo 2' }).click();
    const list = page.getByRole('listitem').filter({ hasText: 'of step' });
    await list.first().waitFor();
    expect(await list.allInnerTexts()).toEqual([expect.stringContaining('say goodbye'), expect.stringContaining('file::restore')]);
    await page.getByRole('searchbox', { name: 'Find a step' }).fill('uuid');
    await until('two', async () => (await steps(page).locator('[data-step]').count()) === 2);
    await picture(page, 'run-undone');
  });

  it('have the log’s colours, levels and facts beside them', async () => {
    const page = await shown(failed);
    const line = (number: number) => page.locator(`[data-line="${number}"]`);
    expect(await line(1).locator('.text').innerText()).toBe('green, red and plain');
    expect(await line(1).locator('.text .bold.fg-2').innerText()).toBe('green');
    const colour = (element: Element) => getComputedStyle(element).color;
    expect(await line(1).locator('.fg-1').evaluate(colour)).not.toBe(await line(1).locator('.fg-2').evaluate(colour));
    await line(2).getByText('{"free":"3 %"}').waitFor();
    await page.getByLabel('Level').selectOption('warn');
    await line(1).waitFor({ state: 'detached' });
    await until('three', async () => (await page.locator('[data-line]').count()) === 3);
    await page.getByLabel('Level').selectOption('debug');
    await line(8).locator('.number').click();
    expect(new URL(page.url()).hash).toBe('#L8');
    await page.getByRole('region', { name: 'The whole line' }).waitFor();
    await page.getByRole('button', { name: 't/all:14' }).click();
    await page.getByRole('region', { name: /^Source of t\/all/ }).locator('.focus').waitFor();
    await accessible(page);
  });

  it('are laid beside the plan', async () => {
    const page = await shown(failed, '?part=plan');
    await page.getByRole('button', { name: 'Rehearse with this input' }).click();
    const table = page.getByRole('table', { name: 'Plan beside reality' });
    await table.getByRole('row').filter({ hasText: 'file::write' }).getByText('Succeeded').waitFor();
    await table.locator('.differs').filter({ hasText: 'exec::run' }).getByText('Failed').waitFor();
    await picture(page, 'run-plan');
    await table.getByRole('button', { name: '5', exact: true }).click();
    await chosen(page).getByText('file::write').waitFor();
  });

  it('move together with the time line and the log', async () => {
    const run = await server.launch('t/long');
    await server.reaches(run, 'succeeded');
    const page = await shown(run);
    await row(page, '0').waitFor();
    // A step is chosen: the log goes to what it wrote, the time line has its moment.
    await page.getByRole('searchbox', { name: 'Find a step' }).fill(' 200');
    await row(page, '200').click();
    await page.locator('[data-line="401"].of-step').waitFor();
    await until('the line in sight', () => inSight(page, '[data-line="401"]', '[aria-label="Log"]'));
    await row(page, '200').locator('.moment').waitFor();
    await page.getByRole('searchbox', { name: 'Find a step' }).fill('');
    await until('the step in sight', () => inSight(page, '[data-step="200"]', '[aria-label="Steps and their times"]'));
    // A line is chosen: its step is, too.
    await log(page).evaluate((view) => (view.scrollTop = 0));
    await page.locator('[data-line="20"]').click();
    await page.locator('[data-step="9"].selected').waitFor();
    expect(new URL(page.url()).search + new URL(page.url()).hash).toBe('?step=9#L20');
    // Nothing is chosen, and the log is scrolled: the list of steps follows.
    await page.getByRole('button', { name: 'Close the step' }).click();
    await log(page).evaluate((view) => (view.scrollTop = 20 * 400));
    await page.locator('[data-step="200"].here').waitFor();
    await until('the step in sight', () => inSight(page, '[data-step="200"]', '[aria-label="Steps and their times"]'));
    // The address alone leads there, for whoever gets it.
    await page.goto(`/runs/${run}?step=9#L20`);
    await page.locator('[data-line="20"].chosen').waitFor();
    await page.locator('[data-step="9"].selected').waitFor();
  });
});

describe('while it goes', () => {
  it('the log’s end is followed until somebody scrolls up', async () => {
    const run = await server.launch('t/ticks');
    const page = await shown(run);
    const follow = page.getByRole('button', { name: 'Follow' });
    const pressed = () => follow.getAttribute('aria-pressed');
    const atEnd = () => log(page).evaluate((view) => view.scrollHeight - view.scrollTop - view.clientHeight < 40);
    await until('more lines than fit', () => log(page).evaluate((view) => view.scrollHeight > view.clientHeight + 200));
    expect([await pressed(), await atEnd()]).toEqual(['true', true]);
    await page.getByRole('progressbar', { name: 'Progress, as the script says' }).waitFor();
    await log(page).hover();
    await page.mouse.wheel(0, -120);
    await until('to be let go', async () => (await pressed()) === 'false');
    const [top, lines] = await log(page).evaluate((view) => [view.scrollTop, view.scrollHeight]);
    await until('more lines', () => log(page).evaluate((view, before) => view.scrollHeight > before + 100, lines!));
    expect(await log(page).evaluate((view) => view.scrollTop)).toBe(top);
    await follow.click();
    await until('the end', atEnd);
    const before = await log(page).evaluate((view) => view.scrollHeight);
    await until('more lines', () => log(page).evaluate((view, lines) => view.scrollHeight > lines + 100, before));
    expect(await atEnd()).toBe(true);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Why').fill('seen enough');
    await dialog.getByRole('button', { name: 'Cancel the run' }).click();
    await facts(page).getByText('Cancelled').waitFor();
    await page.getByRole('link', { name: 'Input and output' }).click();
    await page.getByText('Cancelled by admin: seen enough', { exact: true }).waitFor();
  });

  it('the server isn’t asked again for each thing that happens', async () => {
    const run = await server.launch('t/flaps');
    const page = await shown(run, '?part=undo');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const count = async () => Number(/([\d,]+) steps/.exec(await page.locator('.foot[role=status]').innerText())?.[1] ?? 0);
    await until('some steps', async () => (await count()) > 10);
    const [from, began] = [await count(), Date.now()];
    asked.length = 0;
    await until('many steps', async () => (await count()) > from + 60);
    const seconds = (Date.now() - began) / 1_000;
    expect(asked.filter((path) => path.startsWith('/api/')).length, asked.join('\n')).toBeLessThan(10 + 2 * seconds);
    await server.api('POST', `/runs/${run}/cancel`, {});
  });

  it('the script shows where it is, and a signal sends it on', async () => {
    const run = await server.launch('t/waits');
    await server.reaches(run, 'waiting');
    const page = await shown(run, '?part=script');
    await facts(page).getByText('for a signal').waitFor();
    const script = page.getByRole('region', { name: /^Source of t\/waits/ });
    expect(await script.locator('.now').innerText()).toContain('wait_signal');
    await picture(page, 'run-waits');
    await (await more(page, /Send a signal/)).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('go');
    await dialog.getByLabel(/Payload/).fill('{to: 1');
    await dialog.getByRole('button', { name: 'Send the signal' }).click();
    await dialog.getByText('This isn’t JSON').waitFor();
    await accessible(page, 'signal');
    await dialog.getByLabel(/Payload/).fill('{"to": "the end"}');
    await dialog.getByRole('button', { name: 'Send the signal' }).click();
    await facts(page).getByText('Succeeded').waitFor();
    await script.locator('.now').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: /^Log/ }).click();
    await page.locator('[data-line]').getByText('after the end').waitFor();
  });

  it('what it asks is filled in, and looked at before it goes out', async () => {
    const run = await server.launch('t/form');
    await server.reaches(run, 'waiting');
    const page = await shown(run);
    const card = page.getByRole('region', { name: 'Approval' });
    await card.getByLabel('Window').fill('no');
    await card.getByRole('button', { name: 'Approve', exact: true }).click();
    await card.getByText(/at least 3|3 characters/).first().waitFor();
    expect((await server.api<{ state: string }>('GET', `/runs/${run}`)).state).toBe('waiting');
    await card.getByLabel('Window').fill('Sunday');
    await card.getByRole('button', { name: 'Approve', exact: true }).click();
    await facts(page).getByText('Succeeded').waitFor();
    await page.getByRole('link', { name: 'Input and output' }).click();
    await page.locator('main').getByText('Sunday').first().waitFor();
  });

  it('says what it has made', async () => {
    const lab = `ui${process.pid}`;
    const run = await server.launch('t/lab', { lab });
    const state = await until('it to wait', async () => {
      const { state } = await server.api<{ state: string }>('GET', `/runs/${run}`);
      return ['waiting', 'failed', 'rolled_back', 'rollback_stuck'].includes(state) && state;
    });
    if (state !== 'waiting' && !process.env.CI) return console.warn('skipped: namespaces can’t be made here');
    const page = await shown(run, '?part=made');
    const made = page.locator('main').getByRole('listitem').filter({ hasText: 'net namespace' });
    await made.getByText('There').waitFor();
    await made.getByRole('button', { name: /^Shell in a/ }).click();
    await page.getByRole('dialog').getByText(/^ip netns exec nve[0-9a-z]+-a sh$/).waitFor();
    await page.keyboard.press('Escape');
    await made.getByRole('button', { name: 'of step 0' }).click();
    await chosen(page).getByText('net::create_namespace').waitFor();
    await server.api('POST', `/runs/${run}/signal`, { name: 'go', id: 'one' });
    await facts(page).getByText('Succeeded').waitFor();
    await made.getByText('Gone').waitFor();
    await accessible(page, 'what a run made');
  });
});

describe('what can be done with it', () => {
  let run = '';
  beforeAll(async () => {
    run = await server.launch('t/all', { site: 'b2', fails: false });
    await server.reaches(run, 'succeeded');
  });

  it('is copied as a command, and downloaded as JSON and as text', async () => {
    const page = await shown(run);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await (await more(page, /Copy as a command/)).click();
    await page.getByText('The command is in the clipboard.').waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    expect(command).toMatch(/^windlass run t\/all /);
    expect(command).toContain('b2');
    const download = async (item: RegExp) => {
      const [file] = await Promise.all([page.waitForEvent('download'), (await more(page, item)).click()]);
      return readFileSync(await file.path(), 'utf8');
    };
    const everything = JSON.parse(await download(/everything as JSON/)) as Record<string, unknown>;
    expect(JSON.stringify(everything)).toContain(run);
    expect(JSON.stringify(everything)).toContain('first branch');
    expect(await download(/log as text/)).toContain('second branch');
    await page.getByRole('link', { name: 'Input and output' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'report.txt' }).click()]);
    expect(readFileSync(await file.path(), 'utf8')).toBe('all is well');
  });

  it('is launched again, from the form or at once', async () => {
    const page = await shown(run);
    await page.getByRole('link', { name: 'Run again' }).click();
    await page.waitForURL(/\/launch\/t\/all\?from=/);
    await until('the form', async () => (await page.getByLabel('site').inputValue()) === 'b2');
    await page.goBack();
    await page.locator('.bench').waitFor();
    await (await more(page, /Launch at once/)).click();
    await page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.endsWith(run));
    const again = new URL(page.url()).pathname.slice('/runs/'.length);
    await server.reaches(again, 'succeeded');
    expect((await server.api<{ input: unknown }>('GET', `/runs/${again}`)).input).toEqual({ site: 'b2', size: 2, fails: false });
    await facts(page).getByText('Succeeded').waitFor();
    await facts(page).getByText(/usually/).waitFor();
  });

  it('is compared with another run: input, script, output, steps', async () => {
    const source = WORKFLOWS['t/all'].replace('"hello"', '"hello again"');
    expect(source).not.toBe(WORKFLOWS['t/all']);
    await server.save('t/all', source, 'greets twice');
    const other = await server.launch('t/all', { site: 'c3', fails: false });
    await server.reaches(other, 'succeeded');
    const page = await shown(other);
    await (await more(page, /Compare with another run/)).click();
    await page.getByRole('heading', { name: 'What differs between two runs' }).waitFor();
    // Which one is offered: the last one before that succeeded.
    await until('a run to compare with', () => new URL(page.url()).searchParams.has('with'));
    await page.getByLabel('Compare with').selectOption(run);
    const part = (name: string) => page.getByRole('region', { name: new RegExp(`^What differs in ${name}`) });
    await part('input').locator('.line.added').getByText('"b2"').waitFor();
    await part('input').locator('.line.removed').getByText('"c3"').waitFor();
    await part('output').locator('.line.added').getByText('"b2"').waitFor();
    await part('t/all').locator('.line.added').getByText('"hello"').waitFor();
    await part('t/all').locator('.line.removed').getByText('"hello again"').waitFor();
    await page.getByRole('region', { name: 'Steps that differ' }).getByText('file::write').first().waitFor();
    await picture(page, 'run-difference', { full: true });
    await page.goBack();
    await until('the choice before', () => new URL(page.url()).searchParams.get('with') !== run);
    await page.setViewportSize({ width: 390, height: 844 });
    await fitsWidth(page);
  });

  it('would go another way with another script: that is said, and not done', async () => {
    const failing = await server.launch('t/all', { site: 'd4', fails: true });
    await server.reaches(failing, 'rolled_back');
    const source = `const WORKFLOW = #{ name: "t/other", title: "Fails", rollback: "none", permissions: ["exec.run:*"] };
fn run(input) { random(); exec::run(["sh", "-c", "exit 3"]); }
`;
    await server.save('t/other', source, 'first');
    const stopped = await server.launch('t/other');
    await server.reaches(stopped, 'failed');
    await server.save('t/other', source.replace('random()', 'uuid()'), 'second');
    const page = await shown(stopped);
    await page.getByRole('button', { name: 'Restart from here' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('The current script', { exact: true }).click();
    await dialog.getByText('Would go another way').waitFor();
    await dialog.getByText('Recorded, at step 0').waitFor();
    expect(await dialog.getByRole('button', { name: 'Restart the run' }).isDisabled()).toBe(true);
    await picture(page, 'restart-diverges');
  });

  it('is only looked at by who may not do more', async () => {
    const word = 'a long enough word';
    await server.api('POST', '/users', { name: 'vera', password: word, bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const asks = await server.launch('t/form');
    await server.reaches(asks, 'waiting');
    const page = await shown(asks, '', { name: 'vera', password: word });
    await page.getByRole('region', { name: 'Approval' }).getByText('You may look, but not decide here.').waitFor();
    for (const name of ['Cancel', 'Restart from here']) expect(await page.getByRole('button', { name, exact: true }).count(), name).toBe(0);
    expect(await page.getByRole('link', { name: 'Run again' }).count()).toBe(0);
    await page.getByRole('button', { name: 'More to do with this run' }).click();
    const items = await page.getByRole('menuitem').allInnerTexts();
    expect(items).toContain('Download everything as JSON');
    expect(items.filter((item) => /signal|Cancel|Launch/.test(item))).toEqual([]);
    // A run that isn't there says so, and where to go.
    await page.goto('/runs/01aaaaaaaaaaaaaaaaaaaaaaaa');
    await page.getByText('The run can’t be shown').waitFor();
    await accessible(page, 'no such run');
  });

  it('fits a narrow screen', async () => {
    const page = await shown(run, '', { width: 390, height: 844 });
    await row(page, '0').waitFor();
    await fitsWidth(page);
    await picture(page, 'run-narrow', { full: true });
    await row(page, '1').click();
    await chosen(page).getByText('3 attempts').waitFor();
    await page.locator('[data-line="5"]').click();
    await page.getByRole('region', { name: 'The whole line' }).waitFor();
    await fitsWidth(page);
    await picture(page, 'run-narrow-chosen', { full: true });
    for (const part of ['Script', 'Input and output', 'Created', 'Undo', 'Plan']) {
      await page.getByRole('link', { name: new RegExp(`^${part}`) }).click();
      await fitsWidth(page);
      await accessible(page, `${part}, narrow`);
    }
  });
});
