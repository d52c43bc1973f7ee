// A plugin's files, out of a folder that somebody has chosen or dropped; and what differs between two sets of them.
export type Files = Record<string, string>;

export const MANIFEST = 'plugin.toml';
export const SCRIPT = 'main.rhai';
/** As the server bounds them: a file, and all together. */
const FILE_BYTES = 1 << 20;
const ALL_BYTES = 8 << 20;

/** A file with its path, as a folder gives it. */
export interface Found {
  path: string;
  file: File;
}

/** Whether a plugin is made of such a file. */
export const belongs = (path: string) => path === MANIFEST || path === SCRIPT || /^fixtures\/[A-Za-z0-9_-][A-Za-z0-9._-]*\.json$/.test(path);

export const isArchive = (name: string) => /\.(tar\.gz|tgz|zip)$/i.test(name);

/** Scripts first, then the manifest, then recorded exchanges. */
export const inOrder = (paths: Iterable<string>) => {
  const rank = (path: string) => (path === SCRIPT ? 0 : path === MANIFEST ? 1 : 2);
  return [...paths].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0));
};

/** What of a folder is the plugin, whatever the folder is called; a sentence, if that can't be. */
export async function pluginOf(found: readonly Found[]): Promise<{ files: Files; leftOut: string[] } | string> {
  const manifests = found.map((one) => one.path).filter((path) => path === MANIFEST || path.endsWith(`/${MANIFEST}`));
  const depth = (path: string) => path.split('/').length;
  manifests.sort((a, b) => depth(a) - depth(b));
  const [first, second] = manifests;
  if (!first) return 'There is no plugin.toml in it. Choose the plugin’s own folder.';
  if (second && depth(second) === depth(first)) return `There are several plugins in it: ${first} and ${second}. Choose one plugin’s folder.`;
  const folder = first.slice(0, -MANIFEST.length);
  const mine = found.filter((one) => one.path.startsWith(folder) && belongs(one.path.slice(folder.length)));
  const large = mine.find((one) => one.file.size > FILE_BYTES);
  if (large) return `${large.path} is larger than 1 MiB.`;
  if (mine.reduce((sum, one) => sum + one.file.size, 0) > ALL_BYTES) return 'The files are larger than 8 MiB together.';
  const files: Files = {};
  for (const one of mine) {
    try {
      files[one.path.slice(folder.length)] = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await one.file.arrayBuffer());
    } catch {
      return `${one.path} isn’t UTF-8 text.`;
    }
  }
  return { files, leftOut: found.map((one) => one.path).filter((path) => !mine.some((one) => one.path === path)) };
}

/** The `id` that a manifest gives itself. */
export const idOf = (manifest: string | undefined) => /^\s*id\s*=\s*["']([a-z0-9][a-z0-9-]{0,39})["']/m.exec(manifest ?? '')?.[1];

const MOST = 2_000;

/** Files below what was dropped: folders are gone through, hidden ones are left out. */
export async function dropped(items: readonly (FileSystemEntry | null)[]): Promise<Found[]> {
  const found: Found[] = [];
  async function walk(entry: FileSystemEntry, path: string): Promise<void> {
    if (found.length >= MOST || entry.name.startsWith('.')) return;
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push({ path: path + entry.name, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    // A reader gives a hundred at a time.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}${entry.name}/`);
    }
  }
  for (const item of items) if (item) await walk(item, '');
  return found;
}

export interface Changed {
  path: string;
  kind: 'added' | 'removed' | 'changed';
  before: string;
  after: string;
}

/** Files that differ, scripts first. */
export function changed(before: Files, after: Files): Changed[] {
  return inOrder(new Set([...Object.keys(before), ...Object.keys(after)])).flatMap((path) => {
    const [old, now] = [before[path], after[path]];
    if (old === now) return [];
    return [{ path, kind: old === undefined ? 'added' : now === undefined ? 'removed' : 'changed', before: old ?? '', after: now ?? '' } as const];
  });
}
