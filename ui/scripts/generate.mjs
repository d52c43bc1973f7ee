// Writes src/lib/api/schema.ts from docs/reference/openapi.json. With --check it writes nothing and fails when the file isn't
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

const types = astToString(await openapi(document, { defaultNonNullable: false }));
const text = `// The API's types. Generated from docs/reference/openapi.json by \`npm run generate\`: don't edit.\n${types}`;

if (process.argv.includes('--check')) {
  const present = await readFile(to, 'utf8').catch(() => '');
  if (present !== text) {
    console.error('src/lib/api/schema.ts is out of date: run `npm run generate` in ui/');
    process.exit(1);
  }
} else {
  await writeFile(to, text);
}
