// Writes beside each built file that shrinks its gzip and Brotli forms, which the binary embeds.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
const brotli = (bytes) =>
  promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });

for (const name of await readdir(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg|json|woff2?)$/.test(name)) continue;
  const bytes = await readFile(new URL(name, dist));
  const [small, smaller] = await Promise.all([promisify(gzip)(bytes, { level: 9 }), brotli(bytes)]);
  if (small.length < bytes.length) await writeFile(new URL(`${name}.gz`, dist), small);
  if (smaller.length < bytes.length) await writeFile(new URL(`${name}.br`, dist), smaller);
}
