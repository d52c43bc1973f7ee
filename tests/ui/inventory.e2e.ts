// The inventory: compared with what is really there, what nobody looks after found, things removed after a look at the plan
// and an approval.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { accessible, fitsTables, fitsWidth, looks, open, Server, until } from './harness';

const MAKES = `const WORKFLOW = #{ name: "provision/makes", title: "Makes things", permissions: ["hetzner.*:*"], rollback: "none" };
fn run(input) {
    hetzner::create_ssh_key("main", "drift-key", #{ public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+NQDi9ccdJ3gnkHXYYMhbBnvLJ1kyrlwSmAZHTkI3h ann" });
    hetzner::create_placement_group("main", "drift-group", #{ type: "spread" });
    hetzner::create_network("main", "drift-net", #{ ip_range: "10.77.0.0/16" });
    hetzner::create_server("main", "drift-web", #{ server_type: "cx23", image: "debian-13", location: "fsn1" });
    #{}
}
`;
let server: Server;
let provider = '';
let token = '';
const ask = async (method: string, path: string, body?: unknown) => {
  const response = await fetch(`${provider}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : {}) as Record<string, { id: number; name: string; labels: Record<string, string> }[]>;
};
const named = async (kind: string, name: string) => (await ask('GET', `/${kind}?name=${name}`))[kind]![0];

beforeAll(async () => {
  server = await Server.start({ playground: true });
  provider = server.playground!.hetzner as string;
  token = 'simulated-project-token-that-may-read-and-write-and-is-no-secret';
  await server.save('provision/makes', MAKES);
});

/** Launches what the form holds; the run, once it waits for an approval. */
async function launched(page: Page): Promise<string> {
  await page.getByRole('button', { name: /^Launch/ }).click();
  await page.waitForURL(/\/runs\//);
  const run = new URL(page.url()).pathname.split('/').pop()!;
  await server.reaches(run, 'waiting');
  return run;
}
async function approve(page: Page) {
  await page.getByRole('button', { name: 'Approve', exact: true }).first().click();
  const confirm = page.getByRole('dialog').getByRole('button', { name: /^Approve/ });
  if (await confirm.isVisible().catch(() => false)) await confirm.click();
}

describe('the inventory', () => {
  it('says what isn’t there any more and what nobody keeps, and removes what is chosen after a preview and an approval', async () => {
    const run = await server.launch('provision/makes');
    await server.reaches(run, 'succeeded');
    const page = await open(server, '/resources');
    const row = (id: string) => page.getByRole('row').filter({ has: page.getByText(id, { exact: true }) });
    await row('main/drift-web').getByText('not looked at').waitFor();
    await row('main/drift-web').getByText(/\d\.\d\d EUR/).waitFor();
    await page.getByRole('button', { name: 'Compare with what is there' }).click();
    await row('main/drift-web').getByText('as kept').waitFor({ timeout: 40_000 });
    await row('main/drift-key').getByText('as kept').waitFor();

    // Somebody goes to the provider: removes one thing, switches another off, and there is one that no run here has made.
    const key = await named('ssh_keys', 'drift-key');
    await ask('DELETE', `/ssh_keys/${key!.id}`);
    const web = await named('servers', 'drift-web');
    await ask('POST', `/servers/${web!.id}/actions/poweroff`, {});
    await ask('POST', '/placement_groups', { name: 'forgotten', type: 'spread', labels: { ...(await named('placement_groups', 'drift-group'))!.labels, 'windlass-run': '0123456789' } });
    await until('the machine to be off', async () => ((await named('servers', 'drift-web')) as unknown as { status: string }).status === 'off');
    await page.getByRole('button', { name: 'Compare with what is there' }).click();
    await row('main/drift-key').getByText('isn’t there').waitFor({ timeout: 40_000 });
    await row('main/drift-web').getByText('differs').waitFor();
    await row('main/drift-web').getByText(/^off/).waitFor();
    await row('main/drift-net').getByText('as kept').waitFor();
    const orphans = page.getByRole('region', { name: 'Orphans' });
    await orphans.getByText('main/forgotten').first().waitFor();
    await fitsTables(page);
    await looks(page, 'inventory');
    // It is kept with its time: another visit shows it too.
    await page.reload();
    await row('main/drift-key').getByText('isn’t there').waitFor();
    await page.getByLabel('Really').selectOption('gone');
    await until('one row', async () => (await page.getByRole('row').count()) === 2);
    await page.getByLabel('Really').selectOption('');

    // Chosen by the keyboard; the plan says what goes before anything does.
    await page.getByRole('checkbox', { name: 'server main/drift-web' }).focus();
    await page.keyboard.press('Space');
    await page.getByRole('checkbox', { name: 'ssh_key main/drift-key' }).focus();
    await page.keyboard.press('Space');
    await page.getByRole('region', { name: 'What is chosen' }).getByText('2 things chosen').waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    await fitsWidth(page);
    await accessible(page);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('button', { name: 'Destroy… with a preview' }).click();
    await page.getByRole('heading', { level: 1, name: /Destroy things of the inventory/ }).waitFor();
    await page.getByRole('button', { name: 'Rehearse' }).click();
    await page.getByText('hetzner::delete_server').or(page.getByText(/main\/drift-web/)).first().waitFor({ timeout: 40_000 });
    await looks(page, 'inventory-destroy');
    const destroying = await launched(page);
    expect((await ask('GET', '/servers?name=drift-web')).servers).toHaveLength(1);
    await approve(page);
    await server.reaches(destroying, 'succeeded');
    expect((await ask('GET', '/servers?name=drift-web')).servers).toHaveLength(0);
    expect((await ask('GET', '/networks?name=drift-net')).networks, 'what wasn’t chosen stays').toHaveLength(1);
    await page.goto('/resources');
    await row('main/drift-net').waitFor();
    expect(await row('main/drift-web').count()).toBe(0);
    expect(await row('main/drift-key').count()).toBe(0);
  });

  it('has what a run has made again, and what it has adopted, go with the newest row of the name', async () => {
    // The second run finds the group gone and makes it again; the network it adopts: that keeps the mark of the first.
    const makes = `const WORKFLOW = #{ name: "provision/again", title: "Makes things again", permissions: ["hetzner.*:*"], rollback: "none" };
fn run(input) {
    hetzner::create_placement_group("main", "again", #{ type: "spread" });
    hetzner::create_network("main", "kept", #{ ip_range: "10.78.0.0/16", adopt: true });
    hetzner::create_ssh_key("main", "taken", #{ public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJyb2tlbiBrZXkgb2YgYSB0ZXN0IGluIHdpbmRsYXNz bob", adopt: true });
    #{}
}
`;
    await server.save('provision/again', makes);
    const older = await server.launch('provision/again');
    await server.reaches(older, 'succeeded');
    await ask('DELETE', `/placement_groups/${(await named('placement_groups', 'again'))!.id}`);
    const newer = await server.launch('provision/again');
    await server.reaches(newer, 'succeeded');
    const mark = async (kind: string, name: string) => (await named(kind, name))?.labels['windlass-run'];
    expect([await mark('placement_groups', 'again'), await mark('networks', 'kept'), await mark('ssh_keys', 'taken')]).toEqual([newer, older, older]);
    // The key's name is given to another one, which carries the mark of a run that has no row of it.
    const key = await named('ssh_keys', 'taken');
    await ask('PUT', `/ssh_keys/${key!.id}`, { labels: { ...key!.labels, 'windlass-run': '0123456789' } });

    const page = await open(server, '/resources');
    const rows = (id: string) => page.getByRole('row').filter({ has: page.getByText(`main/${id}`, { exact: true }) });
    const of = (id: string, run: string) => rows(id).filter({ has: page.locator(`a[href*="/runs/${run}?"]`) });
    for (const id of ['again', 'kept', 'taken']) {
      await of(id, older).getByText('also of a newer run').waitFor();
      expect(await of(id, newer).getByText('also of a newer run').count()).toBe(0);
      expect(await of(id, older).getByRole('checkbox').isDisabled()).toBe(true);
      expect(await of(id, newer).getByRole('checkbox').isDisabled()).toBe(false);
    }
    await page.getByRole('button', { name: 'Compare with what is there' }).click();
    await of('taken', newer).getByText('isn’t there').waitFor({ timeout: 40_000 });
    await of('taken', older).getByText('isn’t there').waitFor();
    for (const id of ['again', 'kept']) for (const run of [older, newer]) await of(id, run).getByText('as kept').waitFor();
    await looks(page, 'inventory-again');

    // Only the newer run's rows are in sight: the rows of the older one are asked for all the same.
    await page.getByLabel('Run', { exact: true }).fill(newer);
    await until('the rows of one run', async () => (await rows('kept').count()) === 1);
    await page.getByRole('button', { name: 'Compare with what is there' }).click();
    await page.getByText('The inventory is compared with what is there.').last().waitFor({ timeout: 40_000 });
    await of('kept', newer).getByText('as kept').waitFor();
    for (const id of ['again', 'kept', 'taken']) await of(id, newer).getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Destroy… with a preview' }).click();
    const destroying = await launched(page);
    await approve(page);
    await server.reaches(destroying, 'failed', 'rolled_back');
    await page.getByText('what has its name now is of run 0123456789').first().waitFor();
    expect((await ask('GET', '/placement_groups?name=again')).placement_groups).toHaveLength(0);
    expect((await ask('GET', '/networks?name=kept')).networks).toHaveLength(0);
    expect((await ask('GET', '/ssh_keys?name=taken')).ssh_keys, 'of another run').toHaveLength(1);
    await page.goto('/resources');
    await rows('taken').first().waitFor();
    expect([await rows('again').count(), await rows('kept').count(), await rows('taken').count()]).toEqual([0, 0, 2]);
  });
});
