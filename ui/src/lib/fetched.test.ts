// Parts of the interface: what is said when one can't be had, and that all of them are fetched in this way.
import { expect, it, vi } from 'vitest';
import { ApiProblem } from './api/problem';
import { fetched } from './fetched';
import { Missing } from './preload';
import { present } from './present';

vi.mock('./present', () => ({ present: vi.fn() }));
const lost = () => new TypeError('Failed to fetch dynamically imported module: http://x/assets/Run-1.js');
async function said(error: unknown): Promise<ApiProblem> {
  return fetched(() => Promise.reject(error as Error)).then(() => expect.fail('it came'), (problem: unknown) => problem as ApiProblem);
}

it('says that the server is gone, that it was upgraded, or that a file is kept back', async () => {
  vi.mocked(present).mockResolvedValue('none');
  expect(await said(lost())).toMatchObject({ code: 'unreachable', detail: 'The server can’t be reached.' });
  vi.mocked(present).mockResolvedValue('another');
  expect(await said(lost())).toMatchObject({ code: 'outdated', detail: 'The server was upgraded since this page was opened.' });
  vi.mocked(present).mockResolvedValue('ours');
  expect((await said(lost())).help).toMatch(/^Load the page again/);
  expect((await said(new Missing('/assets/Run-1.css'))).code).toBe('unreachable');
  // What is broken in it is our mistake.
  expect((await said(new ReferenceError('x is not defined'))).help).toMatch(/mistake in the interface/);
});

it('is how all parts are fetched', () => {
  const sources = import.meta.glob(['/src/**/*.{ts,svelte}', '!/src/**/*.test.ts', '!/src/routes.ts'], { query: '?raw', import: 'default', eager: true }) as Record<string, string>;
  expect(Object.keys(sources).length).toBeGreaterThan(200);
  const loose = Object.entries(sources).flatMap(([file, text]) =>
    text.split('\n').filter((line) => /(?<!typeof )(?<![:(|]\s*)\bimport\(/.test(line) && !line.includes('fetched(')).map((line) => `${file}: ${line.trim()}`),
  );
  expect(loose).toEqual([]);
});
