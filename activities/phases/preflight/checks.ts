import type { z } from 'zod';
import { KubewrightError } from '../../../contracts/errors.ts';
import { scanFolder } from '../../../store/scan-folder.ts';
import { type Check, SUBJECTS } from './check.ts';

/** The checks of a folder (default: `checks/`), by subject, then by name. Adding a check is adding a file. */
export async function scanChecks(folder: URL = new URL('./checks/', import.meta.url)): Promise<Check[]> {
  const isCheck = (value: unknown): value is Check =>
    typeof value === 'object' && value !== null && ['name', 'about', 'title'].every((key) => key in value);
  const checks = await scanFolder(folder, isCheck);
  const rank = (check: Check) => SUBJECTS.indexOf(check.about);
  return checks.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** The options of all checks as one shape. Throws INTERNAL when two checks have an option of one name. */
export function optionShapes(checks: readonly Check[]): z.ZodRawShape {
  const shape: Record<string, z.ZodRawShape[string]> = {};
  for (const { name, options = {} } of checks) {
    for (const [key, schema] of Object.entries(options)) {
      if (Object.hasOwn(shape, key)) throw new KubewrightError('INTERNAL', `check ${name}: option ${key} exists twice`);
      shape[key] = schema;
    }
  }
  return shape;
}
