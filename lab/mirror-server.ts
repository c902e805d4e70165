import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { removeCgroups } from './cgroups.ts';
import type { LabPaths } from './paths.ts';
import { isAlive } from './processes.ts';
import { tail } from './run.ts';
import { spawnInCgroups } from './spawn.ts';
import type { Progress } from './types.ts';

/** Where the hosts of a lab find the artifact mirror, on this machine's address of their network. */
export const MIRROR_PORT = 8090;
const START_TIMEOUT_MS = 20_000;

/**
 * Builds what the mirror lacks and returns its root. `phases`: those whose files a mirror has only on demand. Loaded only when
 * wanted: it pulls in the build tools.
 */
export async function buildMirror(cacheDir: string, phases: readonly string[], onProgress: Progress): Promise<string> {
  const { ensureMirror } = await import('./mirror/mirror.ts');
  const { root } = await ensureMirror({
    cacheDir,
    with: phases,
    onProgress: ({ artifact, state, elapsedMs, source, message }) => {
      const seconds = elapsedMs >= 1_000 ? ` ${(elapsedMs / 1_000).toFixed(0)} s` : '';
      onProgress(`mirror: ${artifact} ${state}${seconds}${(message ?? source) ? ` (${message ?? source})` : ''}`);
    },
  });
  return root;
}

/** The cgroup of a lab's mirror process: what a killed `up` started is found by it. */
function mirrorCgroup(lab: LabPaths): string {
  return `kwlab-${lab.name}-mirror`;
}

/** Starts the mirror's web server as a process of its own that outlives this one; returns its address. */
export async function startMirror(lab: LabPaths, root: string, address: string): Promise<string> {
  await stopMirror(lab);
  const url = mirrorUrl(address);
  const log = join(lab.stateDir, 'mirror.log');
  const script = join(import.meta.dirname, 'mirror', 'serve.ts');
  const argv = [process.execPath, script, '--root', root, '--host', address, '--port', String(MIRROR_PORT)];
  const id = await spawnInCgroups(mirrorCgroup(lab), argv, log);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await mirrorAnswers(url))) {
    if (id === null || !(await isAlive(id)) || Date.now() > deadline) {
      const evidence = tail(await readFile(log, 'utf8').catch(() => ''));
      throw new KubewrightError('LAB_FAILED', `the artifact mirror does not answer at ${url}`, { evidence });
    }
    await sleep(50);
  }
  return url;
}

/** Ends the mirror's web server, recorded or not. */
export async function stopMirror(lab: LabPaths): Promise<void> {
  await removeCgroups(mirrorCgroup(lab));
}

export function mirrorUrl(address: string): string {
  return `http://${address}:${MIRROR_PORT}`;
}

/** True when the mirror serves its manifest. */
export async function mirrorAnswers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/manifest.json`, { method: 'HEAD', signal: AbortSignal.timeout(2_000) });
    return response.ok;
  } catch {
    return false;
  }
}
