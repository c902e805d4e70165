import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { powerOff, powerOn } from '../../lab/faults.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, Workbench } from '../integration/support.ts';

/** etcd loses its majority, is named so with what is left where, and comes back by the commands of docs/etcd.md. Bare hosts, the real etcd. */

const NAME = process.env['KUBEWRIGHT_TEST_LAB'] ?? 'kwmj';
const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
const ETCDCTL =
  'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
let lab: Lab;
let bench: Workbench;

const spec = (draft: SpecDraft) => {
  draft.hosts = draft.hosts.filter(({ name }) => MEMBERS.includes(name));
};
const etcd = (host: string) => bench.run({ phase: 'etcd', host, change: spec });
const ctl = (host: string, command: string) => onHost(lab, host, `${ETCDCTL} ${command}`);
/** The blocks under "Majority lost", in their order. */
function commands(): string[] {
  const text = readFileSync(new URL('../../docs/etcd.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## Majority lost'));
  return [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => `set -eu\n${block}`);
}
async function expectThree(): Promise<void> {
  const rows = (await ctl('cp-1', 'member list')).trim().split('\n');
  expect(rows.map((row) => `${row.split(', ')[2]} ${row.split(', ').at(-1)}`).sort()).toEqual([
    'cp-1 false',
    'cp-2 false',
    'cp-3 false',
  ]);
  for (const host of MEMBERS) expect(await ctl(host, 'get /kept --print-value-only')).toBe('precious\n');
}

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 3, controlPlanes: 3 });
  bench = new Workbench(lab);
  await bench.open();
  await Promise.all(MEMBERS.map((host) => bench.run({ phase: 'prepare', host, change: spec })));
  await Promise.all(MEMBERS.map((host) => etcd(host)));
  await ctl('cp-1', 'put /kept precious');
  await ctl('cp-1', 'snapshot save /root/etcd.snapshot');
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

it('a lost majority is named, with what is left on each host', async () => {
  await powerOff(lab, 'cp-2');
  await onHost(lab, 'cp-3', 'systemctl stop etcd; rm -rf /var/lib/etcd/member');
  await bench.stops(
    { phase: 'etcd', host: 'cp-3', change: spec },
    {
      code: 'ETCD_QUORUM_LOST',
      retryable: true,
      cause: /^etcd has lost its majority: 1 of 3 members answer \(cp-1\), not cp-2, cp-3$/,
      evidence: [
        /^cp-1: answers, without a leader; revision \d+, raft index \d+$/m,
        /^cp-2: the host cannot be asked: SSH_UNREACHABLE/m,
        /^cp-3: etcd\.service is inactive; no data$/m,
        /^newest data that can be seen: cp-1$/m,
        /ETCD_CANNOT_JOIN/,
      ],
    },
  );
});

it('the data of a member that starts without a majority, and of one that does not run, is seen too', async () => {
  await onHost(lab, 'cp-1', 'systemctl restart --no-block etcd; sleep 2');
  await bench.stops(
    { phase: 'etcd', host: 'cp-3', change: spec },
    {
      code: 'ETCD_QUORUM_LOST',
      retryable: true,
      cause: /0 of 3 members answer/,
      evidence: /^cp-1: etcd\.service is activating and answers no client; raft index \d+$/m,
    },
  );
  await onHost(lab, 'cp-1', 'systemctl stop etcd');
  await bench.stops(
    { phase: 'etcd', host: 'cp-3', change: spec },
    {
      code: 'ETCD_QUORUM_LOST',
      retryable: true,
      cause: /0 of 3 members answer/,
      evidence: /^cp-1: etcd\.service is inactive and answers no client; revision \d+$/m,
    },
  );
});

it('the commands for a majority that is gone for good keep the data; the others join anew', async () => {
  await onHost(lab, 'cp-1', commands()[0]!);
  expect(await ctl('cp-1', 'get /kept --print-value-only')).toBe('precious\n');
  await powerOn(lab, 'cp-2');
  await etcd('cp-2');
  await etcd('cp-3');
  await expectThree();
});

it('the commands for a snapshot bring back what it has', async () => {
  for (const host of MEMBERS) await onHost(lab, host, 'systemctl stop etcd; rm -rf /var/lib/etcd/member*');
  const block = commands()[1]!.replace(
    'address=10.0.0.11',
    `address=${lab.hosts.find(({ name }) => name === 'cp-1')!.address}`,
  );
  await onHost(lab, 'cp-1', block);
  await etcd('cp-2');
  await etcd('cp-3');
  await expectThree();
});
