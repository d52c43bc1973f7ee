// The tour of the README, done with the keyboard alone: log in, launch from the palette, watch it to its end. With UI_PICTURES=1
// it leaves the README's pictures in docs/pictures.
import { beforeAll, expect, it } from 'vitest';
import { picture, Server, tabTo, until, visit } from './harness';
import { keep } from './pictures';

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});

it('from the first log-in to a finished run, without a mouse', async () => {
  const page = await visit(server);
  await page.getByLabel('Name or e-mail address').waitFor();
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await page.keyboard.type(server.password);
  await page.keyboard.press('Enter');
  await page.locator('.shell').waitFor();
  await picture(page, 'tour-start');

  await page.keyboard.press('Control+k');
  await page.getByRole('option', { name: /Start/ }).first().waitFor();
  await page.keyboard.type('launch tour');
  await page.getByRole('option', { name: /Launch lab\/tour/, selected: true }).waitFor();
  await picture(page, 'tour-palette');
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'A tour without rights', level: 1 }).waitFor();
  await picture(page, 'tour-launch');
  await tabTo(page, /^Launch$/);
  await page.keyboard.press('Enter');

  await until('the run’s page', () => /^\/runs\/[0-9a-z]{26}$/.test(new URL(page.url()).pathname));
  const run = new URL(page.url()).pathname.slice('/runs/'.length);
  await server.reaches(run, 'succeeded');
  await page.locator('main').getByText('Succeeded').first().waitFor();
  // Its message goes by itself; the picture doesn't wait for that.
  for (const close of await page.getByRole('button', { name: 'Close this message' }).all()) await close.click();
  await keep(page, 'run');

  await page.locator('main h1').focus();
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await page.getByRole('link', { name: /lab\/tour/ }).first().waitFor();
  expect(await page.locator('main').getByText('Succeeded').count()).toBeGreaterThan(0);
});
