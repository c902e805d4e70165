import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { EXIT } from '../../contracts/exit-codes.ts';
import { RETENTION_DAYS } from '../../contracts/messages.ts';
import { prepareNamespace } from '../../worker/temporal-server/namespace.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { certificateAuthority, type Pair, type TlsFront, tlsFront } from '../support/tls-temporal.ts';

/** E2 of the trust issue: a Temporal server that is elsewhere, with mutual TLS, API keys, and rights of its own. */

const NAMESPACE = `tls-${randomUUID().slice(0, 8)}`;
let folder: string;
let ours: ReturnType<typeof certificateAuthority>;
let theirs: ReturnType<typeof certificateAuthority>;
let server: Pair;
let client: Pair;
let front: TlsFront;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-tls-'));
  ours = certificateAuthority(folder, 'ours');
  theirs = certificateAuthority(folder, 'theirs');
  server = ours.issue('server');
  client = ours.issue('client');
  front = await tlsFront(inject('temporalAddress'), { ...server, clientCa: ours.ca });
});
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await front?.close();
  rmSync(folder, { recursive: true, force: true });
});

const mutual = (pair: Pair, ca: string) => ({
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca,
  TEMPORAL_TLS_CLIENT_CERT_PATH: pair.cert,
  TEMPORAL_TLS_CLIENT_KEY_PATH: pair.key,
});

/** A worker process; how it ends and what it says. */
function worker(env: Record<string, string>, dataDir = mkdtempSync(join(folder, 'data-'))) {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../worker/main.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      KUBEWRIGHT_DATA: dataDir,
      TEMPORAL_ADDRESS: front.address,
      TEMPORAL_NAMESPACE: NAMESPACE,
      ...env,
    },
  });
  workers.push(child);
  let log = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text: Buffer) => (log += text.toString()));
  const ended = new Promise<{ code: number | null; log: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, log })),
  );
  return { child, ended, log: () => log };
}

describe('a Temporal server with mutual TLS', () => {
  let api: ServiceProcess | undefined;
  afterAll(async () => {
    await api?.close();
  });

  it('serves both processes: the worker by its environment, the API by a profile', async () => {
    const profile = join(folder, 'temporal.toml');
    writeFileSync(
      profile,
      [
        '[profile.production]',
        `address = "${front.address}"`,
        `namespace = "${NAMESPACE}"`,
        '[profile.production.tls]',
        `server_ca_cert_path = "${ours.ca}"`,
        `client_cert_path = "${client.cert}"`,
        `client_key_path = "${client.key}"`,
      ].join('\n'),
    );
    api = await startServiceProcess({
      TEMPORAL_ADDRESS: '',
      TEMPORAL_CONFIG_FILE: profile,
      TEMPORAL_PROFILE: 'production',
    });
    const running = worker(mutual(client, ours.ca), api.dataDir);
    await until(() => running.log().includes('the worker is running'), running.log);
    const { status, text } = await api.call('POST', '/clusters', {
      body: {
        apiVersion: 'kubewright.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name: 'far' },
        spec: {
          hosts: [{ name: 'cp-1', address: '127.0.0.1', roles: ['control-plane', 'etcd', 'worker'] }],
          ssh: { port: 9, credential: { keyFile: '/nowhere' } },
        },
      },
    });
    expect(status, text).toBe(202);
    const { operation } = JSON.parse(text) as { operation: string };
    // Tasks have run in the worker: their host cannot be reached.
    let seen = '';
    await until(
      async () => {
        seen = (await api!.call('GET', `/clusters/far/operations/${operation}`)).text;
        return (JSON.parse(seen) as { state: string }).state === 'blocked';
      },
      () => `${seen}\n${running.log()}`,
    );
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(EXIT.stopped);
  });

  it.each([
    ['no certificate', () => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca })],
    ['a certificate of another authority', () => mutual(theirs.issue('client'), ours.ca)],
    ['an authority that did not sign the server’s', () => mutual(client, theirs.ca)],
    [
      'a name that the server’s does not have',
      () => ({ ...mutual(client, ours.ca), TEMPORAL_TLS_SERVER_NAME: 'other' }),
    ],
    ['no TLS at all', () => ({})],
  ])('%s: the worker logs the cause and exits', async (_what, env) => {
    const { code, log } = await worker(env()).ended;
    expect(log).toContain('TEMPORAL_TLS_FAILED');
    expect(code, log).toBe(EXIT.configuration);
  });

  it('an API with another authority’s certificate names it in /readyz, and in its log', async () => {
    const other = await startServiceProcess({
      TEMPORAL_ADDRESS: front.address,
      TEMPORAL_NAMESPACE: NAMESPACE,
      ...mutual(theirs.issue('api'), ours.ca),
    });
    try {
      await until(
        () => other.log().includes('TEMPORAL_TLS_FAILED'),
        () => other.log(),
      );
      const { status } = await other.call('GET', '/readyz');
      expect(status).toBe(503);
      const asked = await other.call('POST', '/clusters/none/cancel', { body: {} });
      expect(asked.status).toBe(404);
    } finally {
      await other.close();
    }
  });

  it('a file that is not there is one sentence before anything is tried', async () => {
    const { code, log } = await worker(mutual({ key: '/no/key', cert: '/no/cert' }, ours.ca)).ended;
    expect(log).toMatch(/TEMPORAL_\*\): ENOENT/);
    expect(code).toBe(EXIT.configuration);
  });
});

