// What the editor tells of plugins is what their sandbox has.
import { expect, it } from 'vitest';
import { modules } from './pluginKit';

it('names the functions that the sandbox has, and no others', async () => {
  // The interface's own types know no Node; tests run in it.
  const { readFileSync } = (await import('node:fs' as string)) as { readFileSync: (path: string, encoding: string) => string };
  const engine = readFileSync('../core/script/src/plugin/engine.rs', 'utf8');
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
