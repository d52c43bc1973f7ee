// Launching: a nested form, what the server refuses said at its field, rehearsal, launch, links; and the start page.
import { beforeAll, describe, expect, it } from 'vitest';
import { fitsWidth, looks, open, picture, Server, until } from './harness';

const SITE = `const WORKFLOW = #{
    name: "lab/site", title: "Set up a site", description: "Notes a site.",
    inputs: #{ type: "object", required: ["name", "environment", "nodes"], additionalProperties: false, properties: #{
        name: #{ type: "string", title: "Name", minLength: 2, "x-step": "Site" },
        environment: #{ title: "Environment", "default": "test", "x-step": "Site", oneOf: [#{ "const": "test", title: "Test" }, #{ "const": "production", title: "Production" }] },
        ticket: #{ type: "string", title: "Change ticket", "x-step": "Site" },
        key: #{ type: "string", title: "Key", "x-secret": true, "x-step": "Site" },
        nodes: #{ type: "array", title: "Nodes", minItems: 1, "x-step": "Nodes", items: #{ type: "object", required: ["name"], properties: #{
            name: #{ type: "string", title: "Name" }, disks: #{ type: "array", title: "Disks", items: #{ type: "integer", minimum: 1, maximum: 64 } } } } },
    }, "if": #{ properties: #{ environment: #{ "const": "production" } } }, then: #{ required: ["ticket"] } },
    wizard: [#{ title: "Site" }, #{ title: "Nodes" }],
    permissions: ["kv.write:lab/*"],
};
fn run(input) { kv_set("lab/" + input.name, input.environment); #{ site: input.name, nodes: input.nodes.len() } }
`;
const ASKS = `const WORKFLOW = #{ name: "t/asks", title: "Asks first", inputs: #{ type: "object", properties: #{ what: #{ type: "string", title: "What", "default": "it" } } } };
fn run(input) {
    let said = approve(#{ title: "Do " + input.what + "?", details: #{ what: input.what, machines: 3 },
        form: #{ type: "object", required: ["window"], properties: #{ window: #{ title: "Window", "enum": ["tonight", "weekend"] } } } });
    #{ window: said.form.window }
}
`;
const PLAIN = `const WORKFLOW = #{ name: "t/plain", title: "Plain", inputs: #{ type: "object", required: ["host"], properties: #{
    host: #{ type: "string", title: "Host" }, port: #{ type: "integer", title: "Port", "default": 22, minimum: 1, maximum: 65535 }, token: #{ type: "string", title: "Token", "x-secret": true } } } };
fn run(input) { #{ host: input.host, port: input.port } }
`;

const FAILS = `const WORKFLOW = #{ name: "t/fails", title: "Fails" };
fn run(input) { throw "the disk is full"; }
`;
const STUCK = `const WORKFLOW = #{ name: "t/stuck", title: "Can't be undone" };
fn run(input) { on_rollback("takes nothing back", || { throw "no way back" }); random(); throw "it broke" }
`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 'lab/site': SITE, 't/asks': ASKS, 't/plain': PLAIN, 't/fails': FAILS, 't/stuck': STUCK } });
  await server.api('POST', '/users', { name: 'bea', password: 'a long enough word', bindings: [{ role: 'operator', organisation: 'platform' }] });
});

