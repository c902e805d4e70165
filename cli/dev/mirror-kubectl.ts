import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { KUBERNETES } from '../../activities/kube/artifacts.ts';
import { ensureMirror } from '../../lab/mirror/mirror.ts';

/** The lab's hosts are containers of this machine: same architecture. */
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Path of a kubectl in this folder, taken from the mirror: demo and tests need none installed. */
export async function mirrorKubectl(folder: string): Promise<string> {
  const { root } = await ensureMirror({ onProgress: () => undefined });
  const { kubectl } = KUBERNETES;
  const { mirrorPath } = kubectl.file(kubectl.version, arch);
  const path = join(folder, 'kubectl');
  copyFileSync(join(root, mirrorPath), path);
  chmodSync(path, 0o755);
  return path;
}
