// The other ways to a lab: its document beside the picture, tables, the keyboard alone, another tool's file, exports, small screens.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsWidth, looks, open, picture, Server, until } from './harness';

let server: Server;
const text = (lab: string) => `name: ${lab}
title: Two hosts and a router
networks:
  - { name: lan, position: { x: 220, y: 0 } }
nodes:
  # The first host.
  - { name: h1, position: { x: 0, y: 0 } }
  - { name: r1, forwarding: true, position: { x: 440, y: 0 } }
links:
  - endpoints: [{ at: "h1:eth0", addresses: [10.62.0.1/24] }, lan]
  - endpoints: [{ at: "r1:eth0", addresses: [10.62.0.2/24] }, lan]
`;
const draw = (lab: string, body = text(lab)) => server.api('PUT', `/labs/${lab}/drawing`, { text: body });
const drawing = async (lab: string) => (await server.api<{ text: string }>('GET', `/labs/${lab}/drawing`)).text;
const deployed: string[] = [];
async function deploy(lab: string, document: unknown) {
  deployed.push(lab);
  await server.reaches(await server.launch('lab/deploy', document), 'succeeded');
}

beforeAll(async () => {
  server = await Server.start();
});
afterAll(async () => {
  for (const lab of deployed) await server.reaches(await server.launch('lab/destroy', { lab }), 'succeeded');
});

