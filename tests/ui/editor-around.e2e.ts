// Around the editor: two people at the same script, the list and the page of workflows, new ones, broken ones, removed ones, readers,
// and the keyboard alone.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { behind, code, fileOf, greeting, POLICY, savedByOther, script, sound, text, WORD } from './editing';
import { looks, open, picture, Server, until } from './harness';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ settings: POLICY, workflows: greeting('t/shared', 't/late', 't/keys', 't/read', 't/gone') });
  await server.api('POST', '/users', { name: 'bob', password: WORD, bindings: [{ role: 'admin', organisation: '*' }] });
  await server.api('POST', '/users', { name: 'vera', password: WORD, bindings: [{ role: 'viewer', organisation: 'platform' }] });
});

describe('two people', () => {
  it('are told of one another; a save that comes late is refused, and both changes go together', async () => {
    const [ada, bob] = [await open(server, '/edit/t/shared'), await open(server, '/edit/t/shared', { name: 'bob', password: WORD })];
    await bob.getByText('admin has this script open').waitFor();
    await ada.getByText('bob has this script open').waitFor({ timeout: 20_000 });
    await looks(ada, 'editor-others', { full: false });
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
    await looks(ada, 'editor-conflict', { full: false });
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
    const saved = (await fileOf(server, 't/shared')).source;
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
    await savedByOther(server, 't/late', (source) => source.replace('//! Greets.', '//! Greets all.'));
    await dialog.getByRole('button', { name: 'Save and activate' }).click();
    const conflict = page.getByRole('dialog', { name: 'Somebody else saved this script meanwhile' });
    await conflict.getByText('go together by themselves').waitFor();
    expect((await fileOf(server, 't/late')).source).not.toContain('// mine');
    await conflict.getByRole('button', { name: 'Go on with both' }).click();
    await until('both', async () => (await text(page, 't/late')).includes('//! Greets all.'));
    // A draft of what is older now isn't saved over it, either.
    await savedByOther(server, 't/late', (source) => source.replace('Greets all.', 'Greets nobody.'));
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

describe('around the editor', () => {
  it('a new workflow begins from a template', async () => {
    const page = await open(server, '/workflows');
    await looks(page, 'workflows', { full: false });
    await page.getByLabel('Find by name or title').fill('t/key');
    await until('one row', async () => (await page.getByRole('row').count()) === 2);
    await page.getByRole('link', { name: 'New workflow' }).click();
    await page.getByRole('button', { name: 'Go on in the editor' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('t/mine');
    await page.getByLabel('Title').fill('My own');
    await looks(page, 'editor-new', { full: false });
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
    await looks(page, 'workflow', { full: false });
    await page.getByRole('link', { name: 'Launch', exact: true }).click();
    await page.waitForURL('**/launch/t/read');
  });

  it('a file with mistakes is told of everywhere, and leads to its line', async () => {
    writeFileSync(join(server.folder, 'workflows/t/broken.rhai'), script('t/broken', '    lgo(said);'));
    const page = await open(server, '/workflows');
    await page.getByRole('row', { name: /t\/broken/ }).getByText('Has mistakes').waitFor();
    await page.getByRole('link', { name: 't/broken', exact: true }).click();
    await page.getByText('It can’t be launched as it is').waitFor();
    await picture(page, 'workflow-broken');
    await page.getByRole('link', { name: 'Open it in the editor' }).click();
    await page.getByRole('button', { name: 'there is no function `lgo`' }).waitFor();
    await until('the cursor at the line', async () => (await page.locator('.cm-activeLine').innerText()).includes('lgo'));
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
    await looks(page, 'workflow-removed', { full: false });
    await page.getByRole('button', { name: 'Restore…' }).click();
    await page.getByRole('button', { name: 'Restore it' }).click();
    await page.getByRole('heading', { name: 'Greets somebody', level: 1 }).waitFor();
    await server.reaches(await server.launch('t/gone'), 'succeeded');
  });

  it('who may only read can look, and change nothing', async () => {
    const page = await open(server, '/edit/t/read', { name: 'vera', password: WORD });
    await sound(page);
    await page.getByText('You may read it').waitFor();
    const before = await text(page, 't/read');
    await code(page, 't/read').click();
    await page.keyboard.type('x');
    await page.keyboard.press('Delete');
    await page.keyboard.press('Control+s');
    expect(await text(page, 't/read')).toBe(before);
    expect(await page.getByRole('button', { name: 'Save…' }).count()).toBe(0);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await looks(page, 'editor-reader', { full: false });
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
