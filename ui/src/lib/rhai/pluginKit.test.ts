// What the editor tells of plugins is what their sandbox has.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { modules } from './pluginKit';

it('names the functions that the sandbox has, and no others', () => {
  const engine = readFileSync(new URL('../../../../core/script/src/plugin/engine.rs', import.meta.url), 'utf8');
  const table = engine.slice(engine.indexOf('pub const TOOLS'), engine.indexOf('];', engine.indexOf('pub const TOOLS')));
  const had: Record<string, string[]> = {};
  let module = '';
  for (const [, name, list] of table.matchAll(/\(?\s*"(\w+)"\s*,\s*&\[(\d?)/g)) {
    if (list) had[module]!.push(name!);
    else had[(module = name!)] = [];
  }
  expect(Object.keys(had)).toContain('http');
  expect(Object.fromEntries(Object.entries(modules).map(([name, it]) => [name, it.functions.map((one) => one.name).sort()]))).toEqual(Object.fromEntries(Object.entries(had).map(([name, all]) => [name, all.sort()])));
});
