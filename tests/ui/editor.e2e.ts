// The editor: mistakes while one types, help from the definitions, the draft tried and tested, saved, brought back; drafts that
// stay; two people at the same script; scenarios; new ones; readers; the keyboard alone.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { fitsWidth, open, picture, Server, until } from './harness';

const script = (name: string, body: string, inputs = 'who: #{ type: "string", title: "Whom", "default": "world" }') => `//! Greets.
import "lib/words" as words;

const WORKFLOW = #{
    name: "${name}",
    title: "Greets somebody",
    inputs: #{ type: "object", additionalProperties: false, properties: #{ ${inputs} } },
    permissions: ["kv.read:*"],
};

fn run(input) {
    let said = words::greeting(input.who);
    log(said);
${body}
}
`;
const FAILS = '    fail("not friendly enough");';
const WORDS = '//! Words.\n\n/// What one says to somebody.\nfn greeting(who) {\n    "hello " + who\n}\n';
const SCENARIOS = 'fn test_it_greets() {\n    let report = scenario("t/greet", #{ who: "Ada" }).run();\n    assert_eq(report.state, "succeeded");\n}\n';
const WORD = 'a long enough word';

let server: Server;
beforeAll(async () => {
  const names = ['draft', 'shared', 'late', 'removed', 'keys', 'tested', 'read', 'gone'];
  server = await Server.start({
    settings: '[policy]\n"t/*" = ["kv.*:*"]\n',
    workflows: {
      't/greet': script('t/greet', FAILS), 't/greet.test': SCENARIOS, 'lib/words': WORDS,
      't/waits': script('t/waits', '    wait_signal("go");'),
      ...Object.fromEntries(names.map((name) => [`t/${name}`, script(`t/${name}`, '    #{ said: said }')])),
    },
  });
  await server.api('POST', '/users', { name: 'bob', password: WORD, bindings: [{ role: 'admin', organisation: '*' }] });
  await server.api('POST', '/users', { name: 'vera', password: WORD, bindings: [{ role: 'viewer', organisation: 'platform' }] });
});

const code = (page: Page, name = 't/greet') => page.getByRole('textbox', { name: `Script of ${name}`, exact: true });
const text = async (page: Page, name = 't/greet') => (await code(page, name).innerText()).replaceAll('\u00a0', ' ');
const sound = (page: Page) => page.getByText('No mistake found').last().waitFor();
const sourceOf = async (name: string) => (await server.api<{ source: string; source_digest: string }>('GET', `/workflows/${name}/file`)).source;
/** Saves through the API, as somebody else would. */
async function savedByOther(name: string, change: (source: string) => string) {
  const now = await server.api<{ source: string; source_digest: string }>('GET', `/workflows/${name}/file`);
  await server.api('PUT', `/workflows/${name}`, { source: change(now.source), message: 'by somebody else', expected: now.source_digest });
}
/** Puts the cursor behind a piece of text, with the editor's own search. */
async function behind(page: Page, name: string, piece: string) {
  await code(page, name).click();
  await page.keyboard.press('Control+f');
  const field = page.locator('.cm-search [name=search]');
  // The panel takes over what is in the field when a key is let go.
  await field.fill(piece);
  await field.press('End');
  await field.press('Enter');
  await page.keyboard.press('Escape');
  await page.keyboard.press('ArrowRight');
}
const rubOut = async (page: Page, count: number) => {
  for (let index = 0; index < count; index += 1) await page.keyboard.press('Backspace');
};
async function looks(page: Page, name: string) {
  await picture(page, name);
  await page.setViewportSize({ width: 390, height: 844 });
  await fitsWidth(page);
  await picture(page, `${name}-390`, { full: true });
  await page.setViewportSize({ width: 1280, height: 800 });
}

