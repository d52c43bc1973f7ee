// How much a browser loads for each page when it comes for the first time, with gzip: the shell, and what the page needs at once.
// Fails when one is over its budget; the editor, which loads heavy parts, has one of its own.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const BUDGET = 200_000;
const EDITOR = 450_000;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'));

const sizes = new Map();
async function size(file) {
  if (!sizes.has(file)) sizes.set(file, gzipSync(await readFile(new URL(file, dist)), { level: 9 }).length);
  return sizes.get(file);
}
/** All files that come with an entry: what it imports at once, and their styles. */
function files(key, seen = new Set(), found = new Set()) {
  if (seen.has(key)) return found;
  seen.add(key);
  const entry = manifest[key];
  for (const file of [entry.file, ...(entry.css ?? [])]) found.add(file);
  for (const other of entry.imports ?? []) files(other, seen, found);
  return found;
}

const shell = files('index.html');
const pages = Object.keys(manifest).filter((key) => /^src\/pages\/.*\.svelte$/.test(key) && manifest[key].isDynamicEntry);
const rows = [['the shell', shell, BUDGET]];
for (const key of pages) rows.push([key.replace('src/pages/', ''), new Set([...shell, ...files(key)]), /^src\/pages\/(editor\/Editor|labs\/TextPane)/.test(key) ? EDITOR : BUDGET]);

let failed = false;
for (const [name, all, budget] of rows) {
  let total = (await readFile(new URL('index.html', dist))).length;
  for (const file of all) total += await size(file);
  const over = total > budget;
  failed ||= over;
  console.log(`${over ? '✗' : '✓'} ${name.padEnd(36)} ${(total / 1_000).toFixed(1).padStart(7)} kB of ${budget / 1_000}`);
}
if (failed) console.log('A page is over its budget: load heavy parts where they are used, with import().');
process.exit(failed ? 1 : 0);
