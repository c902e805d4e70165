import { parseArgs } from 'node:util';
import { ARCHES, isArch } from '../../activities/artifacts/artifact.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { ensureMirror } from './mirror.ts';

/**
 * `npm run mirror -- [--kubernetes 1.36.3] [--only kubernetes,etcd] [--with calico] [--arch arm64]`: fills the mirror and prints
 * its folder. `--with`: phases, or units, that a mirror has only on demand. `--arch`: for other machines than this one; what needs a
 * C compiler or Debian's packages is then only downloaded, never built.
 */
const { values } = parseArgs({
  options: {
    kubernetes: { type: 'string' },
    only: { type: 'string' },
    with: { type: 'string' },
    arch: { type: 'string' },
  },
});
const started = Date.now();
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const { arch } = values;
try {
  if (arch !== undefined && !isArch(arch)) throw new Error(`--arch ${arch}: ${ARCHES.join(' or ')}`);
  const { root } = await ensureMirror({
    ...(values.kubernetes === undefined ? {} : { kubernetesVersion: values.kubernetes }),
    ...(values.only === undefined ? {} : { only: values.only.split(',') }),
    ...(values.with === undefined ? {} : { with: values.with.split(',') }),
    ...(arch === undefined ? {} : { arch }),
    onProgress: ({ artifact, state, elapsedMs, source, message }) =>
      console.error(
        `[${seconds(Date.now() - started)}] ${artifact}: ${[state, message ?? source].filter(Boolean).join(' ')} (${seconds(elapsedMs)})`,
      ),
  });
  console.log(root);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (KubewrightError.is(error) && error.evidence) console.error(error.evidence);
  process.exit(1);
}
