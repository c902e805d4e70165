import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Bytes, gzipped, that the first view may load: the entry, what it imports statically, and its styles. */
const FIRST_LOAD_LIMIT = 350 * 1024;

/** Reports the first load after each build, and fails the build above the limit. */
const firstLoad: Plugin = {
  name: 'first-load',
  generateBundle(_, bundle) {
    const wanted = new Set<string>();
    const add = (name: string) => {
      const chunk = bundle[name];
      if (wanted.has(name) || chunk?.type !== 'chunk') return;
      wanted.add(name);
      for (const each of chunk.imports) add(each);
    };
    for (const [name, chunk] of Object.entries(bundle)) if (chunk.type === 'chunk' && chunk.isEntry) add(name);
    let bytes = 0;
    for (const [name, file] of Object.entries(bundle)) {
      if (file.type === 'chunk' && wanted.has(name)) bytes += gzipSync(file.code).length;
      if (file.type === 'asset' && name.endsWith('.css')) bytes += gzipSync(file.source).length;
    }
    const kilobytes = (bytes / 1024).toFixed(1);
    this.info(`first load: ${kilobytes} kB gzipped, of ${FIRST_LOAD_LIMIT / 1024} kB`);
    if (bytes > FIRST_LOAD_LIMIT)
      this.error(`the first load has ${kilobytes} kB gzipped: load large parts when they are needed`);
  },
};

/** Of `npm run ui:dev`: the API that it passes requests to. */
const api = process.env['KUBEWRIGHT_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  base: '/ui/',
  plugins: [react(), firstLoad],
  build: {
    outDir: join(import.meta.dirname, 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    // A data: address of an image or style is one more source that the policy of the page had to allow.
    assetsInlineLimit: 0,
  },
  server: { proxy: { '^/(?!ui/)': { target: api, changeOrigin: false } } },
});
