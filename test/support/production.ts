import { type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { freePort } from '../../cli/dev/services.ts';
import { ANSWERS, addDifferences, differences, requireChecked } from './answers.ts';
import { type AssembledImage, assembleImage, runInImage, startInImage } from './image.ts';
import { DATABASE_PASSWORDS, type Postgres, setupRoles, startPostgres } from './postgres.ts';
import {
  createNamespace,
  type MutualTls,
  mutualTls,
  type ProductionTemporal,
  startProductionTemporal,
} from './production-temporal.ts';

const ROOT = join(import.meta.dirname, '../..');
const READY_MS = 120_000;

/** A service of docker-compose.yml, run from the files of the image. */
export interface ImageService {
  /** Of the process itself, while it runs. */
  pid: number;
  /** Starts it and waits until it is what the compose file's health check calls healthy. */
  start(): Promise<void>;
  /** Ends it with a signal; its exit code, or the signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
  log(): string;
}

/** What docker-compose.yml runs, without Docker: each part a process of its own. */
export interface Production {
  postgres: Postgres;
  temporal: ProductionTemporal;
  /** Of Temporal: clients need a certificate. */
  tls: MutualTls;
  image: AssembledImage;
  api: ImageService;
  worker: ImageService;
  url: string;
  adminToken(): string;
  /** `kubewright ...` in the container of the API. */
  cli(...args: string[]): Promise<string>;
  end(): Promise<void>;
}

/** Starts everything up to Temporal, in the order of the compose file. API and worker are for the caller to start. */
export async function startProduction(onProgress: (line: string) => void): Promise<Production> {
  const folder = await mkdtemp(join(tmpdir(), 'kubewright-image-'));
  const parts: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const end = async () => {
    for (const part of parts.splice(0).reverse()) await part();
  };
  try {
    const image = await assembleImage(join(folder, 'image'), onProgress);
    parts.push(() => image.remove());
    const postgres = await startPostgres();
    parts.push(() => postgres.stop());
    await setupRoles(postgres);
    const tls = mutualTls(join(folder, 'tls'));
    const temporal = await startProductionTemporal({ postgres, onProgress, env: tls.server, cliEnv: tls.cli });
    parts.push(() => temporal.stop());
    await createNamespace(temporal.address, tls.cli);

    const user = Number((await runInImage(image, ['id', '-u'])).trim());
    const data = async (service: string) => {
      const path = join(folder, service);
      await mkdir(path, { mode: 0o700 });
      await chown(path, user, user);
      return path;
    };
    const port = await freePort(0);
    const url = `http://127.0.0.1:${port}`;
    const secretKey = Buffer.alloc(32, 9).toString('base64');
    const environment = (service: string) => ({
      ...composeEnvironment(service, { ...DATABASE_PASSWORDS, KUBEWRIGHT_SECRET_KEY: secretKey }),
      KUBEWRIGHT_DATABASE_URL: `postgres://kubewright@${postgres.host}:${postgres.port}/kubewright`,
      TEMPORAL_ADDRESS: temporal.address,
      ...tls.clients,
      KUBEWRIGHT_PORT: String(port),
      KUBEWRIGHT_HOST: '127.0.0.1',
      ...(process.env['KUBEWRIGHT_RUN'] ? { KUBEWRIGHT_RUN: process.env['KUBEWRIGHT_RUN'] } : {}),
    });
    const apiData = await data('api');
    parts.push(async () => addDifferences(differences(join(apiData, 'answers.log')).lines));
    const api = service({
      image,
      argv: command('api'),
      env: { ...environment('api'), [ANSWERS]: '/data/answers.log' },
      data: apiData,
      log: join(folder, 'api.log'),
      healthy: async () => {
        if (!(await fetch(`${url}/readyz`)).ok) return false;
        await requireChecked(url);
        return true;
      },
    });
    const workerOptions = { env: environment('worker'), data: await data('worker') };
    const worker = service({
      image,
      argv: command('worker'),
      ...workerOptions,
      log: join(folder, 'worker.log'),
      healthy: async () => {
        await runInImage(image, healthCheck('worker'), { env: workerOptions.env });
        return true;
      },
    });
    parts.push(() => Promise.all([api.end('SIGKILL'), worker.end('SIGKILL')]));
    return {
      postgres,
      temporal,
      tls,
      image,
      api,
      worker,
      url,
      adminToken: () => readFileSync(join(apiData, 'admin-token'), 'utf8').trim(),
      cli: (...args) =>
        runInImage(image, ['kubewright', ...args], { env: environment('api'), volumes: { '/data': apiData } }),
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

interface Compose {
  services: Record<
    string,
    { environment?: Record<string, string>; command?: string[]; healthcheck?: { test: string[] } } | undefined
  >;
}
const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose;

const command = (name: string): string[] => compose.services[name]?.command ?? [];
const healthCheck = (name: string): string[] => compose.services[name]?.healthcheck?.test.slice(1) ?? [];

/** The environment that the compose file gives a service, with the values of an .env put in. */
export function composeEnvironment(name: string, values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(compose.services[name]?.environment ?? {}).map(([key, text]) => [
      key,
      text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_all, variable: string, mark: string, rest: string) => {
        const value = values[variable];
        if (value === undefined && mark === '?') throw new Error(`${variable} is not set: ${rest}`);
        return value ?? rest;
      }),
    ]),
  );
}

function service(options: {
  image: AssembledImage;
  argv: string[];
  env: Record<string, string>;
  data: string;
  log: string;
  healthy: () => Promise<boolean>;
}): ImageService {
  let child: ChildProcess | undefined;
  let ended: Promise<number | NodeJS.Signals | null> = Promise.resolve(null);
  const log = () => readFileSync(options.log, 'utf8');
  return {
    get pid() {
      return child?.pid ?? 0;
    },
    async start() {
      const out = openSync(options.log, 'a');
      const { env, argv, data, image } = options;
      const started = startInImage(image, argv, { env, volumes: { '/data': data }, stdio: [out, out] });
      closeSync(out);
      child = started;
      ended = new Promise((resolve) => started.once('exit', (code, signal) => resolve(signal ?? code)));
      const deadline = Date.now() + READY_MS;
      while (!(await options.healthy().catch(() => false))) {
        if (started.exitCode !== null || Date.now() > deadline) {
          throw new Error(`${argv.join(' ')} is not healthy:\n${log().slice(-3000)}`);
        }
        await sleep(300);
      }
    },
    async end(signal) {
      child?.kill(signal);
      return ended;
    },
    log,
  };
}
