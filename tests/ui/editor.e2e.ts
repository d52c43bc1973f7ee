// The editor: mistakes while one types, help from the definitions, the draft tried and tested, saved, brought back; drafts that
// stay; scenarios.
import { beforeAll, describe, expect, it } from 'vitest';
import { behind, code, fileOf, greeting, POLICY, rubOut, script, sound, text, WORD } from './editing';
import { looks, open, picture, Server, until } from './harness';

const FAILS = '    fail("not friendly enough");';
const SCENARIOS = 'fn test_it_greets() {\n    let report = scenario("t/greet", #{ who: "Ada" }).run();\n    assert_eq(report.state, "succeeded");\n}\n';

let server: Server;
beforeAll(async () => {
  server = await Server.start({
    settings: POLICY,
    workflows: {
      ...greeting('t/draft', 't/removed', 't/tested', 't/wider'),
      't/greet': script('t/greet', FAILS), 't/greet.test': SCENARIOS, 't/waits': script('t/waits', '    wait_signal("go");'),
    },
  });
  await server.api('POST', '/users', { name: 'olga', password: WORD, bindings: [{ role: 'operator', organisation: 'platform' }] });
});

describe('while one types', () => {
  it('mistakes are shown where they are, and gone when they are fixed', async () => {
    const page = await open(server, '/edit/t/greet');
    await sound(page);
    await looks(page, 'editor', { full: false });
    await behind(page, 't/greet', 'log(said);');
    await page.keyboard.insertText(' lgo(said);');
    await page.getByRole('button', { name: 'there is no function `lgo`' }).waitFor();
    await page.getByText('t/greet:13:16').waitFor();
    await page.locator('.cm-lintRange-error', { hasText: 'lgo' }).waitFor();
    await page.keyboard.press('Escape');
    await looks(page, 'editor-mistake', { full: false });
    // Saved, it would break launches: the server refuses, and the draft stays.
    await page.getByRole('button', { name: 'Save…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Save t/greet' });
    await dialog.getByText('There is a mistake in it').waitFor();
    await dialog.getByRole('button', { name: 'Save and activate' }).click();
    await dialog.getByText('t/greet.rhai:13:16').waitFor();
    await dialog.getByRole('button', { name: 'Not yet' }).click();
    expect((await fileOf(server, 't/greet')).source).not.toContain('lgo');
    // A press on it leads there; what was meant is one press away.
    await page.getByRole('button', { name: 'there is no function `lgo`' }).click();
    await page.locator('.cm-lintRange-error').hover();
    await page.getByRole('button', { name: 'Change to log' }).click();
    await sound(page);
    expect(await text(page, 't/greet')).toContain('log(said); log(said);');
  });

  it('completion, hover, parameters and places come from the definitions and from modules', async () => {
    const page = await open(server, '/edit/t/greet');
    await sound(page);
    await behind(page, 't/greet', 'log(said);');
    await page.keyboard.press('Enter');
    await page.keyboard.type('words::gre', { delay: 30 });
    const list = page.getByRole('listbox', { name: 'Completions' });
    await list.getByText('greeting').waitFor();
    await page.locator('.cm-completionInfo').getByText('What one says to somebody.').waitFor();
    await picture(page, 'editor-completion');
    await page.keyboard.press('Enter');
    await page.locator('.rh-card .rh-now').getByText('who').waitFor();
    await page.keyboard.type('input.w', { delay: 30 });
    // A key right after the list opens isn't taken for a choice; a press is.
    await list.getByText('who').click();
    await page.keyboard.press('End');
    await page.keyboard.type('; file::cop', { delay: 30 });
    await list.getByText('copy', { exact: true }).click();
    // The second argument is the one that is marked behind a comma.
    await page.keyboard.type('"a", ', { delay: 30 });
    await page.locator('.rh-card .rh-name').getByText('file::copy').waitFor();
    const told = await server.api<{ modules: { name: string; functions: { name: string; params: { name: string }[] }[] }[] }>('GET', '/definitions');
    const copy = told.modules.find((one) => one.name === 'file')!.functions.find((one) => one.name === 'copy')!;
    await page.locator('.rh-card .rh-now').getByText(copy.params[1]!.name, { exact: true }).waitFor();
    // Escape ends one thing after the other: a list that is about to open, the places to fill in, the card.
    await until('the card gone', async () => {
      await page.keyboard.press('Escape');
      return (await page.locator('.rh-card').count()) === 0;
    });
    await page.locator('.cm-line', { hasText: 'let said' }).getByText('greeting').hover();
    await page.locator('.rh-hover').getByText('What one says to somebody.').waitFor();
    await picture(page, 'editor-hover');
    await page.mouse.move(5, 5);
    // F12 goes to the function in the module.
    await behind(page, 't/greet', 'words::greet');
    await page.keyboard.press('F12');
    await page.getByRole('heading', { name: 'lib/words', level: 1 }).waitFor();
    await page.getByText('Module: saved, it changes every workflow').waitFor();
    await until('the cursor at the function', async () => (await page.locator('.cm-activeLine').innerText()).includes('fn greeting'));
    await page.goBack();
    await page.getByText('This is your draft').waitFor();
    await page.getByRole('tab', { name: 'Outline' }).click();
    await page.getByRole('button', { name: 'run(input)' }).click();
    await until('the cursor at run', async () => (await page.locator('.cm-activeLine').innerText()).includes('fn run(input)'));
    await looks(page, 'editor-outline', { full: false });
  });
});

