// A run's page in a real browser: failure, jump, restart; a server that is killed; 100,000 lines; keys only.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsWidth, looks, open, picture, Server, until } from './harness';

const WORKFLOWS = {
  't/breaks': `const WORKFLOW = #{ name: "t/breaks", title: "Fails on purpose", rollback: "none", permissions: ["exec.run:*"] };
fn run(input) {
    log("\\u001b[32mgreen\\u001b[0m and plain");
    let all = parallel_map(["a", "b"], |item| { log(\`branch \${item}\`); random() });
    exec::run(["sh", "-c", "exit 3"]);
    log("second part");
    "done"
}
`,
  't/typo': `const WORKFLOW = #{ name: "t/typo", title: "Has a typing mistake", rollback: "none" };
fn run(input) {
    random();
    uuid();
    if "exmaple.net" != "example.net" { fail("the zone isn’t served"); }
    random();
    "done"
}
`,
  't/slow': `const WORKFLOW = #{ name: "t/slow", title: "Logs slowly" };
fn run(input) { for n in 0..600 { log(\`tick \${n}\`); sleep("100ms"); } "done" }
`,
  't/big': `const WORKFLOW = #{ name: "t/big", title: "Many lines" };
fn run(input) {
    for n in 0..5000 { random(); }
    for n in 0..100000 { log(\`line \${n} of many\`); }
    "done"
}
`,
  't/asks': `const WORKFLOW = #{ name: "t/asks", title: "Asks somebody" };
fn run(input) {
    let answer = approve(#{ title: "Go on with the change?", details: #{ hosts: 3 }, expires: "7d", allow_self: true });
    ensure(answer.approved, "denied");
    answer.comment
}
`,
  't/stuck': `const WORKFLOW = #{ name: "t/stuck", title: "Can't be undone" };
fn run(input) { on_rollback("takes nothing back", || { throw "no way back" }); random(); throw "it broke" }
`,
  't/round': `const WORKFLOW = #{ name: "t/round", title: "Is undone for ever", permissions: ["exec.run:*"] };
fn run(input) { on_rollback("goes round", || { exec::run(["sleep", "600"], #{ timeout: "30m" }) }); random(); throw "it broke" }
`,
  't/doubt': `const WORKFLOW = #{ name: "t/doubt", title: "Is killed in the middle", permissions: ["exec.run:*"] };
fn run(input) { exec::run(["sleep", "60"]); "done" }
`,
};
const SETTINGS = '[policy]\n"t/*" = ["exec.run:*", "kv.*:*"]\n[hosts.exec]\nprograms = ["sh", "sleep"]\n';
const launch = (name: string) => server.launch(name);

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS, settings: SETTINGS });
});
/** All rows of a long list, by scrolling over them. */
async function everyRow(page: Page, list: string, row: string, inRow: string): Promise<[string, string, string][]> {
  const found = new Map<string, [string, string, string]>();
  const view = page.getByRole('region', { name: list, exact: true });
  const height = await view.evaluate((view) => view.scrollHeight);
  for (let top = 0; top < height; top += 200) {
    await view.evaluate((view, top) => new Promise((done) => {
      view.scrollTop = top;
      requestAnimationFrame(() => requestAnimationFrame(done));
    }), top);
    const rows = await page.locator(`[${row}]`).evaluateAll((all, [row, inRow]) => all.map((one) => [one.getAttribute(row!)!, one.querySelector(inRow!)!.textContent!.trim(), one.className] as [string, string, string]), [row, inRow]);
    for (const one of rows) found.set(one[0], one);
  }
  return [...found.values()].sort(([a], [b]) => Number(a) - Number(b));
}
const loaded = (page: Page) => page.locator('.bench').waitFor();

