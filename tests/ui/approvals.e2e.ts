// Decisions: by a second person, in a browser of their own; by several; by those only who may; and what a denial does.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { fitsWidth, open, picture, Server, until } from './harness';

const inputs = 'inputs: #{ type: "object", properties: #{ what: #{ type: "string", title: "What", "default": "it" } } }';
const ASKS = `const WORKFLOW = #{ name: "t/asks", title: "Asks first", ${inputs} };
fn run(input) {
    let said = approve(#{ title: "Do " + input.what + "?", details: #{ what: input.what, machines: 3 },
        form: #{ type: "object", required: ["window"], properties: #{ window: #{ title: "Window", "enum": ["tonight", "weekend"] } } } });
    #{ window: said.form.window }
}
`;
const asks = (name: string, more: string) => `const WORKFLOW = #{ name: "${name}", title: "Asks", ${inputs} };
fn run(input) { let said = approve(#{ title: "Do " + input.what + "?", ${more} }); #{ approved: said.approved, comment: said.comment } }
`;
const WORKFLOWS = {
  't/asks': ASKS, 't/self': asks('t/self', 'allow_self: true'), 't/two': asks('t/two', 'quorum: 2, expires: "10m", on_expiry: "deny"'),
  't/admins': asks('t/admins', 'role: "admin"'),
};
const PASSWORD = 'a long enough word';

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: WORKFLOWS });
  for (const name of ['bea', 'carl']) await server.api('POST', '/users', { name, password: PASSWORD, bindings: [{ role: 'operator', organisation: 'platform' }] });
  await server.api('POST', '/users', { name: 'vera', password: PASSWORD, bindings: [{ role: 'viewer', organisation: 'platform' }] });
});
const as = (name: string, path: string, look = {}) => open(server, path, { name, password: PASSWORD, ...look });
const card = (page: Page, title: string) => page.getByRole('article', { name: title });
const runOf = async (page: Page) => {
  await until('the run', () => /^\/runs\/\w+$/.test(new URL(page.url()).pathname));
  return new URL(page.url()).pathname.split('/').pop()!;
};