describe('while one types', () => {
  it('mistakes are shown where they are, and gone when they are fixed', async () => {
    const page = await open(server, '/edit/t/greet');
    await sound(page);
    await looks(page, 'editor');
    await behind(page, 't/greet', 'log(said);');
    await page.keyboard.insertText(' lgo(said);');
    await page.getByRole('button', { name: 'there is no function `lgo`' }).waitFor();
    await page.getByText('t/greet:13:16').waitFor();
    await page.locator('.cm-lintRange-error', { hasText: 'lgo' }).waitFor();
    await page.keyboard.press('Escape');
    await looks(page, 'editor-mistake');
    // A press on it leads there; what was meant is one press away.
    await page.getByRole('button', { name: 'there is no function `lgo`' }).click();
    await page.locator('.cm-lintRange-error').hover();
    await page.getByRole('button', { name: 'Change to log' }).click();
    await sound(page);
    expect(await text(page)).toContain('log(said); log(said);');
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
    await looks(page, 'editor-outline');
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
    await looks(page, 'editor-scenarios');
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
    await looks(page, 'editor-try');
    expect(await sourceOf('t/greet'), 'nothing is saved yet').toContain('not friendly enough');
    await code(page).click();
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
    await until('the old source', async () => (await text(page)).includes('not friendly enough'));
    expect(await sourceOf('t/greet')).toContain('not friendly enough');
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

  it('stays over a reload, until it is discarded', async () => {
    const page = await open(server, '/edit/t/draft');
    await sound(page);
    await behind(page, 't/draft', 'log(said);');
    await page.keyboard.insertText(' // mine');
    await page.reload();
    await page.getByText('This is your draft from').waitFor();
    expect(await text(page, 't/draft')).toContain('// mine');
    await looks(page, 'editor-draft');
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

describe('two people', () => {
  it('are told of one another; a save that comes late is refused, and both changes go together', async () => {
    const [ada, bob] = [await open(server, '/edit/t/shared'), await open(server, '/edit/t/shared', { name: 'bob', password: WORD })];
    await bob.getByText('admin has this script open').waitFor();
    await ada.getByText('bob has this script open').waitFor({ timeout: 20_000 });
    await looks(ada, 'editor-others');
    // Different places, and the same one.
    await behind(ada, 't/shared', 'title: "Greets somebody');
    await ada.keyboard.insertText(' warmly');
    await behind(ada, 't/shared', 'log(said);');
    await ada.keyboard.insertText(' // ada');
    await bob.getByText('with changes that aren’t saved').waitFor({ timeout: 20_000 });
    await behind(bob, 't/shared', 'log(said);');
    await bob.keyboard.insertText(' // bob');
    await behind(bob, 't/shared', '//! Greets');
    await bob.keyboard.insertText(' people');
    await bob.keyboard.press('Control+s');
    await bob.getByRole('button', { name: 'Save and activate' }).click();
    await bob.getByText('is in use.').waitFor();
    await ada.getByText('Somebody else has just saved this script').waitFor();
    await ada.keyboard.press('Control+s');
    const conflict = ada.getByRole('dialog', { name: 'Somebody else saved this script meanwhile' });
    await conflict.getByText('Both changed 1 place').waitFor();
    await conflict.getByRole('region', { name: 'Theirs' }).getByText('// bob').waitFor();
    await conflict.getByRole('region', { name: 'Yours' }).getByText('// ada').waitFor();
    await looks(ada, 'editor-conflict');
    for (const [view, piece] of [['What they changed', 'Greets people'], ['What you changed', 'Greets somebody warmly']] as const) {
      await conflict.getByText(view).click();
      await conflict.locator('.cm-content', { hasText: piece }).first().waitFor();
    }
    expect(await conflict.getByRole('button', { name: 'Go on with both' }).count(), 'nothing goes on before somebody has chosen').toBe(0);
    await conflict.getByText('To choose').click();
    await conflict.getByText('Theirs, then yours').click();
    await conflict.getByText('Both together').click();
    await conflict.locator('.cm-content', { hasText: '// ada' }).first().waitFor();
    await picture(ada, 'editor-conflict-both');
    await conflict.getByRole('button', { name: 'Go on with both' }).click();
    await until('both in the draft', async () => {
      const now = await text(ada, 't/shared');
      return ['// ada', '// bob', 'warmly', 'people'].every((piece) => now.includes(piece));
    });
    await ada.keyboard.press('Control+s');
    await ada.getByRole('button', { name: 'Save and activate' }).click();
    await ada.getByText('is in use.').waitFor();
    const saved = await sourceOf('t/shared');
    for (const piece of ['// ada', '// bob', 'Greets somebody warmly', 'Greets people']) expect(saved).toContain(piece);
    // Bob has changed nothing since: what is there comes by itself.
    await until('ada’s change at bob’s', async () => (await text(bob, 't/shared')).includes('// ada'));
  });

  it('a save is refused by the server, too, when nobody has heard of the other’s', async () => {
    const page = await open(server, '/edit/t/late');
    await sound(page);
    await behind(page, 't/late', 'log(said);');
    await page.keyboard.insertText(' // mine');
    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog', { name: 'Save t/late' });
    await dialog.getByLabel('Why').fill('mine');
    await savedByOther('t/late', (source) => source.replace('//! Greets.', '//! Greets all.'));
    await dialog.getByRole('button', { name: 'Save and activate' }).click();
    const conflict = page.getByRole('dialog', { name: 'Somebody else saved this script meanwhile' });
    await conflict.getByText('go together by themselves').waitFor();
    expect(await sourceOf('t/late')).not.toContain('// mine');
    await conflict.getByRole('button', { name: 'Go on with both' }).click();
    await until('both', async () => (await text(page, 't/late')).includes('//! Greets all.'));
    // A draft of what is older now isn't saved over it, either.
    await savedByOther('t/late', (source) => source.replace('Greets all.', 'Greets nobody.'));
    await page.getByText('Somebody else has just saved this script').waitFor();
    await page.reload();
    await page.getByText('Somebody has saved another version since').waitFor();
    expect(await text(page, 't/late')).toContain('// mine');
    await code(page, 't/late').click();
    await page.keyboard.press('Control+s');
    await conflict.getByRole('button', { name: 'Take theirs' }).click();
    await until('theirs', async () => (await text(page, 't/late')).includes('Greets nobody.'));
    expect(await text(page, 't/late')).not.toContain('// mine');
    // Even that can be taken back.
    await code(page, 't/late').click();
    await page.keyboard.press('Control+z');
    await until('mine again', async () => (await text(page, 't/late')).includes('// mine'));
  });
});

describe('scenarios', () => {
  it('are begun, tried, refused with mistakes, saved, and kept from being lost', async () => {
    const page = await open(server, '/edit/t/tested?part=scenarios');
    await page.getByRole('button', { name: 'Write the first one' }).click();
    const editor = page.getByRole('textbox', { name: 'Scenarios of t/tested' });
    await editor.getByText('test_it_succeeds').waitFor();
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
    await looks(page, 'editor-scenarios-edit');
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

describe('around the editor', () => {
  it('a new workflow begins from a template', async () => {
    const page = await open(server, '/workflows');
    await looks(page, 'workflows');
    await page.getByLabel('Find by name or title').fill('t/gre');
    await until('one row', async () => (await page.getByRole('row').count()) === 2);
    await page.getByRole('link', { name: 'New workflow' }).click();
    await page.getByRole('button', { name: 'Go on in the editor' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('t/mine');
    await page.getByLabel('Title').fill('My own');
    await looks(page, 'editor-new');
    await page.getByRole('button', { name: 'Go on in the editor' }).click();
    await page.getByText('New, not saved yet').waitFor();
    await sound(page);
    await page.getByRole('button', { name: 'Save…' }).click();
    await page.getByRole('button', { name: 'Save and activate' }).click();
    await page.getByText('version 1 is in use').waitFor();
    await server.reaches(await server.launch('t/mine'), 'succeeded');
  });

  it('a workflow’s page tells what it is, what it may do, and leads on', async () => {
    await server.reaches(await server.launch('t/read'), 'succeeded');
    const page = await open(server, '/workflows/t/read');
    await page.getByRole('heading', { name: 'Greets somebody', level: 1 }).waitFor();
    const { grants } = await server.api<{ grants: { words: string }[] }>('GET', '/workflows/t/read');
    await page.getByText(grants[0]!.words.slice(1)).waitFor();
    await page.getByRole('table', { name: 'Last runs' }).getByText('Succeeded').waitFor();
    await page.getByRole('link', { name: 'lib/words' }).waitFor();
    await page.getByText('let said = words::greeting(input.who);').waitFor();
    await page.getByText('In use').first().waitFor();
    await looks(page, 'workflow');
    await page.getByRole('link', { name: 'Launch', exact: true }).click();
    await page.waitForURL('**/launch/t/read');
  });

  it('a workflow is removed, and brought back from its history', async () => {
    const page = await open(server, '/workflows/t/gone');
    await page.getByRole('button', { name: 'More about this workflow' }).click();
    await page.getByRole('menuitem', { name: 'Remove it…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove t/gone?' });
    await dialog.getByRole('textbox').fill('t/gone');
    await dialog.getByRole('button', { name: 'Remove the workflow' }).click();
    await page.waitForURL('**/workflows');
    await page.getByRole('link', { name: 'lib/words' }).waitFor();
    await until('it to be gone', async () => !(await page.getByRole('table').innerText()).includes('t/gone'));
    await page.goto('/workflows/t/gone');
    await page.getByText('its versions are still here').waitFor();
    await looks(page, 'workflow-removed');
    await page.getByRole('button', { name: 'Restore…' }).click();
    await page.getByRole('button', { name: 'Restore it' }).click();
    await page.getByRole('heading', { name: 'Greets somebody', level: 1 }).waitFor();
    await server.reaches(await server.launch('t/gone'), 'succeeded');
  });

  it('who may only read can look, and change nothing', async () => {
    const page = await open(server, '/edit/t/read', { name: 'vera', password: WORD });
    await sound(page);
    await page.getByText('You may read it').waitFor();
    await code(page, 't/read').click();
    await page.keyboard.type('x');
    await page.keyboard.press('Control+s');
    expect(await text(page, 't/read')).not.toContain('x//!');
    expect(await page.getByRole('button', { name: 'Save…' }).count()).toBe(0);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await looks(page, 'editor-reader');
  });

  it('the keyboard is enough', async () => {
    const page = await open(server, '/edit/t/keys');
    await sound(page);
    // Tab by Tab into the text.
    await until('the focus in the text', async () => {
      await page.keyboard.press('Tab');
      return page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.classList.contains('cm-content'));
    });
    await page.keyboard.press('Control+End');
    // Tab indents; Escape, then Tab leaves.
    await page.keyboard.press('Tab');
    expect(await text(page, 't/keys')).toMatch(/\n {4}$|\n {4}\n?$/);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
    const there = () => page.evaluate(() => document.activeElement?.shadowRoot ? 'editor' : (document.activeElement?.getAttribute('role') ?? document.activeElement?.tagName ?? ''));
    expect(await there()).toBe('tab');
    await page.keyboard.press('ArrowRight');
    await page.getByLabel('Whom').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type(' Ada');
    await page.keyboard.press('Enter');
    await page.getByText('Would succeed').waitFor();
    await page.keyboard.press('Control+s');
    const dialog = page.getByRole('dialog', { name: 'Save t/keys' });
    await dialog.getByLabel('Why').waitFor();
    await page.keyboard.type('by keys');
    await page.keyboard.press('Enter');
    await page.getByText('version 2 is in use').waitFor();
  });
});
