import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { ensureService, stopService } from '../../cli/dev/services.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { makeBare, onHost, packageNames } from '../integration/support.ts';
import { requireChecked } from '../support/answers.ts';

/**
 * A1 of the trust issue: one cluster must not harm another. A whole service and a real host, which has a second address: two
 * clusters that name one machine differently get past what the API can see, and only the machine itself can tell.
 */

const lab = inject('lab');
const machine = lab.hosts.find(({ name }) => name === 'worker-1')!;
/** Another address of the same machine, in the lab's network. */
const SECOND = machine.address.replace(/\.\d+$/, '.251');
const MARK = '/etc/kubewright/cluster';
const folder = mkdtempSync(join(tmpdir(), 'kubewright-own-'));
let url = '';
const token: Record<'admin' | 'team', string> = { admin: '', team: '' };
let packages: string[] = [];

type Json = Record<string, unknown>;
async function call(method: string, path: string, body?: unknown, as: 'admin' | 'team' = 'admin') {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token[as]}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(90_000),
  });
  const text = await response.text();
  return { status: response.status, text, body: (text === '' ? {} : JSON.parse(text)) as Json };
}
const specOf = (name: string, address: string): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    ssh: { credential: { keyFile: lab.sshKey }, hostKey: machine.hostKey },
    // No host answers there: a whole build stops at its preflight, and the machine stays as cheap as it is.
    artifacts: { mirror: 'http://127.0.0.1:9' },
    hosts: [{ name: 'cp-1', address, roles: ['control-plane', 'etcd', 'worker'] }],
  },
});
/** The operation's status once it ended, or waits for a decision. */
async function settled(
  cluster: string,
  answer: { status: number; text: string; body: Json },
): Promise<OperationStatus> {
  expect([200, 202], answer.text).toContain(answer.status);
  const id = String(answer.body['operation']);
  return await vi.waitUntil(
    async () => {
      const { body } = await call('GET', `/clusters/${cluster}/operations/${id}`);
      const status = body as unknown as OperationStatus;
      return /blocked|succeeded|failed|cancelled/.test(status.state) ? status : false;
    },
    { timeout: 120_000, interval: 200 },
  );
}
const errorsOf = (status: OperationStatus) => status.tasks.flatMap(({ error }) => (error ? [error] : []));
async function cancelled(cluster: string): Promise<void> {
  await call('POST', `/clusters/${cluster}/cancel`, {});
  await inState(cluster, /incomplete|failed|removed/);
}
const inState = (cluster: string, states: RegExp) =>
  vi.waitUntil(async () => states.test(String((await call('GET', `/clusters/${cluster}`)).body['state'])), {
    timeout: 60_000,
    interval: 200,
  });
/** Everything of Kubewright on the machine, and what stands for prod's data. */
const traces = () =>
  onHost(
    lab,
    machine.name,
    `hostname; cat ${MARK}
    find /etc/kubewright /var/lib/kubewright /var/lib/etcd /etc/hosts /etc/sysctl.d -type f -exec sha256sum {} + | sort`,
  );

beforeAll(async () => {
  packages = await packageNames(lab, machine.name);
  await onHost(
    lab,
    machine.name,
    `rm -f ${MARK}; ip addr add ${SECOND}/24 dev host0 2>/dev/null || :; mkdir -p /var/lib/etcd; echo data >/var/lib/etcd/db`,
  );
  const service = await ensureService(folder, () => undefined);
  url = service.url;
  await requireChecked(url);
  token.admin = readFileSync(service.tokenFile, 'utf8').trim();
  const made = await call('POST', '/tokens', { name: 'team-a-operator', role: 'operator', clusters: ['team-a'] });
  token.team = String(made.body['token']);
  // prod has the machine, with something on it.
  const build = await settled('prod', await call('POST', '/clusters', specOf('prod', machine.address)));
  expect(errorsOf(build).map(({ code }) => code)).not.toContain('HOST_OF_ANOTHER_CLUSTER');
  await cancelled('prod');
  const part = await settled(
    'prod',
    await call('POST', '/clusters/prod/operations', { kind: 'build', phases: ['prepare'] }),
  );
  expect(part.state, JSON.stringify(errorsOf(part))).toBe('succeeded');
});
afterAll(async () => {
  await stopService(folder);
  rmSync(folder, { recursive: true, force: true });
  await onHost(
    lab,
    machine.name,
    `rm -rf /var/lib/etcd; ip addr del ${SECOND}/24 dev host0 2>/dev/null || :; hostname ${machine.name}; echo ${machine.name} >/etc/hostname`,
  );
  await makeBare(lab, machine.name, packages);
});

