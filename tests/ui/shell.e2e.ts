// The shell: logging in and out, a second factor, the palette, help, keyboard only, small screens, and every page with axe.
import { beforeAll, describe, expect, it } from 'vitest';
import { accessible, expectComplaint, fitsWidth, logIn, open, picture, Server, until, visit } from './harness';
import { codeOf } from './totp';

const HELLO = `const WORKFLOW = #{ name: "t/hello", title: "Says hello" };
fn run(input) { log("hello"); #{ said: "hello" } }
`;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ workflows: { 't/hello': HELLO } });
});

describe('log-in', () => {
  it('asks who one is, says what is wrong, and lets in', async () => {
    const page = await visit(server, '/runs');
    await page.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
    await picture(page, 'log-in');
    await page.getByLabel('Name or e-mail address').fill('admin');
    await page.getByLabel('Password').fill('certainly wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('the name or the password is wrong').waitFor();
    await page.getByLabel('Password').fill(server.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/runs');
    await page.getByRole('button', { name: /account and settings/ }).click();
    await page.getByRole('menuitem', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
  });

  it('says that a session has ended, and comes back to the page', async () => {
    const page = await open(server, '/account');
    await page.getByLabel('New password').fill('half typed');
    await page.context().clearCookies();
    await page.keyboard.press('Control+k');
    await page.getByText('Your session has ended').waitFor();
    await picture(page, 'session-ended');
    await page.keyboard.type(server.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Account', level: 1 }).waitFor();
    expect(await page.getByLabel('New password').inputValue()).toBe('half typed');
  });

  it('says that there is no server, and tries again', async () => {
    const lone = await Server.start({ workflows: { 't/hello': HELLO } });
    const page = await open(lone);
    await page.route('**/api/v1/session', (route) => route.abort());
    await page.reload();
    await page.getByText('Windlass can’t be reached').waitFor();
    await page.unroute('**/api/v1/session');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.shell').waitFor();
  });
});

describe('the policy', () => {
  it('has the browser refuse scripts and markup that somebody smuggled in', async () => {
    // A Vite server sends no policy.
    if (process.env.UI_DEV) return;
    const page = await open(server);
    expectComplaint(/Content Security Policy|Trusted|Refused/i);
    const done = await page.evaluate(async () => {
      const element = document.body.appendChild(document.createElement('div'));
      const attempt = (act: () => unknown) => {
        try {
          act();
          return 'done';
        } catch {
          return 'refused';
        }
      };
      const name = 'inner' + 'HTML';
      return {
        markup: attempt(() => Object.assign(element, { [name]: '<b>x</b>' })),
        handler: attempt(() => element.setAttribute('onclick', 'document.title = "smuggled"')),
        script: attempt(() => document.body.append(Object.assign(document.createElement('script'), { text: 'document.title = "smuggled"' }))),
        elsewhere: await fetch('http://127.0.0.2:9/').then(() => 'done', () => 'refused'),
        title: document.title,
      };
    });
    expect(done).toEqual({ markup: 'refused', handler: 'refused', script: 'refused', elsewhere: 'refused', title: expect.not.stringContaining('smuggled') });
  });
});

describe('a server that goes away', () => {
  it('is missed, and what happened meanwhile is caught up', async () => {
    const mortal = await Server.start({ workflows: { 't/hello': HELLO } });
    const page = await open(mortal);
    await mortal.kill();
    await page.getByText('The server can’t be reached. What you see may be old.').waitFor();
    await picture(page, 'server-away');
    await mortal.run();
    const run = await mortal.launch('t/hello');
    await mortal.reaches(run, 'succeeded');
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 5_000 }).catch(() => {});
    await page.getByText(/Reconnected, \d+ events caught up/).waitFor();
  });
});

describe('the account', () => {
  it('sets up a second factor, asks for it, and turns it off', async () => {
    await server.api('POST', '/users', { name: 'tess', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const page = await open(server, '/account', { name: 'tess', password: 'a long enough word' });
    await page.getByRole('button', { name: 'Set it up…' }).click();
    await page.getByLabel('Your password, once more').fill('not this');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('the present password is wrong').waitFor();
    await page.getByLabel('Your password, once more').fill('a long enough word');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('img', { name: /QR code/ }).waitFor();
    await picture(page, 'second-factor');
    const seed = (await page.locator('.seed').innerText()).trim();
    const recovery = (await page.getByRole('region', { name: 'Recovery codes' }).innerText()).trim().split(/\s+/);
    await page.getByLabel('Type the code that the app shows').fill(await codeOf(seed));
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByText('From now on a code is asked for').waitFor();

    const again = await visit(server);
    await again.getByLabel('Name or e-mail address').fill('tess');
    await again.getByLabel('Password').fill('a long enough word');
    await again.keyboard.press('Enter');
    await again.getByRole('heading', { name: 'One more thing' }).waitFor();
    await accessible(again, 'log-in, code');
    await again.getByLabel('Code').fill('000000');
    await again.keyboard.press('Enter');
    await again.getByText('the code is wrong').waitFor();
    await again.getByLabel('Code').fill(recovery[0]!);
    await again.keyboard.press('Enter');
    await again.locator('.shell').waitFor();

    await page.getByRole('button', { name: 'Turn it off…' }).click();
    await page.getByLabel('Your password, once more').fill('a long enough word');
    await page.getByRole('button', { name: 'Turn it off', exact: true }).click();
    await page.getByText('You log in with your password alone now').waitFor();
  });

  it('changes the password, and ends other sessions', async () => {
    await server.api('POST', '/users', { name: 'paul', password: 'a long enough word', bindings: [] });
    const page = await open(server, '/account', { name: 'paul', password: 'a long enough word' });
    const other = await open(server, '/account', { name: 'paul', password: 'a long enough word' });
    await page.reload();
    await page.getByRole('row').nth(2).waitFor();
    await picture(page, 'account');
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.getByText('That session has ended').waitFor();
    await other.reload();
    await other.getByRole('heading', { name: 'Log in to Windlass' }).waitFor();
    await page.getByLabel('Present password').fill('a long enough word');
    await page.getByLabel('New password').fill('short');
    await page.getByLabel('The new one again').fill('short');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('At least 10 characters.', { exact: true }).waitFor();
    await page.getByLabel('New password').fill('another long word');
    await page.getByLabel('The new one again').fill('another long word');
    await page.keyboard.press('Enter');
    await page.getByText('Your password is changed').waitFor();
    await logIn(other, 'paul', 'another long word');
  });
});

describe('the palette and the help', () => {
  it('find pages, workflows and runs with the keyboard alone', async () => {
    const run = await server.launch('t/hello');
    await server.reaches(run, 'succeeded');
    const page = await open(server);
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'What do you look for?' });
    await field.waitFor();
    await page.getByRole('option', { name: /t\/hello/ }).first().waitFor();
    await picture(page, 'palette');
    await field.fill('launch hello');
    await page.keyboard.press('Enter');
    await until('the launch form', () => new URL(page.url()).pathname === '/launch/t/hello');
    await field.waitFor({ state: 'hidden' });
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await page.keyboard.press('Control+k');
    await field.fill(run.slice(-6));
    await page.getByRole('option', { name: new RegExp(run.slice(-8)) }).waitFor();
    await page.keyboard.press('Enter');
    await until('the run', () => new URL(page.url()).pathname === `/runs/${run}`);
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Escape');
    await field.waitFor({ state: 'hidden' });
  });

  it('go to pages with two keys, list all keys, and leave fields alone', async () => {
    const page = await open(server, '/account');
    await page.locator('main h1').focus();
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await picture(page, 'shortcuts');
    await page.keyboard.press('Escape');
    await page.getByLabel('Present password').focus();
    await page.keyboard.type('g r?');
    expect(new URL(page.url()).pathname).toBe('/account');
    await page.locator('main h1').focus();
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await until('the runs', () => new URL(page.url()).pathname === '/runs');
    expect(await until('the focus', () => page.evaluate(() => document.activeElement?.tagName === 'H1'))).toBe(true);
  });
});

describe('navigation', () => {
  it('goes back and forward, and says when there is no such page', async () => {
    const page = await open(server);
    const pages = page.getByRole('navigation', { name: 'Pages' });
    await pages.getByRole('link', { name: 'Workflows' }).click();
    await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor();
    await page.goBack();
    await until('the start', () => new URL(page.url()).pathname === '/');
    await page.goForward();
    await page.getByRole('heading', { name: 'Workflows', level: 1 }).waitFor();
    await page.goto('/nothing/here');
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await accessible(page);
  });

  it('shows what somebody may see, and says what it takes for the rest', async () => {
    await server.api('POST', '/users', { name: 'vera', password: 'a long enough word', bindings: [{ role: 'viewer', organisation: 'platform' }] });
    const page = await open(server, '/users', { name: 'vera', password: 'a long enough word' });
    await page.getByRole('heading', { name: 'You may not see this' }).waitFor();
    await accessible(page);
    const pages = page.getByRole('navigation', { name: 'Pages' });
    expect(await pages.getByRole('link', { name: 'Users' }).count()).toBe(0);
    expect(await pages.getByRole('link', { name: 'Runs' }).count()).toBe(1);
  });

  it('fits a small screen, with a bar at the bottom and a drawer', async () => {
    const page = await open(server, '/account', { width: 390, height: 844 });
    await fitsWidth(page);
    await page.getByRole('navigation', { name: 'Main pages' }).getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Open the navigation' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Schedules' }).waitFor();
    await picture(page, 'drawer-390');
    await page.getByRole('dialog').getByRole('link', { name: 'Schedules' }).click();
    await page.getByRole('heading', { name: 'Schedules', level: 1 }).waitFor();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  });

  it('switches the organisation, and remembers it', async () => {
    await server.api('POST', '/organisations', { name: 'acme', title: 'Acme Ltd' });
    const page = await open(server);
    await page.getByRole('button', { name: /choose the organisation/ }).click();
    await page.getByRole('menuitemradio', { name: /Acme Ltd/ }).click();
    await page.reload();
    await page.getByRole('button', { name: /choose the organisation/ }).getByText('Acme Ltd').waitFor();
  });

  it('keeps the whole navigation in reach on a low screen: the pages scroll, who one is stays', async () => {
    const page = await open(server, '/nodes', { width: 1280, height: 640 });
    const pages = page.getByRole('navigation', { name: 'Pages' });
    const [user, last] = [page.getByRole('button', { name: /account and settings/ }), pages.getByRole('link').last()];
    const inSight = (of: typeof user) => of.evaluate((one) => one.getBoundingClientRect().bottom <= innerHeight && one.getBoundingClientRect().top >= 0);
    await user.waitFor();
    expect(await pages.evaluate((one) => one.scrollHeight > one.clientHeight)).toBe(true);
    expect(await inSight(user)).toBe(true);
    // Where one is has been scrolled to.
    await until('the page to be in sight', () => inSight(pages.locator('[aria-current=page]')));
    await last.focus();
    expect([await inSight(last), await inSight(user)]).toEqual([true, true]);
    await picture(page, 'navigation-low');
  });

  it('takes the colours that one chooses', async () => {
    const page = await open(server, '/account');
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const before = await ground();
    await page.getByRole('radio', { name: 'Dark' }).check({ force: true });
    expect(await ground()).not.toBe(before);
    await page.reload();
    await page.locator('.shell').waitFor();
    expect(await ground()).not.toBe(before);
  });
});