describe('the launch form', () => {
  it('goes through its steps, says what is wrong where it is, rehearses, and launches', async () => {
    const page = await open(server, '/launch/lab/site');
    await page.getByRole('heading', { name: 'Set up a site', level: 1 }).waitFor();
    await page.getByText('Change stored values under lab/*').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('This is needed.').waitFor();
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid'))).toBe('true');
    await page.getByLabel('Name', { exact: true }).fill('berlin');
    await page.getByText('Production', { exact: true }).click();
    await page.getByLabel('Change ticket').fill('CH-7');
    await picture(page, 'launch-site');

    // What only the server knows: there is no such secret. It is said at the field.
    await page.getByLabel('Key').fill('no/such-secret');
    await page.getByLabel('Key').blur();
    await page.getByText(/there is none of this name/).waitFor();
    await page.getByLabel('Key').fill('');
    await page.getByRole('button', { name: 'Next' }).click();
    await until('the second step', () => new URL(page.url()).searchParams.get('step') === 'nodes');

    await page.getByLabel('Name', { exact: true }).fill('a');
    await page.getByRole('button', { name: 'Add disk' }).click();
    await page.keyboard.type('80');
    await page.keyboard.press('Tab');
    await page.getByText('Has to be from 1 to 64.').waitFor();
    await page.getByLabel('Disk 1', { exact: true }).fill('40');
    await page.getByRole('button', { name: /^Add node/ }).click();
    await page.keyboard.type('b');
    await page.getByRole('button', { name: 'Move b up' }).click();
    await picture(page, 'launch-nodes', { full: true });
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByText('Would succeed').waitFor();
    await picture(page, 'launch-review', { full: true });

    // Back restores; a change makes the plan one of yesterday.
    await page.getByRole('button', { name: 'Change Name' }).click();
    await until('the first step', () => new URL(page.url()).searchParams.get('step') === null);
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('berlin');
    await page.getByLabel('Name', { exact: true }).fill('paris');
    await page.goBack();
    await page.getByText('The input has changed since').waitFor();
    await page.getByRole('button', { name: 'Rehearse again' }).click();
    await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
    await until('the run', () => new URL(page.url()).pathname.startsWith('/runs/'));
    const run = new URL(page.url()).pathname.split('/').pop()!;
    const ended = await server.reaches(run, 'succeeded');
    expect(ended.input).toMatchObject({ name: 'paris', environment: 'production', ticket: 'CH-7', nodes: [{ name: 'b' }, { name: 'a', disks: [40] }] });

    const again = await open(server, `/launch/lab/site?from=${run}`);
    await again.getByText('Filled in from').waitFor();
    expect(await again.getByLabel('Name', { exact: true }).inputValue()).toBe('paris');
  });

  it('is filled in by a link, keeps what one typed over a reload, and gives neither secrets away', async () => {
    const page = await open(server, '/launch/t/plain?input.host=web-1&input.port=8022&input.token=hunter2');
    const host = page.getByLabel('Host');
    await host.waitFor();
    expect([await host.inputValue(), await page.getByLabel('Port').inputValue(), await page.getByLabel('Token').inputValue()]).toEqual(['web-1', '8022', '']);
    await page.getByLabel('Token').fill('acme/key');
    await host.fill('web-2');
    await until('the draft', () => page.evaluate(() => Object.values(sessionStorage).some((text) => String(text).includes('web-2'))));
    expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage }))).not.toMatch(/acme\/key|hunter2/);
    await page.reload();
    await page.getByText('This is what you had filled in.').waitFor();
    expect([await host.inputValue(), await page.getByLabel('Token').inputValue()]).toEqual(['web-2', '']);
    // In another tab, and for somebody else in this one, the form begins anew.
    const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }));
    const other = await open(server, '/', { name: 'bea', password: 'a long enough word' });
    await other.evaluate((all) => Object.entries(JSON.parse(all) as Record<string, string>).forEach(([name, text]) => sessionStorage.setItem(name, text)), kept);
    await other.goto('/launch/t/plain?input.host=web-1&input.port=8022&input.token=hunter2');
    await other.getByLabel('Host').waitFor();
    expect(await other.getByLabel('Host').inputValue()).toBe('web-1');
    await page.getByLabel('Port').fill('many');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await page.getByText('Has to be a whole number.').waitFor();
    await page.getByLabel('Port').fill('');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await until('the run', () => new URL(page.url()).pathname.startsWith('/runs/'));
    const ended = await server.reaches(new URL(page.url()).pathname.split('/').pop()!, 'succeeded');
    expect(ended.output).toEqual({ host: 'web-2', port: 22 });
  });

  it('fits a small screen', async () => {
    const page = await open(server, '/launch/lab/site?step=nodes', { width: 390, height: 844 });
    await page.getByRole('heading', { name: 'Nodes' }).waitFor();
    await fitsWidth(page);
    await picture(page, 'launch-390', { full: true });
  });
});

