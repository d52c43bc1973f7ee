// The editor: a mistake is shown while one types, fixed, compared, saved and runs well; drafts stay; two people are told.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { fitsWidth, open, picture, Server, until } from './harness';

const GREET = `//! Greets.
import "lib/words" as words;

const WORKFLOW = #{
    name: "t/greet",
    title: "Greets somebody",
    inputs: #{ type: "object", additionalProperties: false, properties: #{ who: #{ type: "string", title: "Whom", "default": "world" } } },
    permissions: [],
};

fn run(input) {
    let said = words::greeting(input.who);
    log(said);
    fail("not friendly enough");
}
`;
const WORDS = '//! Words.\n\n/// What one says to somebody.\nfn greeting(who) {\n    "hello " + who\n}\n';
const SCENARIOS = 'fn test_it_greets() {\n    let report = scenario("t/greet", #{ who: "Ada" }).run();\n    assert_eq(report.state, "succeeded");\n}\n';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/greet': GREET, 'lib/words': WORDS, 't/greet.test': SCENARIOS, 't/other': GREET.replaceAll('t/greet', 't/other') } });
});

const code = (page: Page, name = 't/greet') => page.getByRole('textbox', { name: `Script of ${name}` });
const text = async (page: Page) => (await code(page).innerText()).replaceAll('\u00a0', ' ');
/** Puts the cursor behind a piece of text, with the editor's own search. */
async function behind(page: Page, piece: string) {
  await code(page).click();
  await page.keyboard.press('Control+f');
  await page.keyboard.insertText(piece);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await page.keyboard.press('ArrowRight');
}
async function looks(page: Page, name: string) {
  await picture(page, name);
  await page.setViewportSize({ width: 390, height: 844 });
  await fitsWidth(page);
  await picture(page, `${name}-390`, { full: true });
  await page.setViewportSize({ width: 1280, height: 800 });
}

