import { setTimeout as sleep } from 'node:timers/promises';
import { JournaledHost } from '../../../activities/host/journaled-host.ts';
import type { ExecResult, HostFacts, HostOpener, RemoteHost } from '../../../activities/host/types.ts';
import { KubewrightError } from '../../../contracts/errors.ts';

/** Facts of a plain machine. */
const FACTS: HostFacts = {
  hostname: 'simulated',
  machineId: '0123456789abcdef0123456789abcdef',
  bootId: '6b1f3c52-6f2e-4b8e-9d43-0a6f5c1d2e3f',
  arch: 'amd64',
  kernel: '6.1.0-31-amd64',
  os: { id: 'debian', idLike: [], versionId: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
  packageManager: 'apt',
  initSystem: 'systemd',
  cgroup: 2,
  cpus: 4,
  memoryMiB: 8192,
  virtualization: 'kvm',
};
const FINGERPRINT = `SHA256:${'simulated'.repeat(4)}AAAAAAA`;

/**
 * Hosts that exist in memory: every command takes `latencyMs` and prints about a kilobyte. Commands are journaled as those
 * of real hosts are, and end when the task is cancelled.
 */
export function simulatedHosts(latencyMs: number): HostOpener {
  return {
    async open(target, { signal, recorder, secrets }) {
      const answer = async (): Promise<ExecResult> => {
        const started = Date.now();
        await sleep(latencyMs, undefined, { signal }).catch((cause: unknown) => {
          throw new KubewrightError('COMMAND_ABORTED', 'the command was stopped', { host: target.name, cause });
        });
        const stdout = `${target.name}: a line of output as programs print it\n`.repeat(20);
        return { code: 0, stdout, stderr: '', durationMs: Date.now() - started, truncated: false };
      };
      const inner: RemoteHost = {
        name: target.name,
        exec: answer,
        script: answer,
        upload: async () => {
          await answer();
        },
      };
      return {
        host: new JournaledHost(inner, {
          recorder,
          hostKeyFingerprint: FINGERPRINT,
          secrets,
        }),
        facts: { ...FACTS, hostname: target.name },
        hostKeyFingerprint: FINGERPRINT,
      };
    },
  };
}
