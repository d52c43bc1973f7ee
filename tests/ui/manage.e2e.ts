// What is set up once and then works by itself: schedules, tokens, users. Each is made in the browser, and its effect is seen.
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, expectComplaint, logIn, looks, open, picture, Server, until, visit } from './harness';
import { codeOf } from './totp';

const HELLO = `const WORKFLOW = #{ name: "t/hello", title: "Says hello", inputs: #{ type: "object", additionalProperties: false, properties: #{ who: #{ type: "string", title: "Whom", "default": "world", maxLength: 40 } } } };
fn run(input) { log("hello " + input.who); #{ said: input.who } }
`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/hello': HELLO } });
});
const me = async (token: string) => (await fetch(`${server.url}/api/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status;

describe('schedules', () => {
  it('are set up with the next times in sight, fire, rest, and say what is wrong', async () => {
    const page = await open(server, '/schedules');
    await page.getByText('No schedule yet').waitFor();
    await looks(page, 'schedules-empty');
    await page.getByRole('link', { name: 'Set up the first one' }).click();
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByText('A name is needed.').waitFor();
    await page.getByLabel('Name').fill('often');
    await page.getByLabel('Workflow').fill('t/hello');
    // A form that fits the workflow, and JSON for places to be filled in.
    await page.getByLabel('Whom').fill('Ada');
    await page.getByText('JSON', { exact: true }).click();
    expect(await page.getByLabel('Input', { exact: true }).inputValue()).toContain('"Ada"');
    await page.getByText('What t/hello takes').click();
    await page.getByText('Form', { exact: true }).click();
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.getByLabel('Cron pattern').fill('61 * * * *');
    await page.getByText('can\'t be read').waitFor();
    await page.getByLabel('Cron pattern').fill('30 2 * * *');
    const next = page.getByRole('list', { name: 'The next times' }).getByRole('listitem');
    await next.first().getByText(', 02:30 (+0').waitFor();
    expect(await next.count()).toBe(5);
    // The night in which there is no half past two, and the one that has it twice.
    const clocks = page.getByRole('list', { name: 'When the clocks change' });
    await clocks.getByText('1 h forward:').waitFor();
    expect(await clocks.innerText()).toMatch(/1 h forward:\s*Sun \d+ Mar \d{4}, 03:00 \(\+02:00\)/);
    expect(await clocks.innerText()).toMatch(/1 h back:\s*Sun \d+ Oct \d{4}, 02:30 \(\+02:00\)/);
    await page.getByLabel('Times that passed while no server ran').selectOption('skip');
    await page.getByLabel('If the run before is still open').selectOption('queue');
    await looks(page, 'schedule-form');
    // Its input is refused where it is typed.
    await page.getByText('JSON', { exact: true }).click();
    await page.getByLabel('Input', { exact: true }).fill('{ "who": 7 }');
    await page.getByLabel('Cron pattern').fill('* * * * * *');
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.locator('.error', { hasText: 'who' }).waitFor();
    await page.getByLabel('Input', { exact: true }).fill('{ "who": ');
    await page.getByText('This isn’t JSON').waitFor();
    await page.getByLabel('Input', { exact: true }).fill('{ "who": "${/schedule/at}" }');
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByRole('heading', { name: 'often', level: 1 }).waitFor();
    // It fires, and the page shows it without being asked.
    await page.getByRole('table', { name: 'Runs of this schedule' }).getByText('Succeeded').nth(1).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('It is at rest: nothing is launched until somebody').waitFor();
    await looks(page, 'schedule');
    const kept = await server.api<{ items: { name: string; missed: string; overlap: string; time_zone: string }[] }>('GET', '/schedules');
    expect(kept.items[0]).toMatchObject({ name: 'often', missed: 'skip', overlap: 'queue', time_zone: 'Europe/Berlin' });
    const { items } = await server.api<{ items: { input: { who: string } }[] }>('GET', '/runs?tag=schedule:often');
    expect(items[0]!.input.who).toMatch(/^\d{4}-.*\+0[12]:00/);
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByRole('link', { name: 'Open the run' }).waitFor();
    await page.goto('/schedules?show=paused');
    await page.getByRole('link', { name: 'often' }).waitFor();
    await looks(page, 'schedules');
    await page.getByText('Active', { exact: true }).click();
    await page.getByText('None fits').waitFor();
    expect(new URL(page.url()).search).toBe('?show=active');
  });

  it('are set up with the keyboard alone, and ask before typing is lost', async () => {
    const page = await open(server, '/schedules');
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'New schedule', level: 1 }).waitFor();
    await page.getByLabel('Name').focus();
    await page.keyboard.type('by-keyboard');
    await page.keyboard.press('Tab');
    await page.keyboard.type('t/hello');
    await page.getByLabel('Whom').waitFor();
    page.once('dialog', (asks) => void asks.dismiss());
    await page.getByRole('link', { name: 'Leave it' }).press('Enter');
    expect(new URL(page.url()).pathname).toBe('/schedules/new');
    await page.getByLabel('Cron pattern').focus();
    await page.keyboard.type('0 4 * * SUN');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^by-keyboard/, level: 1 }).waitFor();
    await page.goto('/schedules?text=keyboard');
    await page.getByRole('link', { name: 'by-keyboard' }).waitFor();
  });

  it('explain that somebody else changed them meanwhile, and are removed', async () => {
    const made = await server.api<{ id: string }>('POST', '/schedules', { name: 'contested', workflow: 't/hello', cron: '0 3 * * *' });
    const page = await open(server, `/schedules/${made.id}/edit`);
    await page.getByLabel('What it is for').fill('mine');
    await server.api('PATCH', `/schedules/${made.id}`, { description: 'theirs', cron: '0 4 * * *' });
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText('Somebody else changed this schedule').waitFor();
    await accessible(page, 'conflict');
    await page.getByRole('button', { name: 'Take over theirs' }).click();
    await until('their version', async () => (await page.getByLabel('What it is for').inputValue()) === 'theirs');
    await page.getByLabel('What it is for').fill('mine, again');
    await server.api('PATCH', `/schedules/${made.id}`, { cron: '0 5 * * *' });
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByRole('button', { name: 'Save mine over it' }).click();
    await page.getByRole('heading', { name: /^contested/, level: 1 }).waitFor();
    // Only what was changed here is written over.
    expect(await server.api('GET', `/schedules/${made.id}`)).toMatchObject({ description: 'mine, again', cron: '0 5 * * *' });
    await page.getByRole('button', { name: 'More to do' }).click();
    await page.getByRole('menuitem', { name: 'Remove…' }).click();
    await page.getByRole('button', { name: 'Remove the schedule' }).click();
    await page.getByText('is removed. Its runs stay.').waitFor();
  });

  it('say what to do when the server is gone, and go on when it is back', async () => {
    const made = await server.api<{ id: string }>('POST', '/schedules', { name: 'patient', workflow: 't/hello', cron: '0 3 * * *' });
    const page = await open(server, `/schedules/${made.id}`);
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    expectComplaint(/./);
    await server.stop();
    await page.getByRole('button', { name: 'Pause' }).click();
    const said = page.getByRole('alert').filter({ hasText: 'It couldn’t be paused.' });
    await said.waitFor();
    expect((await said.innerText()).split('\n').filter(Boolean).length, 'why, or what to do').toBeGreaterThan(1);
    await accessible(page, 'an error');
    await server.run();
    await until('the server', async () => (await fetch(`${server.url}/livez`)).ok);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('It is at rest: nothing is launched until somebody').waitFor();
    expect(await server.api('GET', `/schedules/${made.id}`)).toMatchObject({ paused: true });
  });
});

describe('tokens', () => {
  it('are shown once, work, and are refused after they were revoked', async () => {
    const page = await open(server, '/tokens');
    await page.getByRole('button', { name: 'Issue a token' }).click();
    const dialog = page.getByRole('dialog', { name: 'Issue a token' });
    await dialog.getByRole('button', { name: 'Issue the token' }).click();
    await dialog.getByText('Say what it is for').waitFor();
    await dialog.getByLabel('Name').fill('ci');
    await dialog.getByRole('button', { name: 'Add a role' }).click();
    await dialog.getByLabel('Ends after').selectOption('7');
    await looks(page, 'token-form');
    await dialog.getByRole('button', { name: 'Issue the token' }).click();
    const shown = page.getByRole('region', { name: 'The token' });
    const token = (await shown.innerText()).trim();
    await looks(page, 'token-shown');
    expect(await me(token)).toBe(200);
    await page.getByRole('button', { name: 'I have copied it' }).click();
    await shown.waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('row', { name: /ci/ }).getByText('Viewer').waitFor();
    await looks(page, 'tokens');
    await page.getByRole('button', { name: 'Revoke ci' }).click();
    await page.getByRole('button', { name: 'Revoke the token' }).click();
    await page.getByText('It is refused from now on').waitFor();
    expect(await me(token)).toBe(401);
    expect(await page.content()).not.toContain(token);
  });
});

describe('users', () => {
  it('are made, log in, are helped, kept out, and removed', async () => {
    const page = await open(server, '/users');
    await page.getByText('Only you so far').waitFor();
    await page.getByRole('link', { name: 'New user' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Not A Name');
    await page.getByRole('button', { name: 'Make the user' }).click();
    await page.getByText('Letters, digits').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('nora');
    await page.getByLabel('E-mail').fill('nora@example.net');
    await page.getByLabel('Role 1', { exact: true }).selectOption('viewer');
    await looks(page, 'user-form');
    await page.getByRole('button', { name: 'Make the user' }).click();
    const told = await page.getByRole('region', { name: 'What they need to log in' }).innerText();
    const password = /password: (\S+)/.exec(told)![1]!;
    const nora = await open(server, '/', { name: 'nora@example.net', password });
    // What one may not do isn't there.
    expect(await nora.getByRole('navigation').getByRole('link', { name: 'Users' }).count()).toBe(0);
    await server.api('POST', '/schedules', { name: 'yearly', workflow: 't/hello', cron: '0 3 1 1 *' });
    await nora.goto('/schedules');
    await nora.getByRole('link', { name: 'yearly' }).click();
    await nora.getByRole('heading', { name: 'What it launched' }).waitFor();
    expect(await nora.getByRole('button', { name: 'Run now' }).count()).toBe(0);
    expect(await nora.getByRole('link', { name: 'Change' }).count()).toBe(0);

    await page.getByRole('link', { name: 'Open nora' }).click();
    await page.getByRole('heading', { name: 'Access' }).waitFor();
    await looks(page, 'user');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Role 1', { exact: true }).selectOption('operator');
    await looks(page, 'user-edit');
    await page.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText('nora is saved').waitFor();
    await nora.reload();
    await nora.getByRole('button', { name: 'Run now' }).waitFor();

    await page.getByRole('button', { name: 'End all sessions…' }).click();
    await page.getByRole('button', { name: 'End all sessions', exact: true }).click();
    await page.getByText('They have to log in again everywhere.').last().waitFor();
    await nora.reload();
    await nora.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();

    await page.getByRole('button', { name: 'Give a new password…' }).click();
    await page.getByRole('button', { name: 'Give the new password' }).click();
    const fresh = (await page.getByRole('region', { name: 'The new password' }).innerText()).trim();
    await accessible(page, 'new password');
    await page.getByRole('button', { name: 'I have copied it' }).click();
    await logIn(nora, 'nora', fresh);

    await page.getByRole('button', { name: 'Lock the account…' }).click();
    await accessible(page, 'lock');
    await page.getByRole('button', { name: 'Lock the account', exact: true }).click();
    await page.getByText('nora is locked out.').waitFor();
    await nora.reload();
    await nora.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
    await page.getByRole('button', { name: 'Let them in again…' }).click();
    await page.getByRole('button', { name: 'Let them in', exact: true }).click();
    await page.getByText('nora can log in again.').waitFor();
    await logIn(nora, 'nora', fresh);

    await page.getByRole('button', { name: 'More about this user' }).click();
    await page.getByRole('menuitem', { name: 'Remove…' }).click();
    await page.getByLabel('Type “nora” to go on').fill('nora');
    await page.getByRole('button', { name: 'Remove the user' }).click();
    await page.getByText('are gone.').waitFor();
    await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
    await looks(page, 'users');
    expect(new URL(page.url()).pathname).toBe('/users');
  });

  it('who lost their phone are let in again without the second factor', async () => {
    await server.api('POST', '/users', { name: 'timo', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const timo = await open(server, '/account', { name: 'timo', password: 'a long enough word' });
    await timo.getByRole('button', { name: 'Set it up…' }).click();
    await timo.getByLabel('Your password, once more').fill('a long enough word');
    await timo.getByRole('button', { name: 'Go on' }).click();
    await timo.getByRole('img', { name: /QR code/ }).waitFor();
    await timo.getByLabel('Type the code that the app shows').fill(await codeOf((await timo.locator('.seed').innerText()).trim()));
    await timo.getByRole('button', { name: 'Turn it on' }).click();
    await timo.getByText('From now on a code is asked for').waitFor();

    const page = await open(server, '/users/timo');
    await page.getByText('For somebody who lost their phone').waitFor();
    await page.getByRole('button', { name: 'Remove it…' }).click();
    await accessible(page, 'second factor');
    await page.getByRole('button', { name: 'Remove the second factor' }).click();
    await page.getByText('Their password alone is enough now').waitFor();
    await page.getByText('They have none: they set it up under Account.').waitFor();
    const again = await visit(server);
    await logIn(again, 'timo', 'a long enough word');
  });

  it('of an organisation are looked after by its franchisee, who sees no others', async () => {
    await server.api('POST', '/organisations', { name: 'umbra', title: 'Umbra' });
    await server.api('POST', '/users', { name: 'fred', organisation: 'umbra', password: 'a long enough word', bindings: [{ role: 'franchisee', organisation: 'umbra' }] });
    const fred = await open(server, '/users', { name: 'fred', password: 'a long enough word' });
    await fred.getByRole('row', { name: /fred/ }).waitFor();
    expect(await fred.getByRole('row', { name: /admin/i }).count()).toBe(0);
    await fred.getByRole('link', { name: 'New user' }).click();
    await fred.getByLabel('Name', { exact: true }).fill('gina');
    // Nobody gives what they don't hold.
    const roles = await fred.getByLabel('Role 1', { exact: true }).locator('option:not([disabled])').allInnerTexts();
    expect(roles.join(' ')).not.toContain('Admin');
    await fred.getByLabel('Role 1', { exact: true }).selectOption('operator');
    await fred.getByRole('button', { name: 'Make the user' }).click();
    await fred.getByRole('region', { name: 'What they need to log in' }).waitFor();
    expect(await server.api('GET', '/users/gina')).toMatchObject({ organisation: 'umbra', bindings: [{ role: 'operator', organisation: 'umbra' }] });
    await fred.goto('/users/admin');
    await fred.getByRole('alert').waitFor();
    expect(await fred.getByRole('button', { name: 'Give a new password…' }).count()).toBe(0);
  });

  it('whose address only their manager said are marked, until an admin of the platform says that it is theirs', async () => {
    const word = 'a long enough word';
    await server.api('POST', '/organisations', { name: 'onyx', title: 'Onyx' });
    await server.api('POST', '/users', { name: 'finn', organisation: 'onyx', email: 'finn@onyx.test', password: word, bindings: [{ role: 'franchisee', organisation: 'onyx' }] });
    const finn = await open(server, '/users/+new', { name: 'finn', password: word });
    await finn.getByLabel('Name', { exact: true }).fill('hugo');
    await finn.getByLabel('E-mail address').fill('hugo@onyx.test');
    // It isn't promised that they log in with it.
    await finn.getByText('It logs in once it is proved to be theirs').waitFor();
    expect(await finn.getByText('They can log in with it, too.').count()).toBe(0);
    await finn.getByText('I choose it').click();
    await finn.getByLabel('Their password').fill(word);
    await finn.getByRole('button', { name: 'Make the user' }).click();
    await finn.getByRole('link', { name: 'Open hugo' }).click();
    const about = finn.getByLabel('About the user');
    await about.getByText('not proved').waitFor();
    await about.getByText('they don’t log in with it, and nobody is found by it').waitFor();
    await about.getByRole('link', { name: 'Invite them' }).waitFor();
    // Only an admin of the platform may say that it is theirs.
    expect(await finn.getByRole('button', { name: 'It is theirs…' }).count()).toBe(0);
    await looks(finn, 'user-unproved-manager');

    const page = await open(server, '/users?text=onyx');
    const row = (name: string) => page.getByRole('row', { name: new RegExp(name) });
    await row('hugo').getByText('not proved').waitFor();
    expect(await row('finn').getByText('not proved').count()).toBe(0);
    await page.getByText('An address that is not proved').waitFor();
    await looks(page, 'users-unproved');
    await page.goto('/users?text=finn');
    await row('finn').waitFor();
    expect(await page.getByText('An address that is not proved').count()).toBe(0);

    await page.goto('/users/hugo');
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    const field = page.getByLabel('E-mail address');
    const hint = async () => page.locator(`#${(await field.getAttribute('aria-describedby'))!.split(' ')[0]}`).innerText();
    expect(await hint()).toContain('It isn’t proved to be theirs');
    await page.locator('form').getByText('not proved').waitFor();
    await looks(page, 'user-unproved-edit');
    // Another one that an admin of the platform gives them is theirs.
    await field.fill('other@onyx.test');
    expect(await hint()).toBe('They can log in with it, too.');
    expect(await page.locator('form').getByText('not proved').count()).toBe(0);
    await page.getByRole('button', { name: 'Leave it' }).click();
    await looks(page, 'user-unproved');
    await page.getByRole('button', { name: 'It is theirs…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Is hugo@onyx.test really hugo’s?' });
    await picture(page, 'user-unproved-confirm');
    expect((await server.api<{ email_unproved: boolean }>('GET', '/users/hugo')).email_unproved).toBe(true);
    await dialog.getByRole('button', { name: 'It is theirs' }).click();
    await page.getByText('hugo logs in with hugo@onyx.test, too, from now on.').waitFor();
    expect(await page.getByText('not proved').count()).toBe(0);
    await open(server, '/', { name: 'hugo@onyx.test', password: word });
  });

  it('belong to organisations, which are made, renamed and suspended', async () => {
    const page = await open(server, '/organisations');
    await page.getByRole('button', { name: 'New organisation' }).click();
    await page.getByLabel('Name', { exact: true }).fill('acme');
    await page.getByLabel('How people call it').fill('Acme Ltd');
    await page.getByRole('button', { name: 'Make the organisation' }).click();
    await page.getByRole('row', { name: /Acme Ltd/ }).waitFor();
    await looks(page, 'organisations');
    await server.api('POST', '/users', { name: 'olga', organisation: 'acme', password: 'a long enough word', bindings: [{ role: 'operator', organisation: 'acme' }] });
    const olga = await visit(server);
    await logIn(olga, 'olga', 'a long enough word');
    const may = () => olga.evaluate(async () => ((await (await fetch('/api/v1/session')).json()) as { permissions: string[] }).permissions.length);
    expect(await may()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'More about acme' }).click();
    await page.getByRole('menuitem', { name: 'Suspend…' }).click();
    await page.getByRole('button', { name: 'Suspend the organisation' }).click();
    await page.getByRole('row', { name: /Acme Ltd/ }).getByText('Suspended').waitFor();
    await until('olga to lose her roles', async () => (await may()) === 0);
    await page.getByRole('button', { name: 'More about acme' }).click();
    await page.getByRole('menuitem', { name: 'Let it act again…' }).click();
    await page.getByRole('button', { name: 'Let it act again', exact: true }).click();
    await until('olga to have her roles again', async () => (await may()) > 0);
    await page.getByRole('button', { name: 'More about acme' }).click();
    await page.getByRole('menuitem', { name: 'Rename…' }).click();
    await page.getByLabel('How people call it').fill('Acme and Sons');
    await page.getByRole('dialog').getByRole('button', { name: /^(Save|Rename)/ }).click();
    await page.getByRole('row', { name: /Acme and Sons/ }).getByText('Active').waitFor();
  });
});
