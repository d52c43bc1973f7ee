// How the browser tests in tests/ui run: few files at a time, because each has a server and a browser.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('../tests/ui'),
  cacheDir: here('./node_modules/.vite-e2e'),
  resolve: {
    // The tests stand outside of ui/, their libraries inside.
    alias: { 'playwright-core': here('./node_modules/playwright-core/index.mjs'), 'axe-core': here('./node_modules/axe-core/axe.js'), vitest: here('./node_modules/vitest/dist/index.js') },
  },
  test: {
    include: ['**/*.e2e.ts'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    maxWorkers: Math.max(1, Math.min(3, availableParallelism() - 1)),
  },
});
