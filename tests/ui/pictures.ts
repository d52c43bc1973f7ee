// Pictures for the documentation, small: WebP, as Chromium itself writes it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { picture, root } from './harness';

const QUALITY = 82;

/** Looks at a page in both schemes; with UI_PICTURES=1 the light one becomes `docs/pictures/<name>.webp`. */
export async function keep(page: Page, name: string) {
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, name.replaceAll('/', '-'));
  if (!process.env.UI_PICTURES) return;
  const file = join(root, 'docs/pictures', `${name}.webp`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, await webp(page));
}

/** What is in sight. */
export async function webp(page: Page, quality = QUALITY): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = (await session.send('Page.captureScreenshot', { format: 'webp', quality })) as { data: string };
  await session.detach();
  return Buffer.from(data, 'base64');
}
