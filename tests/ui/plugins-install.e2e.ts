// Plugins from the browser alone: installed from an archive and from a folder, written in the editor, updated, approved.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, looks, open, Server, until } from './harness';

let server: Server;
let beside: string;
const NAME = 'registrars/acme-names';
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/none': 'const WORKFLOW = #{ name: "t/none", title: "Nothing" };\nfn run(input) { 1 }\n' } });
  beside = mkdtempSync(join(tmpdir(), 'windlass-plugin-'));
  const { files } = await server.api<{ files: Record<string, string> }>('POST', '/plugins/starter', { name: NAME, author: 'Ann' });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(beside, 'acme-names', path)), { recursive: true });
    writeFileSync(join(beside, 'acme-names', path), text);
  }
  writeFileSync(join(beside, 'acme-names', 'README.md'), 'For people.');
});
const pack = (name: string, folder = 'acme-names') => {
  execFileSync('tar', ['czf', join(beside, name), '-C', beside, folder]);
  return join(beside, name);
};
const standing = async () => (await server.api<{ state: string }>('GET', `/plugins/${NAME}/approval`)).state;
const onDisk = () => join(server.folder, 'plugins', NAME);
async function choose(page: Page, label: string, path: string) {
  await page.getByLabel(label).setInputFiles(path);
}

