import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEADLAMP } from '../../../activities/phases/dashboard/artifacts.ts';
import { BUSYBOX } from '../../../activities/phases/verify/public.ts';
import type { Lab } from '../../../lab/types.ts';
import { run, ssh } from '../../e2e/support.ts';

interface Descriptor {
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/**
 * Answers HTTP where headlamp does, whatever its arguments are. Headlamp itself cannot be had without the open network: its image
 * is in no mirror of a lab.
 */
const ENTRYPOINT = [
  ...['/bin/busybox', 'sh', '-c'],
  '/bin/busybox echo stand-in >/tmp/index.html && exec /bin/busybox httpd -f -p 4466 -h /tmp',
];

/** Puts an image under the upstream name of headlamp on every host of the lab, as a pull would: busybox of the mirror with another entry point. */
export async function loadStandIn(lab: Lab): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-stand-in-'));
  try {
    const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const layout = join(folder, 'layout');
    mkdirSync(layout);
    const answer = await fetch(`${lab.mirror!}/${BUSYBOX.file(arch).mirrorPath}`);
    if (!answer.ok) throw new Error(`the mirror answers ${answer.status} for busybox`);
    writeFileSync(join(folder, 'busybox.tar'), Buffer.from(await answer.arrayBuffer()));
    await run('tar', ['-xf', join(folder, 'busybox.tar'), '-C', layout]);

    const blob = (digest: string) => join(layout, 'blobs', ...digest.split(':'));
    const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
    const changed = <T extends object>(from: Descriptor, change: (content: T) => void): Descriptor => {
      const content = read<T>(blob(from.digest));
      change(content);
      const text = JSON.stringify(content);
      const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
      writeFileSync(blob(digest), text);
      return { ...from, digest, size: Buffer.byteLength(text) };
    };
    const index = read<{ manifests: [Descriptor] }>(join(layout, 'index.json'));
    index.manifests[0] = {
      ...changed<{ config: Descriptor }>(index.manifests[0], (manifest) => {
        manifest.config = changed<{ config: { Entrypoint: string[] } }>(manifest.config, ({ config }) => {
          config.Entrypoint = ENTRYPOINT;
        });
      }),
      annotations: { 'io.containerd.image.name': HEADLAMP.upstream },
    };
    writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
    await run('tar', ['-cf', join(folder, 'headlamp.tar'), '-C', layout, '.']);
    const packed = readFileSync(join(folder, 'headlamp.tar')).toString('base64');
    for (const host of lab.hosts) await ssh(host, 'base64 -d | ctr -n k8s.io images import -', packed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes it away again. */
export async function removeStandIn(lab: Lab): Promise<void> {
  for (const host of lab.hosts) await ssh(host, `ctr -n k8s.io images rm ${HEADLAMP.upstream}`);
}
