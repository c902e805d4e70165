import { parseArgs } from 'node:util';
import { KubewrightError } from '../../contracts/errors.ts';
import { ensureMirror } from './mirror.ts';

/**
 * `npm run mirror -- [--kubernetes 1.36.3] [--only kubernetes,etcd] [--with calico]`: fills the mirror and prints its folder.
 * `--with`: phases, or units, that a mirror has only on demand.
 */
const { values } = parseArgs({
  options: { kubernetes: { type: 'string' }, only: { type: 'string' }, with: { type: 'string' } },
});
const started = Date.now();
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
try {
  const { root } = await ensureMirror({
    ...(values.kubernetes === undefined ? {} : { kubernetesVersion: values.kubernetes }),
    ...(values.only === undefined ? {} : { only: values.only.split(',') }),
    ...(values.with === undefined ? {} : { with: values.with.split(',') }),
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