describe('the editor', () => {
  it('fixes a workflow that fails', async () => {
    const run = await server.launch('t/greet');
    await server.reaches(run, 'failed', 'rolled_back').catch(() => {});
    const page = await open(server, '/workflows/t/greet');
    await page.getByRole('heading', { name: 'Greets somebody', level: 1 }).waitFor();
    await looks(page, 'workflow');
    await page.getByRole('link', { name: 'Edit', exact: true }).click();
    await page.getByText('No mistake found').last().waitFor();
    await looks(page, 'editor');
    // A mistake, shown while one types, with the place and what is near.
    await behind(page, 'log(said);');
    await page.keyboard.insertText(' lgo(said);');
    await page.getByRole('button', { name: 'there is no function `lgo`' }).waitFor();
    await page.getByText('t/greet:13:16').waitFor();
    await page.locator('.cm-lintRange-error').waitFor();
    await looks(page, 'editor-mistake');
    await page.keyboard.press('Escape');
    for (let index = 0; index < 11; index += 1) await page.keyboard.press('Backspace');
    await page.getByText('No mistake found').last().waitFor();
    // Completion from the module, and a call's parameters.
    await page.keyboard.press('Enter');
    await page.keyboard.type('words::gre', { delay: 30 });
    await page.locator('.cm-tooltip-autocomplete').getByText('greeting').waitFor();
    await picture(page, 'editor-completion');
    await page.keyboard.press('Enter');
    await page.locator('.rh-card .rh-now').getByText('who').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.insertText('input.who');
    await page.keyboard.press('End');
    await page.keyboard.insertText(';');
    // Hover tells, F12 leads there.
    await page.locator('.cm-line', { hasText: 'let said' }).getByText('greeting').hover();
    await page.locator('.rh-hover').getByText('What one says to somebody.').waitFor();
    await picture(page, 'editor-hover');
    // The draft is rehearsed and tested before anybody saves it.
    await page.getByRole('tab', { name: 'Scenarios' }).click();
    await page.getByRole('button', { name: 'Run the scenarios on the draft' }).click();
    await page.getByText('1 of 1 failed').waitFor();
    await looks(page, 'editor-scenarios');
    await behind(page, 'fail("not friendly enough");');
    for (let index = 0; index < 'fail("not friendly enough");'.length; index += 1) await page.keyboard.press('Backspace');
    await page.getByRole('button', { name: 'Run the scenarios on the draft' }).click();
    await page.getByText('All 1 scenario passed').waitFor();
    await page.getByRole('tab', { name: 'Try' }).click();
    await page.getByLabel('Whom').fill('Ada');
    await page.getByRole('button', { name: 'Rehearse the draft' }).click();
    await page.getByText('Would succeed').waitFor();
    await looks(page, 'editor-try');
    // Looked at, saved, in use.
    await code(page).click();
    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog', { name: 'Save t/greet' });
    await dialog.locator('.cm-mergeView').waitFor();
    await picture(page, 'editor-save');
    await dialog.getByLabel('Why').fill('friendly enough');
    await dialog.getByRole('button', { name: 'Save and activate' }).click();
    await page.getByText('version 2 is in use').waitFor();
    const again = await server.launch('t/greet');
    await server.reaches(again, 'succeeded');
    // The history tells it, and leads back.
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByText('friendly enough').first().waitFor();
    await page.getByRole('button', { name: 'Restore…' }).click();
    await page.getByRole('button', { name: 'Restore it' }).click();
    await page.getByText('is saved again, and in use').waitFor();
    await until('the old source', async () => (await text(page)).includes('not friendly enough'));
  });

  it('keeps a draft over a reload, until it is discarded', async () => {
    const page = await open(server, '/edit/t/other');
    await page.getByText('No mistake found').last().waitFor();
    await behind(page, 'log(said);');
    await page.keyboard.insertText(' // mine');
    await page.reload();
    await page.getByText('This is your draft from').waitFor();
    expect(await text(page)).toContain('// mine');
    await looks(page, 'editor-draft');
    await page.getByRole('button', { name: 'Discard it…' }).click();
    await page.getByRole('button', { name: 'Discard the draft' }).click();
    await until('the saved source', async () => !(await text(page)).includes('// mine'));
    await page.reload();
    await page.getByText('No mistake found').last().waitFor();
    expect(await page.getByText('This is your draft').count()).toBe(0);
  });

  it('tells two people of one another, and loses nobody’s work', async () => {
    await server.api('POST', '/users', { name: 'bob', password: 'a long enough word', bindings: [{ role: 'admin', organisation: '*' }] });
    const [ada, bob] = [await open(server, '/edit/t/other'), await open(server, '/edit/t/other', { name: 'bob', password: 'a long enough word' })];
    await bob.getByText('has this script open, too').waitFor();
    await ada.getByText('bob', { exact: true }).waitFor({ timeout: 20_000 });
    await behind(ada, 'log(said);');
    await ada.keyboard.insertText(' // ada');
    await behind(bob, 'log(said);');
    await bob.keyboard.insertText(' // bob');
    await bob.keyboard.press('Control+s');
    await bob.getByRole('button', { name: 'Save and activate' }).click();
    await bob.getByText('is in use.').waitFor();
    await ada.getByText('Somebody else has just saved this script').waitFor();
    await ada.keyboard.press('Control+s');
    await ada.getByRole('button', { name: 'Save and activate' }).click();
    const conflict = ada.getByRole('dialog', { name: 'Somebody else saved this script meanwhile' });
    await conflict.locator('.cm-mergeView').waitFor();
    await picture(ada, 'editor-conflict');
    await conflict.getByRole('button', { name: 'Take theirs, drop mine' }).click();
    await until('bob’s source', async () => (await text(ada)).includes('// bob'));
    expect(await text(ada)).not.toContain('// ada');
  });

  it('begins a new workflow from a template, and goes to a module', async () => {
    const page = await open(server, '/workflows');
    await looks(page, 'workflows');
    await page.getByRole('link', { name: 'New workflow' }).click();
    await page.getByLabel('Name', { exact: true }).fill('t/mine');
    await page.getByLabel('Title').fill('My own');
    await looks(page, 'editor-new');
    await page.getByRole('button', { name: 'Go on in the editor' }).click();
    await page.getByText('New, not saved yet').waitFor();
    await page.getByText('No mistake found').last().waitFor();
    await page.getByRole('button', { name: 'Save…' }).click();
    await page.getByRole('button', { name: 'Save and activate' }).click();
    await page.getByText('version 1 is in use').waitFor();
    await server.reaches(await server.launch('t/mine'), 'succeeded');
    await page.goto('/edit/t/other');
    await behind(page, 'words::greet');
    await page.keyboard.press('F12');
    await page.getByRole('heading', { name: 'lib/words', level: 1 }).waitFor();
    await page.getByText('Module: saved, it changes every workflow').waitFor();
  });
});
