import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import type { MatrixCase } from './case.ts';

const FOLDER = join(checkoutRoot, 'test/matrix/cases');

/** A case with its name. */
export interface NamedCase extends MatrixCase {
  name: string;
}

/** Every file of the folder, by name. Throws an Error for one without a case. */
export async function loadCases(folder = FOLDER): Promise<NamedCase[]> {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(join(folder, file))) as { default?: MatrixCase };
      if (!module.default) throw new Error(`test/matrix/cases/${file} has no default export: defineMatrixCase({...})`);
      return { ...module.default, name: file.slice(0, -'.ts'.length) };
    }),
  );
}
