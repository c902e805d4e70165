import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openMessage } from '../../codec/open-messages.ts';
import { payloadCodec } from '../../codec/payload-codec.ts';
import { NAMESPACE, operationWorkflowId } from '../../contracts/messages.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { execInHost } from '../../lab/faults.ts';
import { openStore } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { readRecord } from '../../worker/temporal-server/server-record.ts';
import { findNeedles, type Needle, needlesOf } from './secret-needles.ts';
import { type Bench, freshBench } from './support.ts';

/** The login of the worker: sudo asks for it too. */
const PASSWORD = 'Tr0ub4dor&3-"quoted"-battery';
const NAME = 'kws';

/** Where hosts must hold keys, and the keys' mode there. */
const MUST_HOLD = /^\/etc\/(kubernetes|etcd|kubewright|containerd)\//;

let bench: Bench;
/** What was seen while the cluster was built: process arguments on the hosts, heartbeats. */
const seen: string[] = [];
let operations: string[] = [];

beforeAll(async () => {
  bench = await freshBench(NAME, 2);
  const [, worker] = bench.lab.hosts;
  const asked = `chpasswd && echo 'operator ALL=(ALL) ALL' >/etc/sudoers.d/zz-operator`;
  const { code } = await execInHost(bench.lab, worker!.name, ['sh', '-eu', '-c', asked], {
    input: `operator:${PASSWORD}\n`,
  });
  expect(code).toBe(0);
  await bench.api.request('PUT', '/credentials/root-key', {
    kind: 'key',
    privateKey: readFileSync(bench.lab.sshKey, 'utf8'),
  });
  await bench.api.request('PUT', '/credentials/operator', { kind: 'password', password: PASSWORD });
  // The first build fails on a node, so that there are failure messages; the second one ends well.
  const hasFailed = (status: OperationStatus) => status.tasks.some(({ state }) => state === 'blocked');
  const broken = await build(spec({ extraArgs: { 'no-such-flag': 'true' } }), hasFailed);
  await bench.api.request('POST', `/clusters/${NAME}/cancel`);
  await bench.api.follow(NAME, broken.operationId, undefined, ['cancelled', 'failed']);
  const whole = await build(spec({}), ({ state }) => ['succeeded', 'blocked', 'failed'].includes(state));
  expect(whole.state, JSON.stringify(whole.tasks.filter((task) => task.error))).toBe('succeeded');
});
afterAll(() => bench?.end());