test('a part of a build does not make a cluster ready that was never built', async () => {
  expect((await call('GET', '/clusters/prod')).body).toMatchObject({ state: 'incomplete' });
});

test('an address of another cluster is refused, in a build and in a dry run, without the other’s name', async () => {
  for (const query of ['', '?dryRun=true']) {
    const { status, body, text } = await call('POST', `/clusters${query}`, specOf('wrong', machine.address));
    expect(status, text).toBe(409);
    expect(body['code']).toBe('ADDRESS_IN_USE');
    expect(text).not.toContain('prod');
  }
  expect((await call('GET', '/clusters/wrong')).status).toBe(404);
});

test('a cluster that names the same machine otherwise can neither build there, nor list, nor tear down', async () => {
  const before = await traces();
  expect(before).toMatch(/^cp-1\nprod [0-9a-f]{12}\n/);

  const dry = await call('POST', '/clusters?dryRun=true', specOf('wrong', SECOND));
  expect(dry.body['errors'], dry.text).toMatchObject([{ code: 'HOST_OF_ANOTHER_CLUSTER' }]);
  expect(dry.body['changeCount']).toBe(0);

  const build = await settled('wrong', await call('POST', '/clusters', specOf('wrong', SECOND)));
  expect(build.state).toBe('blocked');
  expect(errorsOf(build)).toMatchObject([
    {
      code: 'HOST_OF_ANOTHER_CLUSTER',
      message: expect.stringContaining('the cluster prod'),
      evidence: expect.stringContaining(`${MARK}: prod `),
    },
  ]);
  await cancelled('wrong');

  const listed = await call('DELETE', '/clusters/wrong?dryRun=true');
  expect(listed.body['errors'], listed.text).toMatchObject([{ code: 'HOST_OF_ANOTHER_CLUSTER' }]);
  expect(listed.body).toMatchObject({ changeCount: 0, hosts: [] });

  const teardown = await settled('wrong', await call('DELETE', '/clusters/wrong?confirm=wrong'));
  expect(teardown.state).toBe('blocked');
  expect(errorsOf(teardown)).toMatchObject([{ code: 'HOST_OF_ANOTHER_CLUSTER' }]);
  expect(await traces()).toBe(before);

  // Without the host the cluster can be removed, and the machine is prod's as before.
  const left = await call('POST', '/clusters/wrong/hosts/cp-1/skip', {});
  expect(left.status, left.text).toBe(202);
  await inState('wrong', /removed/);
  expect(await traces()).toBe(before);
  const again = await settled(
    'prod',
    await call('POST', '/clusters/prod/operations', { kind: 'build', phases: ['prepare'] }),
  );
  expect(again.state).toBe('succeeded');
});

test('an operator of one team does not take over a machine with a single phase', async () => {
  const before = await traces();
  const build = await settled('team-a', await call('POST', '/clusters', specOf('team-a', SECOND)));
  expect(build.state).toBe('blocked');
  await cancelled('team-a');
  for (const phases of [['prepare'], ['chrony', 'runtime']]) {
    const answer = await call('POST', '/clusters/team-a/operations', { kind: 'build', phases }, 'team');
    const part = await settled('team-a', answer);
    expect(part.state).toBe('blocked');
    expect(errorsOf(part)[0]).toMatchObject({ code: 'HOST_OF_ANOTHER_CLUSTER' });
    await cancelled('team-a');
  }
  expect(await traces()).toBe(before);
  expect((await call('GET', '/clusters/team-a', undefined, 'team')).body['state']).not.toBe('ready');
});

test('the machine is free for others once its cluster was torn down', async () => {
  const before = await call('POST', '/clusters', specOf('next', machine.address));
  expect(before.status).toBe(409);
  const teardown = await settled('prod', await call('DELETE', '/clusters/prod?confirm=prod'));
  expect(teardown.state, JSON.stringify(errorsOf(teardown))).toBe('succeeded');
  expect(await onHost(lab, machine.name, `ls -d /etc/kubewright /var/lib/kubewright 2>/dev/null || :`)).toBe('');
  const next = await settled('next', await call('POST', '/clusters', specOf('next', machine.address)));
  expect(errorsOf(next).map(({ code }) => code)).not.toContain('HOST_OF_ANOTHER_CLUSTER');
  expect(await onHost(lab, machine.name, `cat ${MARK}`)).toMatch(/^next /);
  await cancelled('next');
});
