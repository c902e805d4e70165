import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TaskResult } from '../../contracts/operation.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, type TaskCall, Workbench } from '../integration/support.ts';

/** etcd grows from one member to three and five, and shrinks again, without losing what it has: on bare hosts with the real etcd. */

const NAME = process.env['KUBEWRIGHT_TEST_LAB'] ?? 'kwrz';
const ALL = ['cp-1', 'cp-2', 'cp-3', 'worker-1', 'worker-2'];
const ETCDCTL =
  'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
let lab: Lab;
let bench: Workbench;

/** The first hosts of the lab as members, a control plane on each. */
const ofSize = (size: number) => (draft: SpecDraft) => {
  draft.hosts = draft.hosts.filter(({ name }) => ALL.slice(0, size).includes(name));
  draft.hosts = draft.hosts.map((host, index) => ({
    ...host,
    roles: ['control-plane', 'etcd', 'worker', ...(index === 0 ? ['registry', 'time-server'] : [])],
  }));
};
const run = (phase: string, host: string, size: number, more: Partial<TaskCall> = {}): Promise<TaskResult> =>
  bench.run({ phase, host, change: ofSize(size), ...more });
const ctl = (host: string, command: string) => onHost(lab, host, `${ETCDCTL} ${command}`);
const members = async () =>
  (await ctl('cp-1', 'member list'))
    .trim()
    .split('\n')
    .map((line) => line.split(', '))
    .map(([, , name, , , learner]) => `${name}${learner === 'true' ? ' (learner)' : ''}`)
    .sort();
async function leader(size: number): Promise<string> {
  for (const host of ALL.slice(0, size)) {
    if ((await ctl(host, 'endpoint status')).split(', ')[8] === 'true') return host;
  }
  throw new Error('etcd has no leader');
}
/** Members of these hosts leave; what the task says that it did. */
const leave = async (size: number, hosts: string[], mode: 'apply' | 'check' = 'apply') =>
  (await run('remove-member', 'cp-1', size, { kind: 'teardown', focus: hosts, mode })).changes.map(
    ({ resource, action }) => `${action} ${resource}`,
  );

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 5, controlPlanes: 3 });
  bench = new Workbench(lab);
  await bench.open();
  await Promise.all(ALL.map((host) => run('prepare', host, 5)));
  await run('etcd', 'cp-1', 1);
  await ctl('cp-1', 'put /kept precious');
  // What phase master places there.
  const [from, to] = ['/etc/etcd/pki', '/etc/kubernetes/pki'];
  await onHost(
    lab,
    'cp-1',
    `mkdir -p ${to} && cp ${from}/ca.crt ${to}/etcd-ca.crt && for end in crt key; do cp ${from}/health.$end ${to}/apiserver-etcd-client.$end; done`,
  );
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

it('one member becomes three, and three become five: side by side, a learner at a time', async () => {
  for (const size of [3, 5]) {
    await Promise.all(ALL.slice(0, size).map((host) => run('etcd', host, size)));
    expect(await members()).toEqual(ALL.slice(0, size));
  }
  for (const host of ALL) expect(await ctl(host, 'get /kept --print-value-only')).toBe('precious\n');
});

it('a dry run names the members that would leave, and removes none', async () => {
  expect(await leave(5, ['worker-1', 'worker-2'], 'check')).toEqual([
    'remove etcd-member:worker-1',
    'remove etcd-member:worker-2',
  ]);
  expect(await members()).toEqual(ALL);
});

it('two of five leave: one that is down first, a leader after it handed over', async () => {
  await ctl(await leader(5), `move-leader ${(await ctl('worker-2', 'endpoint status')).split(', ')[1]}`);
  expect(await leader(5)).toBe('worker-2');
  await onHost(lab, 'worker-1', 'systemctl stop etcd');
  const changes = await leave(5, ['worker-2', 'worker-1']);
  expect(changes).toEqual(['remove etcd-member:worker-1', 'run etcd-member:worker-2', 'remove etcd-member:worker-2']);
  expect(await members()).toEqual(ALL.slice(0, 3));
  expect(await leave(5, ['worker-2', 'worker-1'])).toEqual([]);
});

it('none leaves while those who stay would be no majority', async () => {
  await onHost(lab, 'cp-2', 'systemctl stop etcd');
  await bench.stops(
    { phase: 'remove-member', host: 'cp-1', change: ofSize(3), kind: 'teardown', focus: ['cp-3'] },
    {
      code: 'ETCD_UNHEALTHY',
      retryable: true,
      cause: /the members of cp-3 could not leave etcd/,
      evidence: /1 of the 2 members that would vote without cp-3 are healthy, a majority is 2/,
    },
  );
  expect(await members()).toEqual(ALL.slice(0, 3));
  await onHost(lab, 'cp-2', 'systemctl start etcd');
});

it('three become one, which goes on with all data', async () => {
  expect((await leave(3, ['cp-2', 'cp-3'])).filter((change) => change.startsWith('remove'))).toHaveLength(2);
  expect(await members()).toEqual(['cp-1']);
  expect(await ctl('cp-1', 'get /kept --print-value-only')).toBe('precious\n');
  await run('etcd', 'cp-1', 1);
  await ctl('cp-1', 'put /kept still');
});
