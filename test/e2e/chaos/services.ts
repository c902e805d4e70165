import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../../../cli/dev/api-client.ts';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { freePort } from '../../../cli/dev/services.ts';
import { endProcess, type ProcessId, processId } from '../../../lab/processes.ts';
import { startTemporalServer } from '../../../worker/temporal-server/start.ts';
import { requireChecked } from '../../support/answers.ts';

/** What can be killed. */
export const PROCESSES = ['worker', 'api', 'temporal'] as const;
export type ProcessName = (typeof PROCESSES)[number];

/** The time a supervisor lets pass before it starts an ended process again, ms: systemd's RestartSec. */
const RESTART_MS = 300;
const READY_MS = 120_000;

/**
 * API, worker and Temporal as three processes over one data directory, as a machine's systemd would run them: whatever
 * ends is started again, unless it is being held down.
 */
export class Services {
  readonly dataDir: string;
  readonly #folder: string;
  readonly #env: Record<string, string>;
  readonly #children = new Map<'worker' | 'api', ChildProcess>();
  readonly #held = new Set<ProcessName>();
  #temporal: { pid: number; port: number } | undefined;
  #apiPort = 0;
  #stopping = false;
  #recording = Promise.resolve();

  private constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = env;
    this.dataDir = join(folder, 'data');
  }

  /** Start all three. What an earlier, killed run of the same folder left running is ended first. */
  static async start(folder: string, env: Record<string, string> = {}): Promise<Services> {
    const services = new Services(folder, env);
    await Services.endLeftovers(folder);
    mkdirSync(services.dataDir, { recursive: true, mode: 0o700 });
    services.#apiPort = await freePort(0);
    await services.up('temporal');
    await Promise.all([services.up('api'), services.up('worker')]);
    return services;
  }

  /** End what the record of a folder names: our own processes, or those of a run that was killed. */
  static async endLeftovers(folder: string): Promise<void> {
    if (!existsSync(recordFile(folder))) return;
    const ids = JSON.parse(readFileSync(recordFile(folder), 'utf8')) as ProcessId[];
    // Temporal is the first of the list and goes last: it then sees the others leave.
    await Promise.all(ids.slice(1).map((id) => endProcess(id, 40_000)));
    await Promise.all(ids.slice(0, 1).map((id) => endProcess(id, 10_000)));
    writeFileSync(recordFile(folder), '[]');
  }

  get api(): ApiClient {
    return new ApiClient(this.apiUrl, readFileSync(join(this.dataDir, 'admin-token'), 'utf8').trim());
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  get temporalAddress(): string {
    return `127.0.0.1:${this.#temporal?.port}`;
  }

  /** `kill -9`, and no restart until `up`. */
  async down(name: ProcessName): Promise<void> {
    this.#held.add(name);
    const pid = name === 'temporal' ? this.#temporal?.pid : this.#children.get(name)?.pid;
    if (pid === undefined) return;
    const id = await processId(pid);
    if (id === null) return;
    process.kill(pid, 'SIGKILL');
    while ((await processId(pid))?.startTime === id.startTime) await sleep(5);
    if (name !== 'temporal') await this.#reaped(name);
  }

  /** Start it (again) and wait until it does its work. */
  async up(name: ProcessName): Promise<void> {
    this.#held.delete(name);
    if (name === 'temporal') {
      const port = this.#temporal?.port;
      const { pid, address } = await startTemporalServer({ dataDir: this.dataDir, headless: true, port });
      this.#temporal = { pid, port: Number(address.split(':').at(-1)) };
      await this.#record();
      return;
    }
    this.#launch(name);
    if (name === 'api') await this.#apiReady();
  }

  /** End all three politely, as for an update, and start them again. */
  async restart(): Promise<void> {
    for (const name of PROCESSES) this.#held.add(name);
    await this.#recording;
    await Services.endLeftovers(this.#folder);
    await Promise.all([this.#reaped('api'), this.#reaped('worker')]);
    await this.up('temporal');
    await Promise.all([this.up('api'), this.up('worker')]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#recording;
    await Services.endLeftovers(this.#folder);
  }

  /** The last lines of a process's log, for a failed test. */
  logTail(name: ProcessName, lines = 30): string {
    const file = name === 'temporal' ? join(this.dataDir, 'temporal/server.log') : this.#log(name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-lines).join('\n') : '';
  }

  #launch(name: 'worker' | 'api'): void {
    const running = this.#children.get(name);
    if (running && running.exitCode === null && running.signalCode === null) return;
    const log = openSync(this.#log(name), 'a', 0o600);
    const child = spawn(process.execPath, [join(checkoutRoot, `${name}/main.ts`)], {
      cwd: this.#folder,
      // Its own group: a Ctrl-C of the test run must not reach it before the test's end does.
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        KUBEWRIGHT_PROCESS: 'api',
        KUBEWRIGHT_DATA: this.dataDir,
        KUBEWRIGHT_PORT: String(this.#apiPort),
        TEMPORAL_ADDRESS: this.temporalAddress,
        ...this.#env,
      },
    });
    closeSync(log);
    this.#children.set(name, child);
    void this.#record();
    child.once('exit', () => {
      if (this.#stopping) return;
      setTimeout(() => {
        if (!this.#stopping && !this.#held.has(name)) this.#launch(name);
      }, RESTART_MS);
    });
  }

  /** The process is gone a moment before Node says so. */
  async #reaped(name: 'worker' | 'api'): Promise<void> {
    const child = this.#children.get(name);
    while (child && child.exitCode === null && child.signalCode === null) await sleep(5);
  }

  async #apiReady(): Promise<void> {
    const deadline = Date.now() + READY_MS;
    for (;;) {
      const answer = await fetch(`${this.apiUrl}/healthz`, { signal: AbortSignal.timeout(3_000) }).catch(() => null);
      if (answer?.ok && existsSync(join(this.dataDir, 'admin-token'))) return requireChecked(this.apiUrl);
      if (Date.now() > deadline) throw new Error(`the API does not get ready:\n${this.logTail('api')}`);
      await sleep(25);
    }
  }

  #log(name: 'worker' | 'api'): string {
    return join(this.#folder, `${name}.log`);
  }

  /** Which processes are ours, for the next run to end should this one be killed. One writing after the other. */
  #record(): Promise<void> {
    this.#recording = this.#recording.then(() => this.#write());
    return this.#recording;
  }

  async #write(): Promise<void> {
    const pids = [this.#temporal?.pid, ...[...this.#children.values()].map((child) => child.pid)];
    const ids = await Promise.all(pids.map(async (pid) => (pid === undefined ? null : processId(pid))));
    writeFileSync(recordFile(this.#folder), JSON.stringify(ids.filter((id) => id !== null)));
  }
}

const recordFile = (folder: string): string => join(folder, 'processes.json');
