// What tests of the Sovereign's wizard share.
import type { Page } from 'playwright-core';

/** Makes a key, downloads its private half, and says so: before that the wizard doesn't go on. */
export async function makeKey(page: Page) {
  await page.getByRole('button', { name: /^Make (a|another) key$/ }).click();
  await page.getByText('Made here').waitFor();
  await page.getByRole('button', { name: 'Download the private half' }).click();
  await page.getByLabel('I have saved the private half').check();
  await page.getByText('Private half saved').waitFor();
}
