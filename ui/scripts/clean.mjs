// Empties dist/ but for the file that keeps it there.
import { readdir, rm } from 'node:fs/promises';

const dist = new URL('../dist/', import.meta.url);
for (const name of await readdir(dist).catch(() => [])) {
  if (name !== '.gitignore') await rm(new URL(name, dist), { recursive: true });
}
