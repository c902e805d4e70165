import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureProgram } from '../../lab/programs/ensure.ts';
import { dockerCompose, dockerDaemon } from '../../lab/programs/recipes.ts';
import type { Ran } from '../../lab/run.ts';
import { run, tryRun } from '../../lab/run.ts';
import type { LabHost } from '../../lab/types.ts';
import type { ImportableImage } from './docker-images.ts';

const shell = promisify(execFile);

/** A lab host with Docker and compose on it. */
export interface DockerHost {
  host: LabHost;
  /** A command on the host; never throws for its exit code. */
  ssh(command: string): Promise<Ran>;
  /** The same; throws with its output when it fails. */
  must(command: string, timeoutMs?: number): Promise<string>;
  /** Copies files of this machine into a folder of the host, by name. */
  copy(files: string[], folder: string, from?: string): Promise<void>;
  load(image: ImportableImage): Promise<void>;
}

/**
 * Installs Docker on a bare lab host: Debian's package for its CLI, containerd and runc, then dockerd 28 and compose v2 of
 * our own build over it. Debian's 20.10 resolves names in networks without a way out too slowly for gRPC.
 */
export async function dockerHost(host: LabHost, say: (line: string) => void): Promise<DockerHost> {
  const login = [
    ...['ssh', '-i', host.sshKey, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    ...['-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=10', `${host.user}@${host.address}`],
  ];
  const ssh = (command: string, timeoutMs = 600_000) => tryRun([...login, command], { timeoutMs });
  const must = async (command: string, timeoutMs?: number) =>
    (await run([...login, command], timeoutMs ? { timeoutMs } : { timeoutMs: 600_000 })).stdout;
  const pipe = (command: string, timeoutMs = 900_000) =>
    shell('bash', ['-o', 'pipefail', '-c', command], { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 });
  const remote = (command: string) => `${login.map(quote).join(' ')} ${quote(command)}`;
  const copy = async (files: string[], folder: string, from = '/') => {
    await pipe(
      `tar -C ${quote(from)} -cf - ${files.map(quote).join(' ')} | ${remote(`mkdir -p ${folder} && tar -C ${folder} -xf -`)}`,
    );
  };
  const [daemon, compose] = [await ensureProgram(dockerDaemon, say), await ensureProgram(dockerCompose, say)];
  say('docker host: packages');
  await must(
    'export DEBIAN_FRONTEND=noninteractive; apt-get update -q </dev/null && apt-get install -q -y --no-install-recommends docker.io iptables ca-certificates curl </dev/null',
  );
  await must('systemctl stop docker.socket docker containerd; true');
  await copy(['dockerd', 'docker-proxy'], '/usr/sbin', daemon);
  await copy(['docker-compose'], '/usr/libexec/docker/cli-plugins', compose);
  // A lab's network carries 1400 bytes.
  const mtu = Number((await must('cat /sys/class/net/host0/mtu')).trim());
  const config = { mtu, 'storage-driver': 'overlay2', 'exec-opts': ['native.cgroupdriver=cgroupfs'] };
  await must(`mkdir -p /etc/docker && printf %s '${JSON.stringify(config)}' >/etc/docker/daemon.json`);
  const started = await ssh(
    'systemctl start containerd docker && docker version --format "{{.Server.Version}}" && docker compose version',
  );
  if (started.code !== 0) {
    throw new Error(
      `docker does not start: ${started.stderr}\n${(await ssh('journalctl -u docker -n 30 --no-pager')).stdout}`,
    );
  }
  say(`docker host: ${started.stdout.trim().replaceAll('\n', ', ')}`);
  return {
    host,
    ssh,
    must,
    copy,
    async load({ tag, tar, changes }) {
      const flags = changes.map((change) => `--change ${quote(change)}`).join(' ');
      await pipe(`cat ${quote(tar)} | ${remote(`docker import ${flags} - ${tag}`)}`);
    },
  };
}

/** For the shell of this machine and of the host. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Writes a file and copies it to a place on the host. */
export async function put(
  host: DockerHost,
  content: string,
  folder: string,
  name: string,
  scratch: string,
): Promise<void> {
  await writeFile(join(scratch, name), content, { mode: 0o600 });
  await host.copy([name], folder, scratch);
}