describe('approvals', () => {
  it('are decided by a second person, live, with the form that belongs to them; not by whoever launched', async () => {
    const bea = await as('bea', '/approvals');
    await bea.getByText('Nothing waits for you').waitFor();
    // The admin launches in one browser …
    const admin = await open(server, '/launch/t/asks?input.what=the+thing');
    await admin.getByRole('button', { name: 'Launch', exact: true }).click();
    const run = await runOf(admin);
    await admin.getByText('somebody else has to decide').waitFor();
    expect(await admin.getByRole('button', { name: 'Approve', exact: true }).count()).toBe(0);
    // … and can't get around it: neither here, nor in the inbox, nor at the API.
    const inbox = await open(server, '/approvals?show=all');
    await card(inbox, 'Do the thing?').getByText('You can’t decide on this: admin launched run').waitFor();
    expect(await inbox.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    const { items } = await server.api<{ items: { path: string; request: { digest: string } }[] }>('GET', '/approvals?all=true');
    const decision = { approved: true, digest: items[0]!.request.digest, form: { window: 'tonight' } };
    await expect(server.api('POST', `/runs/${run}/approvals/${encodeURIComponent(items[0]!.path)}/decision`, decision)).rejects.toThrow(/403.*permission_denied/);

    // Bea's page shows it without being asked, in another browser.
    await bea.getByRole('heading', { name: 'Do the thing?' }).waitFor();
    await until('the count in the navigation', () => bea.getByRole('link', { name: /Approvals.*1.*wait/ }).count());
    await bea.getByRole('button', { name: 'Approve' }).click();
    await bea.getByText('This is needed.').waitFor();
    await bea.getByLabel('Window').selectOption('tonight');
    await bea.getByLabel('Comment').fill('Go on.');
    await picture(bea, 'approvals');
    await bea.getByRole('button', { name: 'Approve' }).click();
    await bea.getByText('Approved: Do the thing?').waitFor();
    expect((await server.reaches(run, 'succeeded')).output).toEqual({ window: 'tonight' });
    await bea.getByText('Nothing waits for you').waitFor();
    // The admin's pages have followed.
    await admin.getByText('Succeeded').first().waitFor();
    await inbox.getByText('Nothing waits for a decision').waitFor();
    // Who decided is in the audit log.
    const log = await server.api<{ items: { actor: string; target: string }[] }>('GET', '/audit?action=approval.decide');
    expect(log.items).toEqual([expect.objectContaining({ actor: 'bea', target: run })]);
  });

  it('may be one’s own where the script says so', async () => {
    const run = await server.launch('t/self', { what: 'my thing' });
    const admin = await open(server, '/approvals');
    await card(admin, 'Do my thing?').getByRole('button', { name: 'Approve' }).click();
    await server.reaches(run, 'succeeded');
  });

  it('take as many people as the script asks for, each once', async () => {
    const run = await server.launch('t/two', { what: 'both' });
    const bea = await as('bea', '/approvals');
    await card(bea, 'Do both?').getByText('0 of 2 have approved').waitFor();
    await card(bea, 'Do both?').getByText('then it counts as denied').waitFor();
    await card(bea, 'Do both?').getByRole('button', { name: 'Approve' }).click();
    await bea.getByText('1 more must approve').waitFor();
    await bea.getByText('Nothing waits for you').waitFor();
    const carl = await as('carl', '/approvals');
    await card(carl, 'Do both?').getByText('bea approved').waitFor();
    await picture(carl, 'approvals-quorum');
    expect((await server.api<{ state: string }>('GET', `/runs/${run}`)).state).toBe('waiting');
    await bea.goto('/approvals?show=all');
    await card(bea, 'Do both?').getByText('bea has decided on').waitFor();
    await card(carl, 'Do both?').getByRole('button', { name: 'Approve' }).click();
    await server.reaches(run, 'succeeded');
  });

  it('can be denied, with a reason that the run gets', async () => {
    const run = await server.launch('t/two', { what: 'harm' });
    const bea = await as('bea', '/approvals');
    await card(bea, 'Do harm?').getByLabel('Comment').fill('Not today.');
    await card(bea, 'Do harm?').getByRole('button', { name: 'Deny' }).click();
    await bea.getByText('Denied: Do harm?').waitFor();
    expect((await server.reaches(run, 'succeeded')).output).toEqual({ approved: false, comment: 'Not today.' });
  });

  it('are for those only who may decide, and say so to the others', async () => {
    const run = await server.launch('t/admins', { what: 'a great thing' });
    const bea = await as('bea', '/approvals');
    await bea.getByText('Nothing waits for you').waitFor();
    await bea.getByText('All', { exact: true }).click();
    await card(bea, 'Do a great thing?').getByText('only the role admin may decide').waitFor();
    const vera = await as('vera', '/approvals?show=all');
    await card(vera, 'Do a great thing?').getByText('You can’t decide on this').waitFor();
    await picture(vera, 'approvals-not-mine');
    await server.api('POST', `/runs/${run}/cancel`, {});
    await bea.getByText('Nothing waits for a decision').waitFor();
  });

  it('fit a small screen', async () => {
    await server.launch('t/asks', { what: 'the next thing' });
    const page = await as('bea', '/approvals', { width: 390, height: 844 });
    await page.getByRole('heading', { name: 'Do the next thing?' }).waitFor();
    await fitsWidth(page);
    await picture(page, 'approvals-390', { full: true });
  });

  it('of which there are very many stay where they are while others come and go', async () => {
    await Promise.all(Array.from({ length: 55 }, (_, at) => server.launch('t/asks', { what: `number ${at}` })));
    await until('all to be asked', async () => (await server.api<{ items: unknown[] }>('GET', '/approvals?all=true&limit=500')).items.length >= 55);
    const page = await as('bea', '/approvals');
    await until('a count that says there may be more', () => page.getByRole('article').count().then((shown) => shown === 50));
    await page.getByRole('button', { name: 'Show more' }).click();
    const last = page.getByRole('article').nth(52);
    await last.getByLabel('Comment').fill('half a sentence');
    const title = await last.getByRole('heading').innerText();
    await server.launch('t/self', { what: 'something else' });
    await page.getByRole('heading', { name: 'Do something else?' }).waitFor();
    expect(await card(page, title).getByLabel('Comment').inputValue()).toBe('half a sentence');
    // One that is decided goes, and none of the others.
    const before = await page.getByRole('article').count();
    await page.getByRole('article').nth(3).getByRole('button', { name: 'Deny' }).click();
    await until('it to go', async () => (await page.getByRole('article').count()) === before - 1);
    expect(await card(page, title).getByLabel('Comment').inputValue()).toBe('half a sentence');
    // The start doesn’t say fewer than there are.
    await page.goto('/');
    await page.getByRole('heading', { name: /Waits for you 20\+/ }).waitFor();
  });
});
