import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const FOLDERS = [
  'contracts',
  'workflows',
  'activities',
  'store',
  'codec',
  'telemetry',
  'audit',
  'api',
  'worker',
  'cli',
  'lab',
  'ui',
  'test',
] as const;

/** Every TypeScript source, as path from the root and text. */
export function sources(): { path: string; text: string }[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') })),
  );
}

/** Module specifiers of a source with whether only types come from them. Good enough for our own formatted code. */
export function imports(text: string): { from: string; typeOnly: boolean }[] {
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\s+from\s+)?'([^']+)'/gm)].map(
    (match) => ({
      from: match[2]!,
      typeOnly: match[1] !== undefined,
    }),
  );
  const dynamic = [...text.matchAll(/\bimport\('([^']+)'\)/g)].map((match) => ({ from: match[1]!, typeOnly: false }));
  return [...found, ...dynamic];
}