describe('the secrets of a build', () => {
  let needles: Needle[];
  beforeAll(async () => {
    needles = await allNeedles();
  });

  it('are many, of every kind', () => {
    const kinds = new Set(needles.map(({ name }) => name.replace(/[/ ].*/, '')));
    expect([...kinds].sort()).toEqual(['credential', 'master', 'payload', 'pki', 'token']);
    expect(new Set(needles.map(({ name }) => name)).size).toBeGreaterThan(20);
  });

  it("are in no file of the service but the key's and the token's own", () => {
    const files = readdirSync(bench.folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(bench.folder, name))
      .filter((path) => statSync(path).isFile() && !/\/(secret\.key|admin-token)$/.test(path));
    expect(files.some((path) => path.endsWith('temporal.db'))).toBe(true);
    expect(files.some((path) => path.endsWith('temporal.db-wal'))).toBe(true);
    expect(files.some((path) => path.endsWith('kubewright.db'))).toBe(true);
    for (const path of files) expect(findNeedles(needles, readFileSync(path)), path).toEqual([]);
  });

  it('are in no answer of the API: every GET, and what every command wrote', async () => {
    const answers = await apiAnswers();
    expect(answers.length).toBeGreaterThan(50);
    for (const { url, body } of answers) expect(findNeedles(needles, body), url).toEqual([]);
  });

  it("are not in Temporal's histories even when these are opened, nor in heartbeats", async () => {
    const histories = await openHistories();
    expect(/activityTaskFailedEventAttributes.*kubelet/.test(histories.join())).toBe(true);
    for (const history of histories) expect(findNeedles(needles, history)).toEqual([]);
    expect(seen.some((text) => text.includes('\\"step\\"'))).toBe(true);
    expect(findNeedles(needles, seen.join('\n'))).toEqual([]);
  });

  it('were never in the arguments of a process on a host', () => {
    const args = seen.filter((text) => text.startsWith('args '));
    expect(args.length).toBeGreaterThan(20);
    expect(args.join()).toContain('kube-apiserver');
    expect(findNeedles(needles, args.join('\n'))).toEqual([]);
  });

  it('are on the hosts only where they must be, for root alone', async () => {
    // Of keys the lines that are the key's alone; what is one line is looked for as it is.
    const lines = needles
      .filter(({ form }) => /^(raw|line \d+)$/.test(form))
      .map(({ bytes }) => bytes.toString())
      .filter((line) => line.length >= 20 && !line.includes('\n'));
    for (const { name } of bench.lab.hosts) {
      const { stdout } = await execInHost(
        bench.lab,
        name,
        [
          'sh',
          '-c',
          'grep -rlF -f - /etc /root /home /tmp /run /var/log /var/lib/kubewright 2>/dev/null | xargs -r stat -c "%a %U %n"',
        ],
        { input: `${lines.join('\n')}\n`, timeoutMs: 120_000 },
      );
      const found = stdout.trim().split('\n').filter(Boolean);
      expect(found.length, name).toBeGreaterThan(0);
      for (const line of found) {
        const [mode, owner, path] = line.split(' ') as [string, string, string];
        expect(path, name).toMatch(MUST_HOLD);
        expect(mode, line).toBe('600');
        expect(['root', 'etcd', 'registry'], line).toContain(owner);
      }
      const isControlPlane = name === bench.lab.hosts[0]!.name;
      expect(
        found.some((line) => line.endsWith('/pki/ca.key')),
        name,
      ).toBe(isControlPlane);
    }
  });
});

function spec(kubelet: object): object {
  const made = structuredClone(bench.lab.spec) as {
    spec: Record<string, Record<string, Record<string, object>>> & { hosts: { ssh?: object }[] };
  };
  made.spec['ssh'] = { user: 'root', credential: { name: 'root-key' } } as never;
  const [, worker] = made.spec.hosts;
  worker!.ssh = { ...worker!.ssh, user: 'operator', credential: { name: 'operator' } };
  const nodes = made.spec['phases']!['nodes']!;
  nodes['kubelet'] = { ...nodes['kubelet'], ...kubelet };
  return made;
}

/** Build, looking at hosts and heartbeats all the while. */
async function build(given: object, enough: (status: OperationStatus) => boolean): Promise<OperationStatus> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', given);
  operations = [...operations, operation];
  const stop = new AbortController();
  const watching = [
    watchHeartbeats(operation, stop.signal),
    ...bench.lab.hosts.map(({ name }) => watchArgs(name, stop.signal)),
  ];
  try {
    for (;;) {
      const status = await bench.api.operation(NAME, operation);
      if (enough(status)) return status;
      await sleep(200);
    }
  } finally {
    stop.abort();
    await Promise.all(watching);
  }
}

/** Looks into /proc of a host, five times a second: once at least. */
async function watchArgs(host: string, signal: AbortSignal): Promise<void> {
  const loop =
    'for n in 1 2 3 4 5 6 7 8 9 10; do for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <$f 2>/dev/null; echo; done; sleep 0.2; done | sort -u';
  const known = new Set<string>();
  do {
    const { stdout } = await execInHost(bench.lab, host, ['sh', '-c', loop]);
    for (const line of stdout.split('\n').filter(Boolean)) known.add(`args ${line}`);
  } while (!signal.aborted);
  seen.push(...known);
}

async function temporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { port } = readRecord(join(bench.folder, 'data', 'temporal'))!;
  const connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  try {
    return await work(new Client({ connection, namespace: NAMESPACE }));
  } finally {
    await connection.close();
  }
}

