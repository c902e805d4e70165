import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { run } from '../../e2e/support.ts';

/**
 * The commit of the version that users have: written down here, because a clone that CI makes may have no tags. Changed
 * with each landing, together with the list of changes in upgrade.test.ts.
 */
export const LANDED = z
  .strictObject({ commit: z.string().regex(/^[0-9a-f]{40}$/) })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'landed.json'), 'utf8'))).commit;

const git = async (...args: string[]): Promise<string> =>
  (await run('git', ['-C', checkoutRoot, ...args], { maxBuffer: 1024 * 1024 })).stdout.trim();

/** Why the landed version cannot be read from this checkout; null: it can. Says what to do. */
export async function landedMissing(): Promise<string | null> {
  try {
    await git('cat-file', '-e', `${LANDED}^{commit}`);
    return null;
  } catch (cause) {
    const shallow = await git('rev-parse', '--is-shallow-repository').catch(() => 'no repository');
    if (shallow === 'no repository') return `this folder is not a clone: commit ${LANDED} cannot be read`;
    if (shallow === 'true') return `this clone is shallow and lacks commit ${LANDED}: git fetch --unshallow`;
    throw new Error(
      `commit ${LANDED} of test/matrix/upgrade/landed.json is not in this clone: write down one that is`,
      {
        cause,
      },
    );
  }
}

/**
 * The files of the landed version in a new folder, with packages as its own lock file says: those of this checkout where
 * the two lock files are equal.
 */
export async function landedCheckout(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = `${folder}.tar`;
  await git('archive', '--format=tar', `--output=${archive}`, LANDED);
  await run('tar', ['-xf', archive, '-C', folder]);
  rmSync(archive);
  const lock = (root: string) => readFileSync(join(root, 'package-lock.json'), 'utf8');
  const modules = join(checkoutRoot, 'node_modules');
  if (existsSync(modules) && lock(folder) === lock(checkoutRoot)) symlinkSync(modules, join(folder, 'node_modules'));
}