describe('a draft', () => {
  it('is tried and tested before anybody saves it; saved, it is what launches take; its history leads back', async () => {
    const run = await server.launch('t/greet');
    await server.reaches(run, 'failed', 'rolled_back');
    const page = await open(server, '/workflows/t/greet');
    await page.getByRole('link', { name: 'Edit', exact: true }).click();
    await page.getByRole('tab', { name: 'Scenarios' }).click();
    await page.getByRole('button', { name: 'Run the scenarios', exact: true }).click();
    await page.getByText('1 of 1 failed').waitFor();
    await page.getByRole('button', { name: 'Show line 3 of the scenarios' }).waitFor();
    await looks(page, 'editor-scenarios', { full: false });
    await behind(page, 't/greet', FAILS.trim());
    await rubOut(page, FAILS.trim().length);
    await page.getByRole('button', { name: 'Run the scenarios on the draft' }).click();
    await page.getByText('The scenario passed').waitFor();
    // The form is the draft's, not that of the version in use.
    await page.getByRole('tab', { name: 'Try' }).click();
    await page.getByLabel('Whom').waitFor();
    await behind(page, 't/greet', '"default": "world" }');
    await page.keyboard.insertText(', how: #{ type: "string", title: "How warmly" }');
    await page.getByLabel('How warmly').fill('very');
    await page.getByLabel('Whom').fill('Ada');
    await page.getByRole('button', { name: 'Rehearse the draft' }).click();
    await page.getByText('Would succeed').waitFor();
    await looks(page, 'editor-try', { full: false });
    expect((await fileOf(server, 't/greet')).source, 'nothing is saved yet').toContain('not friendly enough');
    await code(page, 't/greet').click();
    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog', { name: 'Save t/greet' });
    await dialog.locator('.cm-deletedChunk, .cm-changedLine').first().waitFor();
    await picture(page, 'editor-save');
    await dialog.getByLabel('Why').fill('friendly enough');
    await dialog.getByRole('button', { name: 'Save and activate' }).click();
    await page.getByText('version 2 is in use').waitFor();
    await server.reaches(await server.launch('t/greet', { how: 'very' }), 'succeeded');
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByText('friendly enough').first().waitFor();
    await page.getByRole('button', { name: 'What differs between version 1 and the one in use' }).click();
    await page.getByRole('dialog', { name: 'Version 1 and the one in use' }).getByText('not friendly enough').waitFor();
    await picture(page, 'editor-history-difference');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Restore…' }).click();
    await page.getByRole('button', { name: 'Restore it' }).click();
    await page.getByText('is saved again, and in use').waitFor();
    await until('the old source', async () => (await text(page, 't/greet')).includes('not friendly enough'));
    expect((await fileOf(server, 't/greet')).source).toContain('not friendly enough');
  });

  it('that asks for more than what is in use says so, and tells what becomes of open runs', async () => {
    const run = await server.launch('t/waits');
    await server.reaches(run, 'waiting');
    const page = await open(server, '/edit/t/waits');
    await sound(page);
    await behind(page, 't/waits', '["kv.read:*"');
    await page.keyboard.insertText(', "kv.write:t"');
    await page.getByText('kv.write:t new').waitFor();
    await page.getByRole('button', { name: 'Save…' }).click();
    await page.getByRole('button', { name: 'Save and activate' }).click();
    const dialog = page.getByRole('dialog', { name: 'Saved' });
    await dialog.getByText('1 open run').waitFor();
    await dialog.getByText('Could go on with it').waitFor();
    await picture(page, 'editor-verdicts');
    await dialog.getByRole('button', { name: 'Take it over' }).click();
    await dialog.getByText('Taken over').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    // Back to what was before, with verdicts before it is done.
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByRole('button', { name: 'Activate…' }).click();
    const question = page.getByRole('dialog', { name: 'Activate version 1' });
    await question.getByText('Could go on with it').waitFor();
    await question.getByLabel('Why').fill('less is enough');
    await question.getByRole('button', { name: 'Activate it' }).click();
    await page.getByText('Version 1 of t/waits is in use').waitFor();
    await page.getByText('Version 1 is in use, and it isn’t what the file holds').waitFor();
    await page.getByRole('button', { name: 'See what differs' }).click();
    await page.getByRole('dialog', { name: 'What differs from what is in use' }).getByText('"kv.write:t"').waitFor();
    await page.keyboard.press('Escape');
    expect((await server.api<{ version: number }>('GET', '/workflows/t/waits')).version).toBe(1);
    await server.api('POST', `/runs/${run}/cancel`, {}).catch(() => {});
  });

  it('of somebody who may not widen waits for an admin, who puts it in use', async () => {
    const page = await open(server, '/edit/t/wider', { name: 'olga', password: WORD });
    await sound(page);
    await behind(page, 't/wider', '["kv.read:*"');
    await page.keyboard.insertText(', "kv.write:t"');
    await page.getByText('kv.write:t new').waitFor();
    await page.keyboard.press('Control+s');
    await page.getByRole('dialog', { name: 'Save t/wider' }).getByLabel('Why').fill('it has to write');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Saved' });
    await dialog.getByText('Waits for an admin').first().waitFor();
    await picture(page, 'editor-waits');
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    expect((await server.api<{ version: number }>('GET', '/workflows/t/wider')).version).toBe(1);
    const admin = await open(server, '/workflows/t/wider');
    await admin.getByText('A version waits for an admin').waitFor();
    await looks(admin, 'workflow-waits', { full: false });
    await admin.getByRole('button', { name: 'Activate…' }).click();
    const question = admin.getByRole('dialog', { name: 'Activate version 2' });
    await question.getByText('Asks for more').waitFor();
    await question.getByText('kv.write:t').waitFor();
    await question.getByRole('button', { name: 'Activate it' }).click();
    await admin.getByText('Version 2 of t/wider is in use').waitFor();
    expect((await server.api<{ version: number }>('GET', '/workflows/t/wider')).version).toBe(2);
  });

  it('stays over a reload, until it is discarded', async () => {
    const page = await open(server, '/edit/t/draft');
    await sound(page);
    await behind(page, 't/draft', 'log(said);');
    await page.keyboard.insertText(' // mine');
    await page.reload();
    await page.getByText('This is your draft from').waitFor();
    expect(await text(page, 't/draft')).toContain('// mine');
    await looks(page, 'editor-draft', { full: false });
    await page.getByRole('button', { name: 'See what differs' }).click();
    await page.getByRole('dialog', { name: 'What differs' }).getByText('// mine').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Discard it…' }).click();
    await page.getByRole('button', { name: 'Discard the draft' }).click();
    await until('the saved source', async () => !(await text(page, 't/draft')).includes('// mine'));
    await page.reload();
    await sound(page);
    expect(await page.getByText('This is your draft').count()).toBe(0);
  });

  it('keeps the last letter, too, when one goes to another page at once', async () => {
    const page = await open(server, '/edit/t/draft');
    await sound(page);
    await behind(page, 't/draft', 'log(said);');
    // The moment in which a draft is kept by itself never comes.
    await page.evaluate(() => {
      const real = window.setTimeout;
      window.setTimeout = ((work: () => void, ms?: number) => real(work, ms === 250 ? 1e9 : ms)) as typeof setTimeout;
    });
    await page.keyboard.insertText(' // at once');
    await page.getByRole('navigation').getByRole('link', { name: 'Runs', exact: true }).first().click();
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    await page.goBack();
    await page.getByText('This is your draft from').waitFor();
    expect(await text(page, 't/draft')).toContain('// at once');
    await page.getByRole('button', { name: 'Discard it…' }).click();
    await page.getByRole('button', { name: 'Discard the draft' }).click();
    await until('the saved source', async () => !(await text(page, 't/draft')).includes('// at once'));
  });

  it('of a script that was removed meanwhile is still there', async () => {
    const page = await open(server, '/edit/t/removed');
    await sound(page);
    await behind(page, 't/removed', 'log(said);');
    await page.keyboard.insertText(' // mine');
    const { source_digest } = await server.api<{ source_digest: string }>('GET', '/workflows/t/removed/file');
    await server.api('DELETE', `/workflows/t/removed?expected=${source_digest}`);
    await page.reload();
    await page.getByText('New, not saved yet').waitFor();
    expect(await text(page, 't/removed')).toContain('// mine');
  });
});