async function withStore<T>(work: (store: Awaited<ReturnType<typeof openStore>>) => Promise<T>): Promise<T> {
  const dataDir = join(bench.folder, 'data');
  const store = await openStore({ dataDir, keyring: openKeyring(dataDir) });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function watchHeartbeats(operation: string, signal: AbortSignal): Promise<void> {
  await temporal((client) =>
    withStore(async (store) => {
      const codec = payloadCodec(store.payloadKeys);
      while (!signal.aborted) {
        const execution = { workflowId: operationWorkflowId(NAME, operation) };
        const described = await client.workflowService
          .describeWorkflowExecution({ namespace: NAMESPACE, execution })
          .catch(() => null);
        for (const activity of described?.pendingActivities ?? [])
          seen.push(JSON.stringify(textOf(await openMessage(activity, codec))));
        await sleep(300);
      }
    }),
  );
}

/** Bytes as the text that they are. */
function textOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, textOf(each)]));
}

function openHistories(): Promise<string[]> {
  return temporal((client) =>
    withStore(async (store) => {
      const codec = payloadCodec(store.payloadKeys);
      const all: string[] = [];
      for (const id of [...operations.map((each) => operationWorkflowId(NAME, each)), `cluster/${NAME}`]) {
        const history = await client.workflow.getHandle(id).fetchHistory();
        all.push(JSON.stringify(textOf(await openMessage(history, codec))));
      }
      return all;
    }),
  );
}

/** Everything in the store, the master key, the first token: opened with the installation's own key. */
async function allNeedles(): Promise<Needle[]> {
  const dataDir = join(bench.folder, 'data');
  const raw = new DatabaseSync(join(dataDir, 'kubewright.db'), { readOnly: true });
  const rows = raw.prepare('select scope, name from secrets').all() as { scope: string; name: string }[];
  raw.close();
  return withStore(async (store) => {
    const found = [
      ...needlesOf('master key', readFileSync(join(dataDir, 'secret.key'), 'utf8')),
      ...needlesOf('token of the admin', readFileSync(join(dataDir, 'admin-token'), 'utf8')),
    ];
    for (const { scope, name } of rows) {
      const value = (await store.secrets.get(scope, name))!;
      if (scope.startsWith('cluster/')) found.push(...partsOf(value).flatMap((part) => needlesOf(name, part)));
      else if (scope === 'credential')
        found.push(...partsOf(value).flatMap((part) => needlesOf(`credential ${name}`, part)));
      else found.push(...needlesOf(`payload key ${name}`, value));
    }
    return found;
  });
}

/** The secret parts of a stored value: certificates and public keys are none. */
function partsOf(value: string): string[] {
  if (!value.startsWith('{')) return [value];
  const { key, privateKey, password } = JSON.parse(value) as Record<string, string | undefined>;
  return [key, privateKey, password].filter((each) => each !== undefined);
}

async function apiAnswers(): Promise<{ url: string; body: string }[]> {
  const document = await bench.api.request<{ paths: Record<string, Record<string, object>> }>('GET', '/docs/json');
  const outputs = new Set<string>();
  const answers: { url: string; body: string }[] = [];
  const ask = async (url: string) => {
    const body = await bench.api.request<unknown>('GET', url).catch((error: unknown) => String(error));
    answers.push({ url, body: typeof body === 'string' ? body : JSON.stringify(body) });
    return body;
  };
  for (const operation of operations) {
    for (const path of Object.keys(document.paths).filter((each) => document.paths[each]!['get'])) {
      // The admin kubeconfig is a secret by design, a stream has no end, and outputs come below.
      if (/kubeconfig|\/events$|\{sha\}/.test(path)) continue;
      const url = path
        .replace('{name}', NAME)
        .replace(/\{(id|operation)\}/, operation)
        .replace('{host}', bench.lab.hosts[0]!.name);
      await ask(url.endsWith('/export') ? `${url}?operation=${operation}` : url);
      if (path.endsWith('{id}')) await ask(`${url}?changes=true`);
    }
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = (await ask(
        `/clusters/${NAME}/history?operation=${operation}&limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )) as { items: Record<string, string | null>[]; next: string | null };
      for (const { stdoutSha256, stderrSha256 } of page.items)
        for (const sha of [stdoutSha256, stderrSha256]) if (sha) outputs.add(sha);
      cursor = page.next;
    }
  }
  expect(outputs.size).toBeGreaterThan(20);
  for (const sha of outputs) await ask(`/clusters/${NAME}/history/output/${sha}`);
  return answers;
}
