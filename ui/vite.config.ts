// How the interface is built, served while one works on it, and tested.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';

// The server that pages talk to while one works on them: `windlass dev`.
const server = process.env.WINDLASS_URL ?? 'http://127.0.0.1:7070';
const way: ProxyOptions = {
  target: server,
  // Consoles are WebSockets.
  ws: true,
  // A stream whose server was killed ends for the browser, too.
  configure: (proxy) => proxy.on('proxyRes', (upstream, _, answer) => upstream.on('close', () => answer.writableEnded || answer.destroy())),
};
const proxy = Object.fromEntries(['/api', '/livez', '/readyz'].map((path) => [path, way]));

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  // Several Vite servers at once need a folder each.
  cacheDir: process.env.UI_CACHE,
  resolve: {
    alias: { $lib: fileURLToPath(new URL('./src/lib', import.meta.url)) },
    // Tests run components as browsers do.
    ...(mode === 'test' ? { conditions: ['browser'] } : {}),
  },
  server: { port: 5173, strictPort: false, proxy },
  preview: { proxy },
  build: {
    target: 'es2022',
    // Its own file stays, without which the binary's build can't see whether anything changed.
    emptyOutDir: false,
    // Inlined files would be data: addresses, which the Content-Security-Policy doesn't allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/lib/testing/setup.ts'],
    restoreMocks: true,
  },
}));
