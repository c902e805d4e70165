import { parseArgs } from 'node:util';
import { KubewrightError } from '../../contracts/errors.ts';
import { ensureMirror } from './mirror.ts';

/** `node lab/mirror/main.ts [--kubernetes 1.36.3] [--only kubernetes,etcd]`: fills the mirror and prints its folder. */
const { values } = parseArgs({ options: { kubernetes: { type: 'string' }, only: { type: 'string' } } });
const started = Date.now();
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
try {
  const { root } = await ensureMirror({
    ...(values.kubernetes === undefined ? {} : { kubernetesVersion: values.kubernetes }),
    ...(values.only === undefined ? {} : { only: values.only.split(',') }),
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