describe('scenarios', () => {
  it('are begun, tried, refused with mistakes, saved, and kept from being lost', async () => {
    const page = await open(server, '/edit/t/tested?part=scenarios');
    await page.getByRole('button', { name: 'Write the first one' }).click();
    const editor = page.getByRole('textbox', { name: 'Scenarios of t/tested' });
    await editor.getByText('test_it_succeeds').waitFor();
    await editor.getByText('assert_eq').hover();
    await page.locator('.rh-hover').getByText('Fails unless both are the same.').waitFor();
    await page.mouse.move(5, 5);
    await page.getByRole('button', { name: 'Run the scenarios on the draft' }).click();
    await page.getByText('The scenario passed').waitFor();
    await editor.click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.insertText('fn (');
    await page.getByRole('button', { name: 'Save the scenarios' }).click();
    await page.getByText('The scenarios aren’t saved').waitFor();
    await editor.click();
    await page.keyboard.press('Control+z');
    await page.reload();
    await page.getByRole('button', { name: 'Edit them' }).click();
    await editor.getByText('test_it_succeeds').waitFor();
    await editor.click();
    await page.keyboard.press('Control+s');
    await page.getByText('The scenarios are saved.').waitFor();
    const file = await server.api<{ scenarios: string; scenarios_digest: string }>('GET', '/workflows/t/tested/file');
    expect(file.scenarios).toContain('test_it_succeeds');
    await looks(page, 'editor-scenarios-edit', { full: false });
    // Somebody else's come first.
    await server.api('PUT', '/workflows/t/tested/scenarios', { scenarios: `${file.scenarios}\nfn test_theirs() {}\n`, expected: file.scenarios_digest });
    await editor.click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.insertText('// mine\n');
    await page.keyboard.press('Control+s');
    const conflict = page.getByRole('dialog', { name: 'Somebody else saved these scenarios meanwhile' });
    await conflict.getByRole('button', { name: 'Go on with both' }).click();
    await editor.getByText('test_theirs').waitFor();
    await editor.click();
    await page.keyboard.press('Control+s');
    await until('both', async () => {
      const { scenarios } = await server.api<{ scenarios: string }>('GET', '/workflows/t/tested/file');
      return scenarios.includes('// mine') && scenarios.includes('test_theirs');
    });
  });
});
