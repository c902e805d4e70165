import { buildMirror } from '../../lab/mirror-server.ts';
import { defaultCacheDir } from '../../lab/paths.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';

/**
 * What clusters of tests are built from, before the first test begins: on a machine with empty caches it takes a quarter
 * of an hour, which no test's own time limit has room for.
 */
export default async function setup(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  await Promise.all([buildMirror(defaultCacheDir(), [], say), resolveTemporalBinary({ onProgress: say })]);
}
