import { run } from '../run.ts';

/** Same input, same bytes: sorted names, fixed times, numeric owners. */
const STEADY = ['--sort=name', '--mtime=@0', '--numeric-owner', '--format=gnu'];
const AS_ROOT = ['--owner=0', '--group=0'];

/** Packs the named entries of `folder`, all owned by root, into a gzipped archive at level 1: the mirror is a local network. */
export async function packTarGz(folder: string, entries: readonly string[], target: string): Promise<void> {
  await run(['tar', ...STEADY, ...AS_ROOT, '-I', 'gzip -1 -n', '-C', folder, '-cf', target, ...entries], {
    timeoutMs: 300_000,
  });
}

/** Packs a folder as a plain tar; owners as they are unless `asRoot`. */
export async function packTar(folder: string, target: string, options: { asRoot: boolean }): Promise<void> {
  await run(['tar', ...STEADY, ...(options.asRoot ? AS_ROOT : []), '-C', folder, '-cf', target, '.'], {
    timeoutMs: 300_000,
  });
}
