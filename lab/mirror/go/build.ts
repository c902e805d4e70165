import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { type GoToolchain, go } from './toolchain.ts';

/** How often the count of compiled packages is reported, ms. */
const REPORT_EVERY_MS = 5_000;

/**
 * Compiles the prepared module in `folder` and returns where each output lies.
 * Without -trimpath: it would stamp each package with the module version that was asked for instead of the one in use,
 * and projects that share a package would not share its compiled form.
 */
export async function buildModule(
  recipe: GoRecipe,
  folder: string,
  toolchain: GoToolchain,
  onProgress: (message: string) => void,
  packages: number,
): Promise<Map<string, string>> {
  const out = join(folder, 'out');
  await mkdir(out, { recursive: true });
  const options = ['-v', '-buildvcs=false', '-ldflags', ['-s -w', ...recipe.ldflags].join(' ')];
  if (recipe.tags?.length) options.push('-tags', recipe.tags.join(','));

  let compiled = 0;
  let lastReport = Date.now();
  const compile = (args: readonly string[]) =>
    go(toolchain, args, {
      cwd: folder,
      ...(recipe.cgo ? { cgo: true } : {}),
      // -v names each package when it is compiled; what the cache has is not named.
      onLine: () => {
        compiled += 1;
        if (Date.now() - lastReport < REPORT_EVERY_MS) return;
        lastReport = Date.now();
        onProgress(`${compiled} of at most ${packages} packages compiled`);
      },
    });
  const { builds, tests = [] } = recipe;
  if (builds.length > 0) await compile(['build', ...options, '-o', `${out}/`, ...builds.map(({ pkg }) => pkg)]);
  for (const { pkg, output } of tests) {
    // vet takes minutes for large suites, and is the project's business.
    await compile(['test', '-c', '-vet=off', ...options, '-o', join(out, output), pkg]);
  }
  return new Map([
    ...builds.map(({ pkg, output }) => [output, join(out, executableName(pkg))] as const),
    ...tests.map(({ output }) => [output, join(out, output)] as const),
  ]);
}

/** The file name that go gives a main package: its last path element, but not a bare major version. */
function executableName(pkg: string): string {
  if (pkg === '.') return 'build';
  const elements = pkg.split('/');
  const last = elements.at(-1) ?? '';
  return /^v\d+$/.test(last) ? basename(elements.slice(0, -1).join('/')) : last;
}
