import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../cli/dev/services.ts';

/** The API as a process of its own (KUBEWRIGHT_PROCESS=api), whose Temporal does not answer: all that is not an operation. */
export interface ApiProcess {
  url: string;
  dataDir: string;
  adminToken: string;
  call(
    method: string,
    path: string,
    more?: { token?: string | null; headers?: Record<string, string>; body?: unknown },
  ): Promise<{ status: number; text: string; headers: Record<string, string | string[] | undefined> }>;
  /** What it wrote to its log so far. */
  log(): string;
  /** Ends the process, with SIGTERM unless told otherwise. The data directory stays. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same data, with these variables instead of the first ones. */
  start(env?: Record<string, string>): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '../..');
/** A bound on a hang: the machine may be busy. */
const READY_MS = 60_000;

export async function apiProcess(first: Record<string, string> = {}): Promise<ApiProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-attack-'));
  const port = await freePort(0);
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let output = '';

  async function start(env: Record<string, string> = first): Promise<void> {
    const started = spawn(process.execPath, [join(ROOT, 'api/main.ts')], {
      cwd: dataDir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        ...{ KUBEWRIGHT_PROCESS: 'api', KUBEWRIGHT_DATA: dataDir, KUBEWRIGHT_PORT: String(port) },
        // Port 9 (discard): nobody answers.
        TEMPORAL_ADDRESS: '127.0.0.1:9',
        ...env,
      },
    });
    child = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8');
      });
    }
    for (const until = Date.now() + READY_MS; Date.now() < until; await sleep(50)) {
      if (started.exitCode !== null)
        throw new Error(`the API ended with ${started.exitCode}:\n${output.slice(-4_000)}`);
      const up = await fetch(`${url}/healthz`).catch(() => null);
      if (up?.ok === true) return;
    }
    throw new Error(`the API did not answer:\n${output.slice(-4_000)}`);
  }

  async function stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await ended;
  }

  try {
    await start();
  } catch (error) {
    await stop('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
  const adminToken = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return {
    ...{ url, dataDir, adminToken, start, stop },
    log: () => output,
    call(method, path, { token = adminToken, headers = {}, body } = {}) {
      const content = body === undefined ? undefined : JSON.stringify(body);
      return new Promise((resolve, reject) => {
        const asked = request(`${url}${path}`, {
          method,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(content === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
            ...headers,
          },
        });
        asked.once('error', reject);
        asked.once('response', (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.once('error', reject);
          answer.once('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers });
          });
        });
        asked.end(content);
      });
    },
    async remove() {
      await stop('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
