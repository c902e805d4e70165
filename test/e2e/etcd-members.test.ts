import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskResult } from '../../contracts/operation.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, type TaskCall, Workbench } from '../integration/support.ts';

/**
 * Members of etcd that come late, lose their disk, are replaced or die half way: the phase alone, on bare hosts with the
 * real etcd. The fourth host is the spare machine.
 */

const NAME = 'kwem';
let lab: Lab;
let bench: Workbench;

const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
const SPARE = 'worker-1';

/** Three etcd hosts; `machineOf` says which machine of the lab plays cp-3. */
const asSpec = (machineOf3: string) => (spec: SpecDraft) => {
  const machine = spec.hosts.find(({ name }) => name === machineOf3)!;
  const { address, ssh } = machine;
  spec.hosts = spec.hosts.filter(({ name }) => MEMBERS.includes(name));
  spec.hosts[2] = { ...spec.hosts[2]!, address, ssh };
};
const three = asSpec('cp-3');
const replaced = asSpec(SPARE);

const etcd = (host: string, change = three, more: Partial<TaskCall> = {}): Promise<TaskResult> =>
  bench.run({ phase: 'etcd', host, change, ...more });

/** Runs until the step begins that matches, then is stopped there as a cancelled task is. */
async function stopAt(step: RegExp, host: string, change = three): Promise<void> {
  const controller = new AbortController();
  const seen: string[] = [];
  const running = etcd(host, change, {
    signal: controller.signal,
    onStep: (text) => {
      seen.push(text);
      if (step.test(text)) controller.abort();
    },
  });
  await expect(running, `steps: ${seen.join(' | ')}`).rejects.toMatchObject({ code: 'COMMAND_ABORTED' });
  expect(seen.some((text) => step.test(text))).toBe(true);
}

const ETCDCTL =
  'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
const ctl = (machine: string, command: string) => onHost(lab, machine, `${ETCDCTL} ${command}`);
/** `cp-1 10.98.0.2 vote` for each member, sorted; and the ids by name. */
async function membersBy(machine: string): Promise<{ lines: string[]; ids: Map<string, string> }> {
  const rows = (await ctl(machine, 'member list'))
    .trim()
    .split('\n')
    .map((line) => line.split(', '));
  return {
    lines: rows
      .map(
        ([, , name, urls, , learner]) =>
          `${name} ${new URL(urls!).hostname} ${learner === 'true' ? 'learner' : 'vote'}`,
      )
      .sort(),
    ids: new Map(rows.map(([id, , name]) => [name!, id!])),
  };
}
const address = (machine: string) => lab.hosts.find(({ name }) => name === machine)!.address;
const expected = (machineOf3 = 'cp-3') => [
  `cp-1 ${address('cp-1')} vote`,
  `cp-2 ${address('cp-2')} vote`,
  `cp-3 ${address(machineOf3)} vote`,
];
const loseDisk = (machine: string) => onHost(lab, machine, 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member');
/** A second look at every member: nothing to do, and one command that claims and looks to know it. */
async function expectSettled(change = three): Promise<void> {
  for (const host of MEMBERS) {
    expect(await etcd(host, change)).toMatchObject({ changes: [], commands: 1 });
  }
}

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 4, controlPlanes: 3 });
  bench = new Workbench(lab);
  await bench.open();
  const prepared = [...MEMBERS.map((host) => ({ host, change: three })), { host: 'cp-3', change: replaced }];
  await Promise.all(prepared.map((call) => bench.run({ phase: 'prepare', ...call })));
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

describe('a quorum of three', () => {
  it('forms while one host is missing, and adds it later', async () => {
    await Promise.all(['cp-1', 'cp-2'].map((host) => etcd(host)));
    await ctl('cp-1', 'put /kept precious');
    await etcd('cp-3');
    expect((await membersBy('cp-3')).lines).toEqual(expected());
    expect(await ctl('cp-3', 'get /kept --print-value-only')).toBe('precious\n');
    await expectSettled();
  });

  it('adds a member with an empty disk again, under a new id', async () => {
    const before = await membersBy('cp-1');
    await loseDisk('cp-3');
    const { changes } = await etcd('cp-3');
    expect(changes.map(({ resource }) => resource)).toContain('etcd-member:cp-3');
    const after = await membersBy('cp-3');
    expect(after.lines).toEqual(expected());
    expect(after.ids.get('cp-3')).not.toBe(before.ids.get('cp-3'));
    expect(await ctl('cp-3', 'get /kept --print-value-only')).toBe('precious\n');
    await expectSettled();
  });

  it('converges after a stop between any two steps of joining', async () => {
    await loseDisk('cp-3');
    await stopAt(/etcd-member:cp-3: cp-3 .* is removed/, 'cp-3');
    await stopAt(/etcd-member:cp-3: becomes a member/, 'cp-3');
    await stopAt(/etcd-member:cp-3: begins as the member that the others expect/, 'cp-3');
    await stopAt(/^apply service:etcd/, 'cp-3');
    await stopAt(/^after/, 'cp-3');
    await etcd('cp-3');
    expect((await membersBy('cp-1')).lines).toEqual(expected());
    await expectSettled();
  });

  it('refuses a step that would lose the majority, changes nothing, and continues when the others are back', async () => {
    const before = await membersBy('cp-1');
    await loseDisk('cp-3');
    await onHost(lab, 'cp-2', 'systemctl stop etcd.service');
    await bench.stops(
      { phase: 'etcd', host: 'cp-3', change: three },
      {
        code: 'ETCD_QUORUM_LOST',
        retryable: true,
        cause: /1 of 3 members answer \(cp-1\), not cp-2, cp-3/,
        evidence: /ETCD_CANNOT_JOIN.*data of this member is gone.*no majority of the other/,
      },
    );
    await onHost(lab, 'cp-2', 'systemctl start etcd.service');
    expect((await membersBy('cp-1')).ids).toEqual(before.ids);
    await etcd('cp-3');
    expect((await membersBy('cp-1')).lines).toEqual(expected());
  });
});

describe('a replaced machine', () => {
  it('of the same name and another address takes the place of the old one', async () => {
    await onHost(lab, 'cp-3', 'systemctl stop etcd.service');
    await etcd('cp-3', replaced);
    expect((await membersBy(SPARE)).lines).toEqual(expected(SPARE));
    expect(await ctl(SPARE, 'get /kept --print-value-only')).toBe('precious\n');
    await expectSettled(replaced);
  });

  it('whose predecessor returns with old data: that data is moved aside, and the present member is not changed', async () => {
    await onHost(lab, 'cp-3', 'systemctl start --no-block etcd.service');
    expect((await membersBy('cp-1')).lines).toEqual(expected(SPARE));
    // Back to the old machine, on purpose.
    await onHost(lab, SPARE, 'systemctl stop etcd.service');
    await etcd('cp-3');
    expect((await membersBy('cp-3')).lines).toEqual(expected());
    await expectSettled();
  });
});

it('founders that started with a wrong address start again after a correction', async () => {
  await bench.close();
  await Promise.all(
    lab.hosts.map(({ name }) => onHost(lab, name, 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member')),
  );
  bench = new Workbench(lab);
  await bench.open();
  // As found: two of three addresses are another machine's.
  await stopAt(/^after/, 'cp-1', (spec) => {
    three(spec);
    spec.hosts[1]!.address = '192.0.2.2';
    spec.hosts[2]!.address = '192.0.2.3';
  });
  await Promise.all(MEMBERS.map((host) => etcd(host)));
  expect((await membersBy('cp-2')).lines).toEqual(expected());
  await expectSettled();
});
