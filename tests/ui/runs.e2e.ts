// The list of runs: what waits first, filters in the address, live states, durations, views that are kept, many at once.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsWidth, open, picture, Server, until } from './harness';

const WORKFLOWS = {
  't/asks': `const WORKFLOW = #{ name: "t/asks", title: "Asks somebody" };
fn run(input) { approve(#{ title: "Go on with the change?", details: #{ hosts: 3 }, expires: "7d", allow_self: true }).comment }
`,
  't/quick': `const WORKFLOW = #{ name: "t/quick", title: "Is quick", tags: ["fast"] };
fn run(input) { if "ms" in input { sleep(input.ms); } if "fails" in input { throw "as asked" } "done" }
`,
  'u/other': `const WORKFLOW = #{ name: "u/other", title: "Somewhere else", rollback: "none" };
fn run(input) { throw "never works" }
`,
  'u/stuck': `const WORKFLOW = #{ name: "u/stuck", title: "Can't be undone" };
fn run(input) { on_rollback("takes nothing back", || { throw "no way back" }); random(); throw "it broke" }
`,
};

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS });
  for (const [at, input] of [{ zone: 'a.example', ms: 20 }, { zone: 'b.example' }, { fails: true }, { ms: 4_000 }].entries()) {
    await server.reaches(await server.launch('t/quick', input), at === 2 ? 'rolled_back' : 'succeeded');
  }
  await server.reaches(await server.launch('u/other'), 'failed');
});
const rows = (page: Page) => page.getByRole('table', { name: 'Runs' }).locator('tbody tr');
const row = (page: Page, run: string) => rows(page).filter({ hasText: run.slice(-8) });
const query = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);
const decide = async (run: string, approved = true) => {
  const { approvals } = await server.api<{ approvals: { path: string; request: { digest: string } }[] }>('GET', `/runs/${run}`);
  await server.api('POST', `/runs/${run}/approvals/${approvals[0]!.path}/decision`, { approved, digest: approvals[0]!.request.digest });
};