describe('the start page', () => {
  it('says what waits, what failed, what runs, and how the machine is', async () => {
    const failed = await server.launch('t/fails');
    await server.reaches(failed, 'failed', 'rolled_back');
    const page = await open(server, '/');
    await page.getByRole('heading', { name: 'Health' }).waitFor();
    await page.getByText(/checks? passed/).waitFor();
    const lost = page.getByRole('region', { name: /Failed this week/ });
    await lost.getByText('the disk is full').waitFor();
    await page.getByText('Nothing runs now.').waitFor();
    // What begins now appears by itself.
    const asks = await server.launch('t/asks', { what: 'the next thing' });
    await page.getByRole('region', { name: /Under way/ }).getByRole('link', { name: /t\/asks/ }).waitFor();
    await page.getByText('Nothing. What needs your decision').waitFor();
    await picture(page, 'start', { full: true });
    const bea = await open(server, '/', { name: 'bea', password: 'a long enough word', width: 390, height: 844 });
    const mine = bea.getByRole('region', { name: /Waits for you/ });
    await mine.getByText('Do the next thing?').waitFor();
    await fitsWidth(bea);
    await picture(bea, 'start-390', { full: true });
    await server.api('POST', `/runs/${asks}/cancel`, {});
    await mine.getByText('Nothing. What needs your decision').waitFor();
    // An undo that is stuck waits for whoever may say how it goes on; a viewer isn't asked.
    await server.api('POST', '/users', { name: 'vera', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const vera = await open(server, '/', { name: 'vera', password: 'a long enough word' });
    const stuck = await server.launch('t/stuck');
    await server.reaches(stuck, 'rollback_stuck');
    await mine.getByText('its undo is stuck: say how it goes on').waitFor();
    await vera.reload();
    await vera.getByRole('region', { name: /Waits for you/ }).getByText('Nothing. What needs your decision').waitFor();
    await lost.getByRole('link', { name: /t\/fails/ }).click();
    expect(new URL(page.url()).pathname).toBe(`/runs/${failed}`);
  });

  it('launches for nobody else when a link names an organisation that isn’t known', async () => {
    await server.api('POST', '/organisations', { name: 'known', title: 'Known Ltd', kind: 'customer' });
    const before = (await server.api<{ items: unknown[] }>('GET', '/runs?workflow=t/plain&limit=100')).items.length;
    const page = await open(server, '/launch/t/plain?for=unknown&input.host=x');
    await page.getByText('Nothing can be launched for “unknown”.').waitFor();
    const [rehearse, go] = [page.getByRole('button', { name: 'Rehearse' }), page.getByRole('button', { name: 'Launch', exact: true })];
    expect([await rehearse.isDisabled(), await go.isDisabled()]).toEqual([true, true]);
    // Nor with a key, nor by Enter in a field.
    await page.getByLabel('Host').focus();
    await page.keyboard.press('Control+Enter');
    await page.keyboard.press('Enter');
    await looks(page, 'launch-astray');
    expect((await server.api<{ items: unknown[] }>('GET', '/runs?workflow=t/plain&limit=100')).items.length).toBe(before);
    // One that is known is taken, and another one when somebody says so.
    await page.getByRole('button', { name: 'Launch it for Known Ltd' }).click();
    await go.click();
    await until('the run’s page', () => /^\/runs\/\w+/.test(new URL(page.url()).pathname));
    const newest = async () => (await server.api<{ items: { organisation: string }[] }>('GET', '/runs?workflow=t/plain&limit=1')).items[0]!.organisation;
    expect(await newest()).toBe('known');
    await page.goto('/launch/t/plain?for=platform&input.host=x');
    await go.click();
    await until('another run', async () => (await newest()) === 'platform');
  });

  it('teaches with first steps, which go one by one, and then all', async () => {
    await server.api('POST', '/users', { name: 'newt', password: 'a long enough word', bindings: [{ role: 'operator', organisation: 'platform' }] });
    await server.launch('t/plain', { host: 'any' });
    const page = await open(server, '/', { name: 'newt', password: 'a long enough word' });
    const list = page.getByRole('region', { name: 'First steps' });
    await list.getByRole('link', { name: 'Change a script' }).waitFor();
    // An admin has launched something; this person hasn't.
    await list.getByRole('link', { name: 'Launch a workflow' }).waitFor();
    await list.getByLabel('Mark as done: Change your password').click();
    await list.getByText(/Change your password\s*\(done\)/).waitFor();
    await list.getByRole('link', { name: 'Look at a run' }).click();
    await page.locator('main h1').waitFor();
    await page.goto('/launch/t/plain?input.host=mine');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await until('the run’s page', () => /^\/runs\/\w+/.test(new URL(page.url()).pathname));
    const { source_digest } = await server.api<{ source_digest: string }>('GET', '/workflows/t/plain');
    await server.api('PUT', '/workflows/t/plain', { source: `${PLAIN}// one more line\n`, expected: source_digest });
    await page.goto('/tokens');
    await page.getByRole('button', { name: 'Issue the first one' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('laptop');
    await page.getByRole('dialog').getByRole('button', { name: 'Add a role' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Issue the token' }).click();
    await page.getByRole('region', { name: 'The token' }).waitFor();
    // All that the list is worked out from is there, and it isn't.
    const known = ['/workflows?limit=100', '/runs?limit=1', '/tokens'].map((path) => page.waitForResponse((answer) => answer.url().endsWith(`/api/v1${path}`)));
    await page.goto('/');
    await Promise.all(known);
    await page.getByRole('region', { name: /Waits for you/ }).waitFor();
    expect(await list.count()).toBe(0);
    // Whoever doesn't want to be taught puts them away.
    const admin = await open(server, '/');
    await admin.getByRole('button', { name: 'Put the first steps away' }).click();
    await admin.reload();
    await admin.getByRole('heading', { name: 'Waits for you' }).waitFor();
    expect(await admin.getByRole('heading', { name: 'First steps' }).count()).toBe(0);
  });
});
