// Folders as people have them, and what differs between two versions.
import { describe, expect, it } from 'vitest';
import { belongs, changed, idOf, inOrder, pluginOf } from './files';

const folder = (files: Record<string, string | Uint8Array<ArrayBuffer>>) => Object.entries(files).map(([path, text]) => ({ path, file: new File([text], path) }));

describe('a folder', () => {
  it('is a plugin wherever its manifest stands, without what isn’t its', async () => {
    for (const at of ['', 'mine/', 'repository/plugins/mine/']) {
      const found = await pluginOf(folder({ [`${at}plugin.toml`]: 'id', [`${at}main.rhai`]: 'fn', [`${at}fixtures/a.json`]: '{}', [`${at}README.md`]: 'x', [`${at}fixtures/.b.json`]: '{}', 'other/main.rhai': 'y' }));
      expect(found).toEqual({ files: { 'plugin.toml': 'id', 'main.rhai': 'fn', 'fixtures/a.json': '{}' }, leftOut: expect.arrayContaining([`${at}README.md`]) });
    }
  });
  it('is refused in words when it is none, several, or no text', async () => {
    expect(await pluginOf(folder({ 'main.rhai': 'fn' }))).toContain('no plugin.toml');
    expect(await pluginOf(folder({ 'a/plugin.toml': 'id', 'b/plugin.toml': 'id' }))).toContain('several plugins');
    expect(await pluginOf(folder({ 'plugin.toml': 'id', 'main.rhai': new Uint8Array([0xff, 0xfe]) }))).toContain('isn’t UTF-8');
    expect(await pluginOf(folder({ 'plugin.toml': ' '.repeat((1 << 20) + 1) }))).toContain('larger than 1 MiB');
  });
});

it('takes the paths that the server takes', () => {
  expect(['plugin.toml', 'main.rhai', 'fixtures/a-b_c.1.json'].every(belongs)).toBe(true);
  expect(['x/plugin.toml', 'fixtures/../x.json', 'fixtures/a/b.json', 'fixtures/.x.json', 'fixtures/x.txt', '../x.json'].some(belongs)).toBe(false);
});

it('reads an id, and nothing that is none', () => {
  expect(idOf('# mine\nid = "mine-2"\nversion = "1"')).toBe('mine-2');
  expect(idOf("id='mine'")).toBe('mine');
  expect(idOf('id = "../x"')).toBeUndefined();
  expect(idOf(undefined)).toBeUndefined();
});

it('tells what differs, the script first', () => {
  expect(changed({ 'plugin.toml': 'a', 'main.rhai': 'x', 'fixtures/a.json': '1' }, { 'plugin.toml': 'b', 'main.rhai': 'x', 'fixtures/b.json': '2' })).toEqual([
    { path: 'plugin.toml', kind: 'changed', before: 'a', after: 'b' }, { path: 'fixtures/a.json', kind: 'removed', before: '1', after: '' }, { path: 'fixtures/b.json', kind: 'added', before: '', after: '2' },
  ]);
  expect(inOrder(['fixtures/b.json', 'plugin.toml', 'fixtures/a.json', 'main.rhai'])).toEqual(['main.rhai', 'plugin.toml', 'fixtures/a.json', 'fixtures/b.json']);
});