describe('the list of runs', () => {
  it('keeps its filters in the address, which leads back and can be shared', async () => {
    const page = await open(server, '/runs');
    await until('all', async () => (await rows(page).count()) === 5);
    await page.getByLabel('Workflow').fill('t/*');
    await until('one folder', async () => (await rows(page).count()) === 4);
    expect(query(page)).toEqual({ workflow: 't/*' });
    await page.getByRole('button', { name: 'State', exact: true }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Succeeded' }).click();
    await until('three', async () => (await rows(page).count()) === 3);
    expect(query(page)).toEqual({ workflow: 't/*', state: 'succeeded' });
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.getByLabel('Input (name=value)').fill('zone=b.example');
    await until('one', async () => (await rows(page).count()) === 1);
    expect(query(page)).toEqual({ workflow: 't/*', state: 'succeeded', input: 'zone=b.example' });
    await page.getByRole('searchbox', { name: 'Text in runs' }).fill('nothing like that ');
    await page.getByText('No run fits').waitFor();
    await accessible(page, 'no run fits');
    // A space at the end of what is typed stays there.
    expect(await page.getByRole('searchbox', { name: 'Text in runs' }).inputValue()).toBe('nothing like that ');
    // Each was a place in the history.
    for (const count of [1, 3, 4, 5]) {
      await page.goBack();
      await until(`${count} again`, async () => (await rows(page).count()) === count);
    }
    expect([query(page), await page.getByLabel('Workflow').inputValue()]).toEqual([{}, '']);
    await page.goForward();
    expect(await page.getByLabel('Workflow').inputValue()).toBe('t/*');
    // Somebody else opens the same address; what is behind "more" is open if it says something.
    await page.goto('/runs?tag=fast&state=rolled_back&since=1h');
    await until('one', async () => (await rows(page).count()) === 1);
    expect(await page.getByLabel('Tag').inputValue()).toBe('fast');
    await page.getByRole('button', { name: 'Last hour' }).waitFor();
    await page.getByRole('button', { name: 'State: Undone' }).waitFor();
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await until('all', async () => (await rows(page).count()) === 5);
    await page.goto('/runs?since=whenever');
    await page.getByRole('alert').waitFor();
  });

  it('puts what waits first, and changes as runs do', async () => {
    const stuck = await server.launch('u/stuck');
    await server.reaches(stuck, 'rollback_stuck');
    const page = await open(server, '/runs');
    const waiting = page.getByRole('region', { name: /waits? for you/ });
    await waiting.getByRole('link', { name: 'u/stuck' }).waitFor();
    // Launched while the page is open.
    const asks = await server.launch('t/asks');
    await row(page, asks).getByText('Waiting').waitFor();
    await row(page, asks).getByText('for a decision').waitFor();
    await waiting.getByRole('link', { name: 'Go on with the change?' }).waitFor();
    expect(await waiting.getByRole('listitem').count()).toBe(2);
    // It is above the list.
    const top = async (element: ReturnType<Page['locator']>) => (await element.boundingBox())!.y;
    expect(await top(waiting)).toBeLessThan(await top(page.getByRole('table', { name: 'Runs' })));
    await picture(page, 'runs');
    await decide(asks);
    await row(page, asks).getByText('Succeeded').waitFor();
    await waiting.getByRole('link', { name: 'Go on with the change?' }).waitFor({ state: 'detached' });
    await waiting.getByRole('link', { name: 'u/stuck' }).click();
    await page.getByRole('region', { name: 'Stuck undo' }).waitFor();
    await server.api('POST', `/runs/${stuck}/unstick`, { action: 'skip' });
  });

  it('draws how long runs took', async () => {
    const page = await open(server, '/runs?workflow=t/quick');
    const plot = page.getByRole('img', { name: /^Durations of 4 runs in sight/ });
    await plot.waitFor();
    const points = await plot.locator('.point').evaluateAll((all) => all.map((one) => ({ title: one.querySelector('title')!.textContent, at: one.getBoundingClientRect() })));
    expect(points).toHaveLength(4);
    // The newest is the first, the longest, and stands rightmost and highest.
    expect(points[0]!.title).toMatch(/t\/quick, Succeeded, [\d.]+ m?s/);
    for (const other of points.slice(1)) {
      expect(points[0]!.at.x).toBeGreaterThan(other.at.x);
      expect(points[0]!.at.y).toBeLessThan(other.at.y);
    }
    // A run that was undone has another shape, not only another colour.
    expect(await plot.locator('.point.undo path').count()).toBe(1);
    await plot.locator('.point').first().click();
    await page.locator('.bench').waitFor();
    await page.getByRole('heading', { level: 1, name: /t\/quick/ }).waitFor();
  });

  it('keeps views, in this browser', async () => {
    const page = await open(server, '/runs?workflow=u/*&state=failed');
    const views = page.getByRole('navigation', { name: 'Views' });
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Keep this view' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('Broken elsewhere');
    await accessible(page, 'keep a view');
    await page.getByRole('dialog').getByRole('button', { name: 'Keep the view' }).click();
    await views.getByRole('link', { name: 'Broken elsewhere', exact: true }).waitFor();
    await views.getByRole('link', { name: 'All', exact: true }).click();
    await until('more', async () => (await rows(page).count()) > 3);
    await page.reload();
    await views.getByRole('link', { name: 'Broken elsewhere' }).click();
    await until('one', async () => (await rows(page).count()) === 1);
    expect(query(page)).toEqual({ workflow: 'u/*', state: 'failed' });
    expect(await views.locator('[aria-current=page]').innerText()).toBe('Broken elsewhere');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: /Forget/ }).click();
    await views.getByRole('link', { name: 'Broken elsewhere' }).waitFor({ state: 'detached' });
  });

  it('cancels all that fit at once, after showing which', async () => {
    const runs = [await server.launch('t/asks'), await server.launch('t/asks')];
    for (const run of runs) await server.reaches(run, 'waiting');
    const page = await open(server, '/runs?workflow=t/asks');
    await page.getByRole('button', { name: 'With all that fit' }).click();
    const dialog = page.getByRole('dialog');
    // Those that have ended aren't among them.
    await dialog.getByText('2 runs:').waitFor();
    for (const run of runs) await dialog.getByText(run.slice(-8)).waitFor();
    await picture(page, 'runs-bulk');
    // Nothing has happened yet.
    expect((await server.api<{ state: string }>('GET', `/runs/${runs[0]}`)).state).toBe('waiting');
    await dialog.getByLabel('Why').fill('maintenance');
    await dialog.getByRole('button', { name: 'Cancel 2 runs' }).click();
    await dialog.getByText('2 done, 0 not').waitFor();
    for (const run of runs) await row(page, run).getByText('Cancelled', { exact: true }).waitFor();
    await dialog.getByText('2 done, 0 not').waitFor();
    await dialog.locator('footer').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'With all that fit' }).click();
    await dialog.getByText('None of these runs is in a state for that').waitFor();
  });

  it('does something with chosen ones: those that can’t are left out', async () => {
    const failed = await server.launch('u/other');
    await server.reaches(failed, 'failed');
    const page = await open(server, '/runs');
    await row(page, failed).getByRole('checkbox').check();
    const done = rows(page).filter({ hasText: 't/quick' }).filter({ hasText: 'Succeeded' }).first();
    await done.getByRole('checkbox').check();
    await page.getByRole('button', { name: 'With 2 chosen' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('What').selectOption('restart');
    await dialog.getByText('1 run:').waitFor();
    await dialog.getByText('1 of them isn’t in a state for that and left out.').waitFor();
    await dialog.getByLabel('What').selectOption('retry');
    await dialog.getByText('2 runs:').waitFor();
    const before = await rows(page).count();
    await dialog.getByRole('button', { name: 'Launch again 2 runs' }).click();
    await dialog.getByText('2 done, 0 not').waitFor();
    // The list goes on behind the dialog, which still says what became of them.
    await until('two more', async () => (await rows(page).count()) === before + 2);
    expect(await dialog.getByText('launched again as').count()).toBe(2);
  });

  it('works with keys, and on a narrow screen', async () => {
    const page = await open(server, '/runs', { width: 390, height: 844 });
    await rows(page).first().waitFor();
    await fitsWidth(page);
    await picture(page, 'runs-narrow');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.locator('main h1').focus();
    await page.keyboard.press('/');
    await page.keyboard.type('u/other');
    await page.waitForURL(/text=u%2Fother/);
    await until('fewer', async () => (await rows(page).filter({ hasText: 't/quick' }).count()) === 0);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'State', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('F');
    await page.keyboard.press('Enter');
    await until('the state', () => query(page).state === 'failed');
    await rows(page).first().getByRole('link').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('.bench').waitFor();
  });
});
