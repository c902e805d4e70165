import type { Logger } from 'pino';
import { scanFolder } from '../../store/scan-folder.ts';
import { type Check, createReadiness, type Readiness, type ReadinessDeps } from './readiness.ts';

/** The checks of `/readyz` for this process: one for each file of a folder (default: `parts/`). */
export async function openReadiness(
  { logger, ...deps }: ReadinessDeps & { logger: Logger },
  folder: URL = new URL('./parts/', import.meta.url),
): Promise<Readiness> {
  type Part = (deps: ReadinessDeps) => Check;
  const parts = await scanFolder(folder, (value): value is Part => typeof value === 'function');
  return createReadiness(
    parts.map((part) => part(deps)),
    { logger },
  );
}