describe('a run', () => {
  it('that failed is jumped into, compared, and restarted when what stood in its way is gone', async () => {
    const run = await launch('t/breaks');
    await server.reaches(run, 'failed');
    const page = await open(server, `/runs/${run}`);
    await loaded(page);
    await page.getByRole('region', { name: 'Why it failed' }).waitFor();
    await page.locator('main').press('f');
    await page.getByRole('region', { name: 'The chosen step' }).getByText('exec::run').waitFor();
    expect(new URL(page.url()).searchParams.get('step')).toBe('1');
    await page.getByRole('link', { name: 'Script', exact: true }).click();
    const script = page.getByRole('region', { name: /^Source of/ });
    expect(await script.locator('.line.failed').innerText()).toContain('exit 3');
    await picture(page, 'run-failed');
    // The script is repaired; both versions are looked at before one is chosen.
    const repaired = WORKFLOWS['t/breaks'].replace('exit 3', 'exit 0');
    expect(repaired).not.toBe(WORKFLOWS['t/breaks']);
    await server.save('t/breaks', repaired, 'repaired');
    await page.getByRole('button', { name: 'Restart from here' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Compatible').waitFor();
    await dialog.getByText('The current script', { exact: true }).click();
    await dialog.locator('.line.added').getByText('exit 0').waitFor();
    await dialog.getByText('Compatible').waitFor();
    await accessible(page, 'restart');
    await dialog.getByRole('button', { name: 'Restart the run' }).click();
    await page.locator('.facts').getByText('Succeeded').waitFor();
    await page.getByRole('link', { name: /^Log/ }).click();
    await page.locator('[data-line]').getByText('second part').waitFor();
    // Both attempts are there.
    await page.locator('.attempts').getByText('×2').waitFor();
  });

  it('that failed is repaired in the editor and goes on from the failed step, with keys alone', async () => {
    const run = await launch('t/typo');
    await server.reaches(run, 'failed');
    const page = await open(server, `/runs/${run}`);
    const press = async (role: 'link' | 'button', name: string | RegExp, within = page.locator('main')) => {
      await within.getByRole(role, { name, exact: true }).focus();
      await page.keyboard.press('Enter');
    };
    const card = page.getByRole('region', { name: 'Why it failed' });
    await card.getByText('the zone isn’t served').waitFor();
    await press('link', 'Edit the script', card);
    // The cursor is where it failed.
    await page.waitForURL(/\/edit\/t\/typo\?line=5/);
    await until('the line', async () => (await page.locator('.cm-activeLine').innerText()).includes('exmaple.net'));
    const code = page.getByRole('textbox', { name: 'Script of t/typo', exact: true });
    await code.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Shift+Home');
    await page.keyboard.insertText('    if "example.net" != "example.net" { fail("the zone isn’t served"); }');
    await page.getByText('No mistake found').last().waitFor();
    await page.keyboard.press('Control+s');
    const saving = page.getByRole('dialog', { name: 'Save t/typo' });
    await saving.getByLabel('Why').focus();
    await page.keyboard.type('a typo');
    await press('button', 'Save and activate', saving);
    await page.getByText('version 2 is in use').waitFor();
    await page.keyboard.press('Escape');
    await page.goto(`/runs/${run}`);
    await loaded(page);
    await press('button', 'Restart from here');
    const dialog = page.getByRole('dialog', { name: 'Restart from the failed step' });
    // As it was launched with it would only fail again.
    await dialog.getByText('Would fail').waitFor();
    await dialog.getByRole('radio', { name: 'As it was launched with' }).focus();
    await page.keyboard.press('ArrowRight');
    await dialog.locator('.line.added').getByText('if "example.net"').waitFor();
    await dialog.getByText('2 steps are answered from the record').waitFor();
    await press('button', 'Restart the run', dialog);
    await page.locator('.facts').getByText('Succeeded').waitFor();
    await card.waitFor({ state: 'detached' });
    // What had been done before wasn't done again.
    const before = page.locator('[data-step="0"]');
    await before.waitFor();
    expect(await before.getByText('×2').count()).toBe(0);
  });

  it('goes on in the page after the server was killed, and says how many events were caught up', async () => {
    const run = await launch('t/slow');
    const page = await open(server, `/runs/${run}`);
    await page.locator('[data-line]').getByText('tick 3', { exact: true }).waitFor();
    await server.kill();
    await page.getByText('the connection broke').waitFor();
    await server.run();
    await page.getByText(/Reconnected: \d+ events? caught up/).waitFor({ timeout: 30_000 });
    // It goes on, live.
    const last = async () => Number(await page.locator('[data-line]').last().getAttribute('data-line'));
    const before = await last();
    await until('more lines', async () => (await last()) > before + 5);
    await server.api('POST', `/runs/${run}/cancel`, { reason: 'seen enough' });
    await page.locator('.facts').getByText('Cancelled').waitFor();
    // Not a line is missing or there twice.
    const there = await server.api<{ lines: { line: number; message: string }[] }>('GET', `/runs/${run}/logs?lines=5000`);
    await page.getByRole('link', { name: `Log ${there.lines.length}`, exact: true }).waitFor();
    const lines = await everyRow(page, 'Log', 'data-line', '.text');
    expect(lines.map(([number, text]) => [Number(number), text])).toEqual(there.lines.map((one) => [one.line, one.message]));
    expect(new Set(there.lines.map((one) => one.message)).size).toBe(there.lines.length);
    // Nor any of the steps, or what became of one.
    const { items } = await server.api<{ items: { path: string; state: string }[] }>('GET', `/runs/${run}/steps?limit=500`);
    const rows = await everyRow(page, 'Steps and their times', 'data-step', '.path');
    const done = rows.filter(([, , looks]) => looks.includes('succeeded'));
    expect(done.map(([path]) => path)).toEqual(items.filter((one) => one.state === 'succeeded').map((one) => one.path));
    // The wait that was cancelled is no part of the record.
    expect(rows.length - done.length).toBeLessThanOrEqual(1);
    expect(items.length).toBeGreaterThan(8);
  });

  it('of 100,000 lines and 5,000 steps scrolls, is searched on the server, and each line has an address', async () => {
    const run = await launch('t/big');
    await until('100,000 lines', async () => (await server.api<{ state: string }>('GET', `/runs/${run}`)).state === 'succeeded', 80);
    const page = await open(server, `/runs/${run}#L77777`);
    await page.getByRole('link', { name: /^Log 100,000/ }).waitFor({ timeout: 60_000 });
    await page.locator('[data-line="77777"].chosen').waitFor();
    expect(await page.locator('[data-line]').count()).toBeLessThan(200);
    await page.getByText('5,000 steps').waitFor();
    await page.getByRole('searchbox', { name: 'Search all lines' }).fill('line 9999');
    await page.getByText(/of 11 lines/).waitFor();
    await page.getByRole('button', { name: 'Next line' }).click();
    await page.locator('mark').first().waitFor();
    // The end, and back to the beginning, without a picture that takes long.
    const log = page.getByRole('region', { name: 'Log', exact: true });
    await log.evaluate((view) => (view.scrollTop = view.scrollHeight));
    await page.locator('[data-line="100000"]').waitFor();
    await log.evaluate((view) => (view.scrollTop = 0));
    await page.locator('[data-line="1"]').waitFor();
    // A step chosen far below: the list goes there.
    await page.getByRole('region', { name: 'Steps and their times' }).press('End');
    await page.locator('[data-step="4999"].selected').waitFor();
    await accessible(page, 'run of 100,000 lines');
  }, 180_000);

  it('that asks is answered on its page', async () => {
    const run = await launch('t/asks');
    await server.reaches(run, 'waiting');
    const page = await open(server, `/runs/${run}`, { width: 390, height: 844 });
    await page.getByRole('heading', { name: 'Go on with the change?' }).waitFor();
    await fitsWidth(page);
    await picture(page, 'run-asks-narrow');
    await page.getByLabel('Comment').fill('looks good');
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    expect((await server.reaches(run, 'succeeded')).output).toBe('looks good');
    await page.locator('.facts').getByText('Succeeded').waitFor();
  });

  it('with a step in doubt is settled on its page', async () => {
    const run = await launch('t/doubt');
    await until('the step to begin', async () => (await server.api<{ items: unknown[] }>('GET', `/runs/${run}/steps`)).items.length > 0);
    await server.kill();
    await server.run();
    await server.reaches(run, 'waiting');
    const page = await open(server, `/runs/${run}`);
    await page.getByRole('region', { name: 'Step in doubt' }).waitFor();
    await picture(page, 'run-in-doubt');
    await page.getByText('It happened', { exact: true }).click();
    await page.getByLabel('Its result, as JSON').fill('{"code": 0}');
    await page.getByRole('button', { name: 'Settle it' }).click();
    await server.reaches(run, 'succeeded');
    await page.locator('.facts').getByText('Succeeded').waitFor();
  });

  it('whose undo is stuck says so, and goes on when the entry is skipped', async () => {
    const run = await launch('t/stuck');
    await server.reaches(run, 'rollback_stuck');
    const page = await open(server, `/runs/${run}?part=undo`);
    await page.getByRole('region', { name: 'Stuck undo' }).getByText('no way back').waitFor();
    await picture(page, 'run-undo-stuck');
    await page.getByRole('region', { name: 'Stuck undo' }).getByRole('button', { name: 'Skip it' }).click();
    const dialog = page.getByRole('dialog', { name: 'Skip this part of the undo?' });
    await dialog.getByText('this can’t be taken back').waitFor();
    expect((await server.api<{ state: string }>('GET', `/runs/${run}`)).state).toBe('rollback_stuck');
    await dialog.getByRole('button', { name: 'Skip it' }).click();
    await server.reaches(run, 'rolled_back');
    await page.locator('.facts').getByText('Undone').waitFor();
  });

  it('whose undo comes to no end is stopped by who may, and is stuck there', async () => {
    const run = await launch('t/round');
    await server.reaches(run, 'rolling_back');
    await server.api('POST', '/users', { name: 'vera', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const vera = await open(server, `/runs/${run}?part=undo`, { name: 'vera', password: 'a long enough word' });
    const page = await open(server, `/runs/${run}?part=undo`);
    for (const one of [vera, page]) await one.getByRole('region', { name: 'What it did' }).getByText('goes round').waitFor();
    await page.locator('.facts').getByText('Undoing').waitFor();
    // Who only looks isn't asked; and there is nothing to cancel any more.
    expect(await vera.getByRole('button', { name: 'Stop the undo' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    await looks(page, 'run-undoing', { full: false });
    await page.getByRole('button', { name: 'Stop the undo' }).click();
    const dialog = page.getByRole('dialog', { name: 'Stop the undo of this run?' });
    await dialog.getByText('may have happened').waitFor();
    await looks(page, 'run-undo-stop', { full: false });
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    expect((await server.api<{ state: string }>('GET', `/runs/${run}`)).state).toBe('rolling_back');
    await page.getByRole('button', { name: 'More to do with this run' }).click();
    await page.getByRole('menuitem', { name: 'Stop the undo…' }).click();
    await dialog.getByLabel('Why').fill('it goes round');
    await dialog.getByRole('button', { name: 'Stop the undo' }).click();
    await server.reaches(run, 'rollback_stuck');
    // Both are told what it is stuck at, who stopped it, and why.
    for (const one of [vera, page]) {
      const stuck = one.getByRole('region', { name: 'Stuck undo' });
      await stuck.getByRole('heading', { name: 'The undo is stuck: goes round' }).waitFor();
      await stuck.getByText('admin stopped the undo: it goes round').waitFor();
    }
    const entry = page.getByRole('region', { name: 'What it did' }).getByRole('listitem').filter({ hasText: 'goes round' });
    await entry.getByText('Failed').waitFor();
    await entry.getByText('admin stopped the undo').waitFor();
    await page.locator('[data-step="0/u1/0"]').getByText('Cut off').waitFor({ state: 'attached' });
    expect(await page.getByText('Running').count()).toBe(0);
    await picture(page, 'run-undo-stopped');
    expect(await page.getByRole('button', { name: 'Stop the undo' }).count()).toBe(0);
    const noted = await server.api<{ items: { after: unknown }[] }>('GET', `/audit?action=run.stick&target=${run}`);
    expect(noted.items.map((one) => one.after)).toEqual([{ reason: 'it goes round' }]);
    await page.getByRole('region', { name: 'Stuck undo' }).getByRole('button', { name: 'Skip it' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Skip it' }).click();
    await server.reaches(run, 'rolled_back');
  });

  it('is read with the keyboard alone', async () => {
    const run = await launch('t/breaks');
    await server.reaches(run, 'succeeded', 'failed');
    const page = await open(server, '/runs');
    await page.keyboard.press('/');
    await page.keyboard.type('t/breaks');
    await page.waitForURL(/text=/);
    const row = page.getByRole('row').filter({ hasText: run.slice(-8) }).getByRole('link');
    await row.focus();
    await page.keyboard.press('Enter');
    await loaded(page);
    await page.locator('[data-step="0"]').waitFor();
    await page.getByRole('region', { name: 'Steps and their times' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-step="0"].selected').waitFor();
    await page.keyboard.press('j');
    await page.locator('[data-step="0/b0/0"].selected').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('green');
    await page.keyboard.press('Enter');
    await page.getByText('1 of 1 line').waitFor();
    expect(new URL(page.url()).hash).toBe('#L1');
    // From line to line.
    await page.getByRole('region', { name: 'Log', exact: true }).focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-line="2"].chosen').waitFor();
  });
});
