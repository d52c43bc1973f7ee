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
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'pages',
          include: ['**/*.e2e.ts'],
          exclude: ['**/*-speed.e2e.ts'],
          maxWorkers: Math.max(1, Math.min(3, availableParallelism() - 1)),
          sequence: { groupOrder: 0 },
        },
      },
      // What is measured runs alone, after everything else, and again if somebody else used the machine meanwhile.
      { extends: true, test: { name: 'speed', include: ['**/*-speed.e2e.ts'], maxWorkers: 1, retry: 2, sequence: { groupOrder: 1 } } },
    ],
  },
});
