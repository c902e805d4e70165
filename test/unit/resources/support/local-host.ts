import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOST_PATH } from '../../../../activities/host/host-path.ts';
import type { ExecOptions, ExecResult, HostFacts, RemoteHost } from '../../../../activities/host/types.ts';

export const FACTS: HostFacts = {
  hostname: 'local',
  machineId: 'm',
  bootId: 'b',
  arch: 'amd64',
  kernel: '6',
  os: { id: 'debian', idLike: [], versionId: '12', name: 'Debian' },
  packageManager: 'apt',
  initSystem: 'systemd',
  cgroup: 2,
  cpus: 2,
  memoryMiB: 2048,
  virtualization: '',
};

/**
 * True where the engine's scripts can run as on a host: Linux with GNU tools, as root (files belong to root), with curl.
 * Elsewhere these tests are skipped; the integration tier runs the same things on real hosts.
 */
export const RUNS_HERE =
  process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/curl') && existsSync('/run');

/** A command that a test ran. */
export interface Ran {
  kind: 'exec' | 'script';
  text: string;
  stdin: string | Uint8Array | undefined;
  result: ExecResult;
}

/**
 * Runs the engine's own scripts with this machine's sh, below a temporary root: our state directory, /run and the
 * program path point into it; a program of the same name in `bin` stands in for systemctl, apt-get, curl ...
 */
export class LocalHost implements RemoteHost {
  readonly name = 'local';
  readonly root = mkdtempSync(join(tmpdir(), 'kubewright-unit-'));
  readonly ran: Ran[] = [];
  /** Called before each command; may throw to play a crash. */
  before: (text: string) => void = () => {};

  constructor() {
    for (const folder of ['bin', 'run', 'state', 'lists']) mkdirSync(join(this.root, folder));
    for (const file of ['passwd', 'group']) writeFileSync(join(this.root, file), '');
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** A stand-in program; `$LOG` is a file to write to. */
  program(name: string, body: string): void {
    writeFileSync(this.path(`bin/${name}`), `#!/bin/sh\nLOG=${this.path('log')}\n${body}\n`);
    chmodSync(this.path(`bin/${name}`), 0o755);
  }

  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.#run(
      'exec',
      argv.map((word) => this.local(word)),
      options,
      argv.join(' '),
    );
  }

  script(text: string, args: readonly string[] = [], options: Omit<ExecOptions, 'stdin'> = {}): Promise<ExecResult> {
    const argv = ['sh', '-eu', '-s', '--', ...args.map((word) => this.local(word))];
    return this.#run('script', argv, { ...options, stdin: this.local(text) }, text);
  }

  upload(): Promise<void> {
    return Promise.reject(new Error('not used by the engine'));
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** The text with the places of a real host replaced by ours. */
  local(text: string): string {
    return text
      .replaceAll(`PATH=${HOST_PATH}`, `PATH=${this.path('bin')}:${HOST_PATH}`)
      .replaceAll('/var/lib/kubewright', this.path('state/kubewright'))
      .replaceAll('/etc/systemd/system', this.path('units'))
      .replaceAll('/var/lib/apt/lists', this.path('lists'))
      .replaceAll('/var/lib/dpkg/updates', this.path('updates'))
      .replaceAll('/var/lib/dpkg/info', this.path('info'))
      .replaceAll('/etc/passwd', this.path('passwd'))
      .replaceAll('/etc/group', this.path('group'))
      .replaceAll('/etc/firewalld', this.path('firewalld'))
      .replaceAll('/run/kubewright', this.path('run/kubewright'));
  }

  #run(kind: Ran['kind'], argv: readonly string[], options: ExecOptions, text: string): Promise<ExecResult> {
    this.before(text);
    return new Promise((resolve, reject) => {
      const child = spawn(argv[0]!, argv.slice(1), {
        env: { PATH: `${this.path('bin')}:${HOST_PATH}`, ...options.env },
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
      child.stdin.on('error', () => {});
      child.on('error', reject);
      child.on('close', (code) => {
        const result = { code: code ?? 255, stdout, stderr, durationMs: 0, truncated: false };
        this.ran.push({ kind, text, stdin: options.stdin, result });
        if (options.okCodes !== 'any' && !(options.okCodes ?? [0]).includes(result.code)) {
          reject(new Error(`exit ${result.code}: ${stderr}`));
        } else {
          resolve(result);
        }
      });
      child.stdin.end(options.stdin);
    });
  }
}
