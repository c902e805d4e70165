import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskResult } from '../../contracts/operation.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, type TaskCall, Workbench } from '../integration/support.ts';

/** A running etcd of three is changed one member at a time: the phase alone, on bare hosts with the real etcd. */

const NAME = process.env['KUBEWRIGHT_TEST_LAB'] ?? 'kwer';
const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
const ETCDCTL =
  'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
/** A planned change of a cluster that serves. */
const IN_WINDOW = { excluded: [] as string[], yields: false, served: MEMBERS };

let lab: Lab;
let bench: Workbench;
let heartbeatMs = 100;

/** The spec as it is now: each change of `heartbeatMs` restarts every member. */
const spec = (draft: SpecDraft) => {
  draft.hosts = draft.hosts.filter(({ name }) => MEMBERS.includes(name));
  draft.phases = { ...draft.phases, etcd: { heartbeatMs, electionMs: 1000 } };
};
const etcd = (host: string, more: Partial<TaskCall> = {}): Promise<TaskResult> =>
  bench.run({ phase: 'etcd', host, change: spec, ...more });
const isLeader = async (host: string) =>
  (await onHost(lab, host, `${ETCDCTL} endpoint status`)).split(', ')[8] === 'true';
async function leader(): Promise<string> {
  for (const host of MEMBERS) if (await isLeader(host)) return host;
  throw new Error('etcd has no leader');
}
const others = (host: string) => MEMBERS.filter((each) => each !== host);
const startedAt = (host: string) => onHost(lab, host, 'systemctl show -p ExecMainStartTimestampMonotonic --value etcd');
/** What the commands of the bench printed about the leadership, newest last. */
const handedOver = async () => {
  const { items } = await bench.store.journal.list({ cluster: NAME, phase: 'etcd', limit: 1000 });
  const digests = items.flatMap(({ stdoutSha256 }) => (stdoutSha256 === null ? [] : [stdoutSha256]));
  const outputs = await Promise.all(digests.map(async (digest) => String(await bench.store.blobs.get(digest))));
  return outputs.flatMap((text) => text.match(/etcd leadership moved from [a-z0-9-]+ to [a-z0-9-]+/g) ?? []);
};

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 3, controlPlanes: 3 });
  bench = new Workbench(lab);
  await bench.open();
  await Promise.all(MEMBERS.map((host) => bench.run({ phase: 'prepare', host, change: spec })));
  await Promise.all(MEMBERS.map((host) => etcd(host)));
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

describe('members of a running etcd', () => {
  it('the leader asks for the last turn, before and when it enters the window; the others take any', async () => {
    heartbeatMs += 10;
    const first = await leader();
    for (const host of MEMBERS) {
      const turn = host === first ? { held: true, turn: 'last' } : { held: true };
      expect(await etcd(host, { probe: true })).toMatchObject(turn);
    }
    expect((await etcd(others(first)[0]!, { probe: true })).turn).toBeUndefined();
    const before = await startedAt(first);
    expect(await etcd(first, { window: { ...IN_WINDOW, yields: true } })).toMatchObject({ held: true, turn: 'last' });
    expect(await startedAt(first)).toBe(before);
  });

  it('a follower restarts without a change of leader; a leader hands over before it stops', async () => {
    const first = await leader();
    for (const host of others(first)) {
      await etcd(host, { window: IN_WINDOW });
      expect(await leader()).toBe(first);
    }
    expect(await handedOver()).toEqual([]);
    await etcd(first, { window: IN_WINDOW });
    const second = await leader();
    expect(second).not.toBe(first);
    expect(await handedOver()).toEqual([`etcd leadership moved from ${first} to ${second}`]);
    for (const host of MEMBERS) expect(await etcd(host)).toMatchObject({ changes: [], commands: 1 });
  });

  it('a member counts as changed when the new process serves, not while the old one still answers', async () => {
    const host = others(await leader())[0]!;
    const folder = '/etc/systemd/system/etcd.service.d';
    await onHost(
      lab,
      host,
      `mkdir -p ${folder} && printf '[Service]\\nExecStopPost=/bin/sleep 4\\n' >${folder}/99-slow.conf && systemctl daemon-reload`,
    );
    heartbeatMs += 10;
    const before = await startedAt(host);
    await etcd(host, { window: IN_WINDOW });
    expect(await startedAt(host)).not.toBe(before);
    expect(await onHost(lab, host, 'systemctl is-active etcd')).toBe('active\n');
    await onHost(lab, host, `rm -r ${folder} && systemctl daemon-reload`);
  });

  it('no member is stopped whose stop would leave no majority, unless the hosts that are missing are out', async () => {
    const first = await leader();
    const [down = '', host = ''] = others(first);
    await onHost(lab, down, 'systemctl stop etcd');
    heartbeatMs += 10;
    expect((await etcd(host, { probe: true })).turn).toBe('last');
    expect((await etcd(down, { probe: true })).turn).toBe('first');
    const before = await startedAt(host);
    await bench.stops(
      { phase: 'etcd', host, change: spec, window: IN_WINDOW },
      {
        code: 'ETCD_UNHEALTHY',
        retryable: true,
        cause: /is not restarted: 1 of 3 members/,
        evidence: new RegExp(`not healthy: ${down}`),
      },
    );
    expect(await startedAt(host)).toBe(before);
    await etcd(host, { window: { ...IN_WINDOW, excluded: [down] } });
    expect(await startedAt(host)).not.toBe(before);
    await etcd(down, { window: IN_WINDOW });
    await etcd(await leader(), { window: IN_WINDOW });
    for (const each of MEMBERS) await etcd(each);
  });
});
