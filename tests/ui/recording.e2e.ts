// The README's recording: a Sovereign, from an empty form to its address. With UI_PICTURES=1 it becomes docs/pictures/sovereign.webp.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { Film } from './film';
import { open, pictures, root, Server } from './harness';
import { makeKey } from './sovereign';

/** Bytes of a recording, at most: everybody who reads the README fetches it. */
const LIMIT = 1_000_000;

let server: Server;
beforeAll(async () => {
  server = await Server.start({ playground: true });
});

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

it('a Sovereign comes to be, in a film', async () => {
  const film = new Film();
  const page = await open(server);
  await page.getByRole('heading', { name: 'Provision a Sovereign' }).waitFor();
  const step = async (to: string) => {
    await film.take(page, 1_200);
    await page.getByRole('button', { name: /^(Next|Review)$/ }).click();
    await heading(page, to);
  };
  await film.take(page, 1_800);
  await page.getByRole('link', { name: 'Choose and provision' }).click();
  await heading(page, 'Org');
  await page.getByLabel('Organisation', { exact: true }).fill('omantel');
  await page.getByLabel('Owner').fill('ann@omantel.example');
  await step('Topology');
  await page.locator('label.card', { hasText: 'Dual' }).click();
  await page.getByLabel('Three control planes').check();
  await step('Provider');
  for (const [index, place] of ['Falkenstein', 'Nuremberg'].entries()) await page.locator(`[data-pointer="/regions/${index}"]`).locator('label.card', { hasText: place }).click();
  await page.locator('[data-pointer="/regions/0/worker_size"] label.card.checked').waitFor();
  await step('Credentials');
  await makeKey(page);
  await page.getByText('The provider takes the token of main').waitFor();
  await step('Components');
  await page.getByRole('button', { name: 'Fill in a template' }).click();
  await page.locator('label.card', { hasText: 'Grafana' }).click();
  await page.evaluate(() => scrollTo(0, 0));
  await step('Domain');
  await page.getByLabel('Name', { exact: true }).fill('omantel');
  await page.getByText('omantel.example.net can be had').waitFor();
  await step('Review');
  await page.getByText('It was rehearsed, and would succeed.').waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await film.take(page, 2_500);
  await page.getByRole('button', { name: 'Launch as rehearsed' }).click();
  await page.getByRole('region', { name: 'Phases' }).waitFor();
  await film.follow(page, 200, page.getByRole('heading', { name: 'omantel.example.net is there' }).waitFor({ timeout: 60_000 }));
  for (const close of await page.getByRole('button', { name: 'Close this message' }).all()) await close.click();
  await film.take(page, 3_500);

  expect(film.frames).toBeGreaterThan(12);
  const file = process.env.UI_PICTURES ? join(root, 'docs/pictures/sovereign.webp') : join(pictures, 'sovereign.webp');
  expect(film.write(file)).toBeLessThan(LIMIT);
  // A browser reads every picture of it.
  const frames = await page.evaluate(async (data) => {
    const Decoder = (globalThis as unknown as { ImageDecoder: new (init: object) => { tracks: { ready: Promise<void>; selectedTrack: { frameCount: number } }; decode: (init: object) => Promise<unknown> } }).ImageDecoder;
    const decoder = new Decoder({ type: 'image/webp', data: Uint8Array.from(atob(data), (one) => one.charCodeAt(0)) });
    await decoder.tracks.ready;
    const { frameCount } = decoder.tracks.selectedTrack;
    for (let frameIndex = 0; frameIndex < frameCount; frameIndex += 1) await decoder.decode({ frameIndex });
    return frameCount;
  }, readFileSync(file).toString('base64'));
  expect(frames).toBe(film.frames);
});
