// How the interface is built, served while one works on it, and tested.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin, ProxyOptions } from 'vite';
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

/** xterm writes `style` attributes, which the Content-Security-Policy refuses; the element's own style isn't. And it forgets in one
 * place which document it was given. */
const xterm: Plugin = {
  name: 'xterm-styles',
  transform(code, id) {
    if (!id.includes('@xterm/xterm/lib/')) return;
    const styles = /(\w+)\.setAttribute\("style",(`[^`]*`)\)/;
    const forgets = /this\._document\?\?typeof window<"u"\?window\.document:null/;
    if (!styles.test(code) || !forgets.test(code)) this.error('xterm is written in another way now: look at vite.config.ts');
    return { code: code.replace(styles, '$1.style.cssText=$2').replace(forgets, 'this._document'), map: null };
  },
};

/** Where each dynamic import of a build goes through, to fetch the part's files first: ours tries again (src/lib/preload.ts). */
const HELPER = '\0vite/preload-helper.js';
const preloading = (): Plugin => {
  let isOurs = false;
  return {
    name: 'preload-again',
    apply: 'build',
    transform(_, id) {
      if (id !== HELPER) return;
      isOurs = true;
      const file = fileURLToPath(new URL('./src/lib/preload.ts', import.meta.url));
      return { code: `export { preload as __vitePreload } from ${JSON.stringify(file)};`, map: null };
    },
    generateBundle() {
      if (!isOurs) this.error('Vite has its helper of imports elsewhere now: look at vite.config.ts');
    },
  };
};

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), xterm, preloading()],
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
    testTimeout: 30_000,
  },
}));