describe('a Temporal server with API keys', () => {
  let keyed: TlsFront;
  beforeAll(async () => {
    keyed = await tlsFront(inject('temporalAddress'), { ...server, apiKey: 'right' });
  });
  afterAll(() => keyed?.close());
  const env = (key: string) => ({
    TEMPORAL_ADDRESS: keyed.address,
    TEMPORAL_API_KEY: key,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca,
  });

  it('takes the right one', async () => {
    const running = worker(env('right'));
    await until(() => running.log().includes('the worker is running'), running.log);
    running.child.kill('SIGTERM');
    await running.ended;
  });

  it('refuses a wrong one, with an error that does not contain it', async () => {
    const { code, log } = await worker(env('not-the-right-key')).ended;
    expect(log).toContain('TEMPORAL_NOT_ALLOWED');
    expect(log).not.toContain('not-the-right-key');
    expect(code).toBe(EXIT.configuration);
  });
});

describe('without the right to set anything up', () => {
  const SETTING_UP = ['RegisterNamespace', 'UpdateNamespace', 'AddSearchAttributes', 'ListSearchAttributes'];
  let strict: TlsFront;
  beforeAll(async () => {
    strict = await tlsFront(inject('temporalAddress'), { ...server, denied: SETTING_UP });
  });
  afterAll(() => strict?.close());
  const env = (namespace: string) => ({
    TEMPORAL_ADDRESS: strict.address,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca,
  });

  it('a namespace that is missing is named, with the commands that make it', async () => {
    const { code, log } = await worker(env('nobody-made-this')).ended;
    expect(log).toContain('TEMPORAL_SETUP_MISSING');
    expect(log).toContain(
      `temporal operator namespace create --namespace nobody-made-this --retention ${RETENTION_DAYS}d`,
    );
    expect(log).toContain(
      'search-attribute create --namespace nobody-made-this --name BlockedHosts --type KeywordList',
    );
    expect(code).toBe(EXIT.configuration);
  });

  it('search attributes that are missing are named', async () => {
    const namespace = `bare-${randomUUID().slice(0, 8)}`;
    // The namespace alone: made with the right, and without its attributes.
    const half = await tlsFront(inject('temporalAddress'), { ...server, denied: SETTING_UP.slice(1) });
    try {
      await expect(
        prepareNamespace({
          address: half.address,
          namespace,
          connect: { tls: { serverRootCACertificate: readFileSync(ours.ca) } },
        }),
      ).rejects.toMatchObject({
        code: 'TEMPORAL_SETUP_MISSING',
        evidence: expect.stringContaining('--name ClusterId'),
      });
    } finally {
      await half.close();
    }
    const { code, log } = await worker(env(namespace)).ended;
    expect(log).toContain(`search-attribute create --namespace ${namespace} --name ClusterId --type Keyword`);
    expect(log).not.toContain('namespace create --namespace');
    expect(code).toBe(EXIT.configuration);
  });

  it('one that an admin set up before is used', async () => {
    await prepareNamespace({ address: inject('temporalAddress'), namespace: NAMESPACE });
    const running = worker(env(NAMESPACE));
    await until(() => running.log().includes('the worker is running'), running.log);
    running.child.kill('SIGTERM');
    await running.ended;
  });
});

async function until(wish: () => boolean | Promise<boolean>, log: () => string): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!(await wish())) {
    if (Date.now() > deadline) throw new Error(`waited in vain:\n${log().slice(-4_000)}`);
    await sleep(100);
  }
}
