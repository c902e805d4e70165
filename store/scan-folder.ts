import { readdir } from 'node:fs/promises';
import { KubewrightError } from '../contracts/errors.ts';

/**
 * What the sources of a folder export as default, by file name: adding a part is adding a file, without a line in a table.
 * `isPart` checks what such a folder holds. Throws INTERNAL, with the file, for one that exports something else, so that a
 * forgotten export fails at the start. Stands in store/ because every layer that runs on Node may import it.
 */
export async function scanFolder<Part>(folder: URL, isPart: (value: unknown) => value is Part): Promise<Part[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')).sort();
  return await Promise.all(
    names.map(async (name) => {
      const { default: part } = (await import(new URL(name, folder).href)) as { default?: unknown };
      if (isPart(part)) return part;
      throw new KubewrightError(
        'INTERNAL',
        `${new URL(name, folder).pathname} has no default export that belongs here`,
      );
    }),
  );
}