describe('the document', () => {
  let page: Page;
  const code = () => page.getByRole('textbox', { name: 'Document of texts' });
  beforeAll(async () => {
    await draw('texts');
    page = await open(server, '/labs/texts');
    await page.locator('.svelte-flow__node[data-id="node/h1"]').waitFor();
    await page.getByRole('button', { name: 'Document', exact: true }).click();
    await code().waitFor();
  });

  it('is followed by the picture while one types', async () => {
    await code().focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('checks:\n- { from: h1, ping: r1 }');
    await until('the check to be counted', async () => (await page.locator('aside dl').innerText()).includes('Checks'));
    await code().focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(text('texts').replace('links:', '  - { name: h2, image: debian }\nlinks:'));
    const drawn = page.locator('.svelte-flow__node[data-id="node/h2"]');
    await drawn.waitFor();
    expect(await drawn.getAttribute('aria-label')).toContain('container h2');
    await picture(page, 'lab-document');
  });

  it('follows the picture, and keeps its comments', async () => {
    await page.locator('.svelte-flow__node[data-id="node/h2"]').click();
    await page.getByLabel('Image', { exact: true }).fill('nginx:stable');
    await page.getByLabel('Image', { exact: true }).blur();
    await until('the text to follow', async () => (await code().innerText()).includes('nginx:stable'));
    await page.getByRole('heading', { name: 'h2' }).waitFor();
    await page.getByLabel('Name', { exact: true }).fill('web');
    await page.getByLabel('Name', { exact: true }).blur();
    await page.locator('.svelte-flow__node[data-id="node/web"]').waitFor();
    await until('it to be kept', async () => /name: web/.test(await drawing('texts')) && /# The first host\./.test(await drawing('texts')));
    await page.getByRole('button', { name: 'Take back' }).click();
    await page.locator('.svelte-flow__node[data-id="node/h2"]').waitFor();
  });

  it('shows a mistake at its line, and can’t be deployed with it', async () => {
    await page.locator('.svelte-flow__node[data-id="node/h2"]').click();
    await page.getByLabel('Image', { exact: true }).fill('Not An Image');
    await page.getByLabel('Image', { exact: true }).blur();
    await code().focus();
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('End');
    await page.keyboard.type('\ncolour: blue');
    await page.locator('.faulty').filter({ hasText: 'line 2' }).waitFor();
    await page.locator('.cm-lint-marker-error').first().waitFor();
    await page.getByRole('button', { name: 'Deploy…' }).click();
    await page.getByText(/can’t be deployed before/).waitFor();
    await accessible(page, 'mistakes');
    await page.getByRole('button', { name: 'Show the mistakes' }).click();
    await until('the text to have the focus', () => page.evaluate(() => document.activeElement?.classList.contains('code') ?? false));
  });
});

describe('the tables', () => {
  it('do what the picture does', async () => {
    const document = { name: 'tables', nodes: [{ name: 'a' }, { name: 'b' }], links: [{ endpoints: [{ at: 'a:eth0', addresses: ['10.63.0.1/24'] }, { at: 'b:eth0', addresses: ['10.63.0.2/24'] }] }] };
    await deploy('tables', document);
    const page = await open(server, '/labs/tables?view=table');
    const links = page.getByRole('table', { name: 'Links' });
    const row = links.getByRole('row', { name: /a:eth0 – b:eth0/ });
    await row.getByText('up', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Pull' }).click();
    await row.getByText('down', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Plug in' }).click();
    await row.getByText('up', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Add a node or network' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Host', exact: true }).click();
    await page.getByRole('table', { name: 'Nodes' }).getByText('not deployed').waitFor();
    await page.getByRole('button', { name: 'Link h1 to…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('To', { exact: true }).selectOption({ label: 'a' });
    await dialog.getByLabel('Address of h1').fill('10.64.0.1/24');
    await dialog.getByRole('button', { name: 'Add the link' }).click();
    await links.getByRole('button', { name: 'a:eth1 – h1:eth0', exact: true }).waitFor();
    // What is new is added while the lab lives, and nothing else is touched.
    await page.getByRole('button', { name: 'Deploy…' }).click();
    await page.getByText('2 to add.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
    await links.getByRole('row', { name: /a:eth1 – h1:eth0/ }).getByText('up', { exact: true }).waitFor();
    // Its name, and not two letters of a run's.
    const isThere = async () => /"h1[":]/.test(JSON.stringify((await server.api<{ actual: unknown }>('GET', '/labs/tables')).actual));
    await until('the node to be there', isThere);
    await page.getByRole('button', { name: 'Remove h1', exact: true }).click();
    await page.getByRole('button', { name: 'Deploy…' }).click();
    await page.getByText(/to remove/).first().waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).click();
    await until('the node to be gone', async () => !(await isThere()));
    await looks(page, 'lab-table', { full: false });
  });

  it('packets of a link are summed up, and are a file', async () => {
    const page = await open(server, '/labs/tables?view=table');
    await page.getByRole('button', { name: 'Capture at a:eth0 – b:eth0' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('At most, seconds').fill('20');
    await dialog.getByLabel('At most, packets').fill('2');
    await dialog.getByRole('button', { name: 'Listen', exact: true }).click();
    await dialog.getByText('Listening at').waitFor();
    const ping = await server.launch('lab/exec', { lab: 'tables', node: 'a', argv: ['ping', '-c6', '-i0.3', '10.63.0.2'] });
    await dialog.getByText(/\d+ packets/).waitFor({ timeout: 30_000 });
    expect(await dialog.getByLabel('The first packets').innerText()).toMatch(/10\.63\.0\.|arp|icmp/i);
    const [file] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('link', { name: 'Download capture.pcapng' }).click()]);
    // A section header of pcapng.
    expect(readFileSync(await file.path()).subarray(0, 4).toString('hex')).toBe('0a0d0d0a');
    await server.reaches(ping, 'succeeded');
    await picture(page, 'lab-capture');
  });
});

describe('the keyboard alone', () => {
  it('draws a lab, moves a node, deploys it, cuts a link, and opens a console', async () => {
    deployed.push('keys');
    const page = await open(server, '/labs');
    await page.keyboard.press('Tab');
    await page.goto('/labs/new');
    await page.getByLabel('Name', { exact: true }).fill('keys');
    for (let at = 0; at < 3; at += 1) await page.keyboard.press(at ? 'ArrowDown' : 'Tab');
    await page.getByLabel('Nothing').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Enter');
    await page.getByText('press N').waitFor();
    for (const name of ['Host', 'Host']) {
      await page.locator('main h1').focus();
      await page.keyboard.press('n');
      await page.getByRole('dialog').getByRole('button', { name, exact: true }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'detached' }).catch(() => {});
    }
    const h2 = page.locator('.svelte-flow__node[data-id="node/h2"]');
    await h2.waitFor();
    // The new node has the focus: Enter chooses it, arrow keys move it, L begins a link there.
    await until('the focus to be on the new node', () => h2.evaluate((one) => one === document.activeElement));
    await page.keyboard.press('Enter');
    const before = /name: h2\n +position: \{ x: (-?\d+)/.exec(await until('it to be kept', async () => { const now = await drawing('keys'); return now.includes('h2') && now; }))![1];
    for (let at = 0; at < 12; at += 1) await page.keyboard.press('ArrowRight');
    await until('the move to be kept', async () => Number(/name: h2\n +position: \{ x: (-?\d+)/.exec(await drawing('keys'))?.[1]) >= Number(before) + 100);
    await page.keyboard.press('l');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Address of h2').focus();
    await page.keyboard.type('10.65.0.2/24');
    await dialog.getByLabel('Address of h1').focus();
    await page.keyboard.type('10.65.0.1/24');
    await page.keyboard.press('Enter');
    const link = page.locator('.svelte-flow__edge[data-id="h1:eth0 – h2:eth0"]');
    await link.waitFor({ state: 'attached' });
    await page.locator('main h1').focus();
    await page.keyboard.press('d');
    await page.getByRole('list', { name: 'What will be done' }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }).focus();
    await page.keyboard.press('Enter');
    const said = async () => (await link.getAttribute('aria-label')) ?? '';
    await until('the link to be up', async () => /, up/.test(await said()));
    await link.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Shift+Delete');
    await until('the link to be down', async () => /, down/.test(await said()));
    await page.keyboard.press('Shift+Delete');
    await until('the link to be up again', async () => /, up/.test(await said()));
    await h2.focus();
    await page.keyboard.press('Enter');
    // A word that is typed without a field opens nothing: the letters that act are those of the list, and what acts at once takes more.
    await page.keyboard.type('cxs');
    expect(await page.getByRole('region', { name: 'Consoles' }).count()).toBe(0);
    await page.keyboard.press('Shift+Enter');
    await page.getByText('you type').waitFor();
    await page.keyboard.type('echo by keys $((40+2))\n');
    await until('the answer', async () => /by keys 42/.test(await page.locator('.xterm-rows').innerText()));
    await page.keyboard.press('Control+]');
    await until('the focus to be at the tab', () => page.evaluate(() => document.activeElement?.getAttribute('role') === 'tab'));
    // A chosen node goes with Delete, from the document only.
    await h2.focus();
    await page.keyboard.press('Delete');
    await h2.waitFor({ state: 'detached' });
    await accessible(page, 'keys');
  });

  it('finds what can be done in the palette and in the list of keys', async () => {
    const page = await open(server, '/labs/tables');
    await page.locator('.svelte-flow__node').first().waitFor();
    await page.keyboard.press('?');
    await page.getByText('Add a link, from what is chosen').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('pull a:eth0');
    await page.getByRole('option', { name: /Pull a:eth0/ }).waitFor();
  });
});

describe('two at once', () => {
  it('whoever comes second is told, and nothing of either is lost', async () => {
    await draw('both');
    const page = await open(server, '/labs/both');
    await page.locator('.svelte-flow__node[data-id="node/h1"]').click();
    await draw('both', text('both').replace('The first host', 'Somebody else was here'));
    await page.getByText('Forwards packets').click();
    await page.getByText('Somebody else has changed this drawing').waitFor();
    expect(await drawing('both')).toContain('Somebody else was here');
    await accessible(page, 'two at once');
    await page.getByRole('button', { name: 'Show theirs' }).click();
    await page.getByText('Somebody else has changed this drawing').waitFor({ state: 'detached' });
    await page.locator('.svelte-flow__node[data-id="node/h1"]').click();
    await page.getByText('Forwards packets').click();
    await until('the change to be kept beside theirs', async () => /Somebody else was here/.test(await drawing('both')) && /name: h1, position: .*forwarding: true|forwarding: true.*name: h1/.test(await drawing('both')));
  });

  it('a document that somebody else has deployed meanwhile is offered', async () => {
    const document = { name: 'meanwhile', nodes: [{ name: 'a' }, { name: 'b' }], links: [{ endpoints: ['a:eth0', 'b:eth0'] }] };
    await deploy('meanwhile', document);
    const page = await open(server, '/labs/meanwhile');
    await page.locator('.svelte-flow__node[data-id="node/a"]').click();
    await page.getByText('Forwards packets').click();
    await page.locator('.facts').getByText('edited').waitFor();
    await server.reaches(await server.launch('lab/set-link', { lab: 'meanwhile', at: 'a:eth0', state: 'down' }), 'succeeded');
    await page.getByText('Somebody has deployed another document').waitFor();
    await page.getByRole('button', { name: 'Take what is deployed' }).click();
    await until('nothing to differ', async () => (await page.locator('.facts').getByText('edited').count()) === 0);
    expect(await page.getByText('Forwards packets').locator('..').getByRole('checkbox').isChecked()).toBe(false);
    await until('it to be kept', async () => /state: down/.test(await drawing('meanwhile').catch(() => '')));
  });
});

describe('other ways in and out', () => {
  it('takes another tool’s topology, and says what it couldn’t', async () => {
    const page = await open(server, '/labs/new');
    await page.getByLabel('Another tool’s topology').check();
    await page.getByLabel('Or its text').fill('name: clab\ntopology:\n  nodes:\n    r1: { kind: linux, image: alpine, license: /x.key }\n    r2: { kind: linux, image: alpine }\n  links:\n    - endpoints: ["r1:eth1", "r2:eth1"]\n');
    await page.getByLabel('Or its text').blur();
    await page.getByText('Read as containerlab').waitFor();
    await page.getByRole('list', { name: 'What wasn’t taken' }).getByText('license').first().waitFor();
    await picture(page, 'lab-import');
    await page.getByRole('button', { name: 'Draw it' }).click();
    await page.locator('.svelte-flow__edge[data-id="r1:eth1 – r2:eth1"]').waitFor({ state: 'attached' });
  });

  it('is exported as SVG, PNG and YAML', async () => {
    const page = await open(server, '/labs/tables');
    await page.locator('.svelte-flow__node').first().waitFor();
    const exported = async (label: string) => {
      await page.getByRole('button', { name: 'More' }).click();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: label }).click()]);
      return readFileSync(await file.path());
    };
    const svg = (await exported('Export as SVG')).toString();
    expect(svg).toMatch(/^<svg [\s\S]*>a<\/text>[\s\S]*<\/svg>\n$/);
    expect((await exported('Export as PNG')).subarray(1, 4).toString()).toBe('PNG');
    expect((await exported('Export the document')).toString()).toContain('name: tables');
  });

  it('works on a small screen', async () => {
    const page = await open(server, '/labs/tables', { width: 390, height: 844 });
    await page.locator('.svelte-flow__node').first().waitFor();
    await fitsWidth(page);
    await picture(page, 'lab-390', { full: true });
    await page.getByText('Text', { exact: true }).click();
    await page.getByRole('textbox', { name: 'Document of tables' }).waitFor();
    await fitsWidth(page);
    await accessible(page, 'small text');
  });

  it('lets viewers look, and change nothing', async () => {
    await server.api('POST', '/users', { name: 'vera', password: 'a long password 1', bindings: [{ role: 'viewer', organisation: '*' }] });
    const page = await open(server, '/labs/tables', { name: 'vera', password: 'a long password 1' });
    await page.locator('.svelte-flow__node').first().waitFor();
    await page.getByText('you look').waitFor();
    expect(await page.getByRole('button', { name: 'Deploy…' }).count()).toBe(0);
    expect(await page.getByRole('group', { name: 'Add to the lab' }).count()).toBe(0);
    await page.locator('.svelte-flow__node[data-id="node/a"]').click();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(true);
    await accessible(page, 'viewer');
    // Nor does the palette offer what would be refused.
    await page.keyboard.press('Control+k');
    await page.keyboard.type('lab: ');
    await page.getByRole('option', { name: /Lab: show the tables/ }).waitFor();
    expect(await page.getByRole('option', { name: /Lab: (deploy|add)|Pull|Plug in/ }).count()).toBe(0);
  });

  it('are listed: what is deployed, and what is only drawn', async () => {
    const page = await open(server, '/labs');
    const list = page.getByRole('table', { name: 'Labs' });
    await list.getByRole('row', { name: /tables.*deployed/ }).waitFor();
    await list.getByRole('row', { name: /texts.*drawn/ }).waitFor();
    await looks(page, 'labs');
    await list.getByRole('link', { name: 'clab' }).click();
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Throw the drawing away…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Throw it away' }).click();
    await list.waitFor();
    await until('it to be gone', async () => (await list.getByRole('link', { name: 'clab' }).count()) === 0);
  });

  it('says that there is no such lab', async () => {
    const page = await open(server, '/labs/nowhere');
    await page.getByText('There is no lab nowhere').waitFor();
    await looks(page, 'lab-none');
  });
});
