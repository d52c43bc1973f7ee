// Writes src/lib/api/schema.ts from docs/reference/openapi.json: its types, and the words that stand behind names. With --check it writes nothing and fails when the file isn't
// what the document says.
import { readFile, writeFile } from 'node:fs/promises';
import openapi, { astToString } from 'openapi-typescript';

const from = new URL('../../docs/reference/openapi.json', import.meta.url);
const to = new URL('../src/lib/api/schema.ts', import.meta.url);

const document = JSON.parse(await readFile(from, 'utf8'));

// Every problem has one form, which the client knows: repeated for each status of each operation it is most of the file.
for (const methods of Object.values(document.paths)) {
  for (const operation of Object.values(methods)) {
    for (const status of Object.keys(operation.responses ?? {})) {
      if (!/^[23]/.test(status)) delete operation.responses[status];
    }
  }
}
// What an event tells depends on its kind; who reads it looks before using it.
const event = document.components.schemas.Event;
for (const how of ['oneOf', 'anyOf', 'allOf']) delete event[how];
event.properties.data = { type: 'object', additionalProperties: true, description: 'The rest, by kind.' };

// `/workflows/{name}/source`, whose name may contain slashes: a name that ends in `/source` has to be told from that.
const behind = new Set();
for (const [path, methods] of Object.entries(document.paths)) {
  const long = Object.values(methods)
    .flatMap((operation) => operation.parameters ?? [])
    .filter((one) => one.in === 'path' && one.description?.startsWith('May contain slashes'));
  for (const { name } of long) {
    const rest = path.split(`/{${name}}/`)[1];
    if (rest) behind.add(rest.split('/').at(-1));
  }
}
if (!behind.size) throw new Error('no name has anything behind it: how does the document say that a name may contain slashes?');
const words = [...behind].sort().map((word) => `'${word}'`).join(', ');

const types = astToString(await openapi(document, { defaultNonNullable: false }));
const text = `// The API's types. Generated from docs/reference/openapi.json by \`npm run generate\`: don't edit.\n${types}
/** What stands behind a name with slashes where something of it is read or done. */
export const BEHIND_NAMES: readonly string[] = [${words}];
`;

if (process.argv.includes('--check')) {
  const present = await readFile(to, 'utf8').catch(() => '');
  if (present !== text) {
    console.error('src/lib/api/schema.ts is out of date: run `npm run generate` in ui/');
    process.exit(1);
  }
} else {
  await writeFile(to, text);
}