describe('a plugin', () => {
  it('is installed from an archive, approved, changed on disk and refused, put back, updated with a difference, approved again', async () => {
    const page = await open(server, '/plugins');
    await page.getByRole('link', { name: 'Install one' }).click();
    await page.getByRole('heading', { level: 1, name: 'Install a plugin' }).waitFor();
    await looks(page, 'plugin-install-empty');
    await choose(page, 'Archive of the plugin', pack('one.tar.gz'));
    await page.getByText(NAME).waitFor();
    await page.getByText('1 other left out: acme-names/README.md').waitFor();
    const reach = page.getByRole('region', { name: 'May reach' });
    await reach.getByText('api.registrar.example').waitFor();
    await reach.getByText('may change things').waitFor();
    const kit = page.getByRole('region', { name: 'Conformance' });
    await kit.getByRole('button', { name: 'Run the conformance kit' }).click();
    await kit.getByText(/^Passes all \d+$/).waitFor();
    await page.getByRole('textbox', { name: /Source of/ }).waitFor();
    await looks(page, 'plugin-install');
    expect(() => readdirSync(onDisk())).toThrow();
    await page.getByRole('button', { name: 'Install it' }).click();
    await page.getByRole('heading', { name: 'Not approved', exact: true }).waitFor();
    expect(readdirSync(onDisk()).sort()).toEqual(['fixtures', 'main.rhai', 'plugin.toml']);
    await page.getByRole('button', { name: 'Approve…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await page.getByRole('heading', { name: 'Approved', exact: true }).waitFor();

    // Changed on disk: refused, told, and there are two ways out.
    const script = join(onDisk(), 'main.rhai');
    const approved = readFileSync(script, 'utf8');
    writeFileSync(script, `${approved}\n// Somebody was here.\n`);
    await until('the change', async () => (await standing()) === 'modified');
    await page.reload();
    await page.getByRole('heading', { name: 'Changed', exact: true }).waitFor();
    await page.getByText(/Its files aren’t those that were approved, and are refused/).waitFor();
    await page.getByRole('region', { name: 'Difference of its files' }).getByText('// Somebody was here.').waitFor();
    await page.getByRole('button', { name: 'Put back what was approved…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Put it back' }).click();
    await page.getByRole('heading', { name: 'Approved', exact: true }).waitFor();
    expect(readFileSync(script, 'utf8')).toBe(approved);

    // An update that may reach more says so before it is installed, and side by side.
    const folder = join(beside, 'acme-names');
    const manifest = readFileSync(join(folder, 'plugin.toml'), 'utf8');
    writeFileSync(join(folder, 'plugin.toml'), `${manifest}\n[[hosts]]\nhost = "elsewhere.example"\nmethods = ["GET"]\npaths = ["/*"]\n`);
    writeFileSync(join(folder, 'main.rhai'), `// The second one.\n${approved}`);
    await page.goto('/plugins/+install');
    await choose(page, 'Archive of the plugin', pack('two.tgz'));
    await page.getByText('update', { exact: true }).waitFor();
    await page.getByText('May reach more').waitFor();
    await page.getByText('http:GET https://elsewhere.example/*').waitFor();
    const difference = page.getByRole('region', { name: 'Difference of its files' });
    await difference.getByText('// The second one.').waitFor();
    await difference.getByRole('tab', { name: 'plugin.toml' }).click();
    await difference.getByText('"elsewhere.example"').waitFor();
    await looks(page, 'plugin-update');
    await page.getByRole('button', { name: 'Install the update' }).click();
    await page.getByRole('heading', { name: 'Changed', exact: true }).waitFor();
    await page.getByText('http:GET https://elsewhere.example/*').first().waitFor();
    await looks(page, 'plugin-updated');
    await page.getByRole('button', { name: 'Approve the change…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await page.getByRole('heading', { name: 'Approved', exact: true }).waitFor();
    expect(await standing()).toBe('approved');
  });

  it('comes from a folder too, and what is none or leads elsewhere is refused in words', async () => {
    const page = await open(server, '/plugins/+install');
    const other = join(beside, 'folder');
    cpSync(join(beside, 'acme-names'), other, { recursive: true });
    writeFileSync(join(other, 'plugin.toml'), readFileSync(join(other, 'plugin.toml'), 'utf8').replace('"acme-names"', '"by-folder"'));
    await choose(page, 'Folder of the plugin', other);
    await page.getByText('registrars/by-folder').waitFor();
    await page.getByRole('button', { name: 'Install it' }).click();
    await page.getByRole('heading', { name: 'Not approved', exact: true }).waitFor();

    await page.goto('/plugins/+install');
    mkdirSync(join(beside, 'hostile'));
    writeFileSync(join(beside, 'hostile/plugin.toml'), 'id = "hostile"\n');
    symlinkSync('/etc/passwd', join(beside, 'hostile/main.rhai'));
    await choose(page, 'Archive of the plugin', pack('hostile.tar.gz', 'hostile'));
    await page.getByRole('alert').getByText(/is a link, or no file at all/).waitFor();
    writeFileSync(join(other, 'main.rhai'), 'fn validate(request) {\n    htttp::get(1)\n}\n');
    await choose(page, 'Folder of the plugin', other);
    await page.getByRole('alert').getByText(/main\.rhai:2/).waitFor();
    expect(await page.getByRole('button', { name: /^Install/ }).count()).toBe(0);
    await accessible(page);
  });

  it('is written in the editor: help, mistakes, the kit, a draft that is kept, saved, approved', async () => {
    const page = await open(server, '/plugins/+new');
    await page.getByLabel('Name').fill('hand-made');
    await page.keyboard.press('Enter');
    const script = page.getByRole('textbox', { name: 'registrars/hand-made/main.rhai' });
    await script.waitFor();
    await page.getByText('No mistake found.').first().waitFor();
    await script.focus();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('fn helper() { http::gett("https://api.registrar.example/v1/x") }\n');
    await page.getByRole('tabpanel', { name: 'Problems' }).getByText(/there is no function `http::gett` for plugins/).waitFor();
    // Completion knows what a plugin can call, and nothing else.
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('fn other() { htt');
    await page.keyboard.press('Control+Space');
    await page.getByRole('option', { name: /http/ }).first().waitFor();
    await looks(page, 'plugin-editor', { full: false });
    await page.keyboard.press('Escape');
    // What was typed survives a reload.
    await until('the draft to be kept', () => page.evaluate(() => Object.keys(localStorage).some((key) => key.includes('plugin-draft') && localStorage.getItem(key)!.includes('fn other'))));
    await page.reload();
    await page.getByRole('textbox', { name: 'registrars/hand-made/main.rhai' }).getByText('fn other').waitFor();
    await page.getByRole('button', { name: 'Discard…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Discard the draft' }).click();
    await page.getByRole('heading', { level: 1, name: 'Plugins' }).waitFor();

    await page.goto('/plugins/+new');
    await page.getByLabel('Name').fill('hand-made');
    await page.keyboard.press('Enter');
    await page.getByText('No mistake found.').first().waitFor();
    // A capability without a recorded exchange fails the kit, and it is said which case.
    await page.getByRole('tab', { name: 'list.json' }).click();
    await page.getByRole('button', { name: 'Remove fixtures/list.json' }).click();
    await page.getByRole('tab', { name: 'Conformance' }).click();
    await page.getByRole('button', { name: 'Run the conformance kit' }).click();
    await page.getByRole('list', { name: 'Cases that fail' }).getByText(/list_domains/).first().waitFor();
    await looks(page, 'plugin-editor-kit', { full: false });
    await page.getByRole('button', { name: 'Save the draft' }).click();
    await page.getByText('saved', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Approve…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await page.getByRole('dialog').getByText(/doesn’t pass the conformance kit|doesn't pass the conformance kit/).waitFor();
    await page.keyboard.press('Escape');
    // Put right: it passes, and is approved.
    const fixture = readFileSync(join(beside, 'acme-names/fixtures/list.json'), 'utf8');
    await page.getByRole('button', { name: 'Exchange…' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('list');
    await page.getByRole('dialog').getByRole('button', { name: 'Add it' }).click();
    const exchange = page.getByRole('textbox', { name: 'registrars/hand-made/fixtures/list.json' });
    await exchange.focus();
    await page.keyboard.press('Control+A');
    await exchange.evaluate((node, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', text);
      node.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, fixture);
    await page.getByRole('button', { name: 'Run it again' }).or(page.getByRole('button', { name: 'Run the conformance kit' })).click();
    await page.getByText(/^Passes all \d+$/).waitFor();
    await page.keyboard.press('Control+s');
    await page.getByText('saved', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Approve…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Test and approve it' }).click();
    await until('the approval', async () => (await server.api<{ state: string }>('GET', '/plugins/registrars/hand-made/approval')).state === 'approved');
    await page.getByText('Approved', { exact: true }).waitFor();
  });
});
