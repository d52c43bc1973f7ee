// What tests of the editor do again and again: a script to edit, the text, the cursor.
import type { Page } from 'playwright-core';
import { vi } from 'vitest';
import type { Server } from './harness';

// Pictures in two sizes and two schemes take their time, each with axe.
vi.setConfig({ testTimeout: 180_000 });

/** A workflow that greets, whose run ends with `body`. */
export const script = (name: string, body: string) => `//! Greets.
import "lib/words" as words;

const WORKFLOW = #{
    name: "${name}",
    title: "Greets somebody",
    inputs: #{ type: "object", additionalProperties: false, properties: #{ who: #{ type: "string", title: "Whom", "default": "world" } } },
    permissions: ["kv.read:*"],
};

fn run(input) {
    let said = words::greeting(input.who);
    log(said);
${body}
}
`;
export const WORDS = '//! Words.\n\n/// What one says to somebody.\nfn greeting(who) {\n    "hello " + who\n}\n';
export const POLICY = '[policy]\n"t/*" = ["kv.*:*"]\n';
/** Workflows of these names that just greet, and the module that they import. */
export const greeting = (...names: string[]) => ({ 'lib/words': WORDS, ...Object.fromEntries(names.map((name) => [name, script(name, '    #{ said: said }')])) });
export const WORD = 'a long enough word';

/** A page's editor of a script. */
export const code = (page: Page, name: string) => page.getByRole('textbox', { name: `Script of ${name}`, exact: true });
export const text = async (page: Page, name: string) => (await code(page, name).innerText()).replaceAll('\u00a0', ' ');
/** Waits until the server has found nothing wrong. */
export const sound = (page: Page) => page.getByText('No mistake found').last().waitFor();

interface File {
  source: string;
  source_digest: string;
}
export const fileOf = (server: Server, name: string) => server.api<File>('GET', `/workflows/${name}/file`);
/** Saves through the API, as somebody else would. */
export async function savedByOther(server: Server, name: string, change: (source: string) => string) {
  const now = await fileOf(server, name);
  await server.api('PUT', `/workflows/${name}`, { source: change(now.source), message: 'by somebody else', expected: now.source_digest });
}

/** Puts the cursor behind a piece of text, with the editor's own search. */
export async function behind(page: Page, name: string, piece: string) {
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
export async function rubOut(page: Page, count: number) {
  for (let index = 0; index < count; index += 1) await page.keyboard.press('Backspace');
}
