import type { OperationStatus } from '../../../contracts/operation.ts';
import { defineMatrixCase } from '../kit/case.ts';
import type { MatrixKit } from '../kit/kit.ts';
import { kubeadmChecks } from '../kit/kubeadm.ts';
import { build, buildsWithoutChange } from '../kit/operations.ts';

const PLANES = ['cp-1', 'cp-2', 'cp-3'];

/** Names of the members of etcd that vote, as the member of cp-1 lists them. */
async function voters(kit: MatrixKit): Promise<string[]> {
  const pki = '/etc/etcd/pki';
  const said = await kit.onHost(
    'cp-1',
    `etcdctl --endpoints https://127.0.0.1:2379 --cacert ${pki}/ca.crt --cert ${pki}/health.crt --key ${pki}/health.key member list -w json`,
  );
  const { members } = JSON.parse(said) as { members: { name?: string; isLearner?: boolean }[] };
  return members.flatMap(({ name, isLearner }) => (isLearner ? [] : [name ?? '(not started)'])).sort();
}

const expectVoters = async (kit: MatrixKit, wanted: readonly string[]): Promise<void> => {
  const found = await voters(kit);
  if (found.join() !== wanted.join()) throw new Error(`etcd has the members ${found.join(', ')}`);
};

/** Tasks that found, join or change a control plane, of all operations so far: none begins before the one before has ended. */
async function oneAtATime({ bench: { api, name } }: MatrixKit): Promise<void> {
  const { items } = await api.request<{ items: OperationStatus[] }>('GET', `/clusters/${name}/operations`);
  let seen = 0;
  for (const { tasks } of items) {
    const changed = tasks
      .filter(({ phase, changeCount = 0 }) => phase === 'kubeadm' && changeCount > 0)
      .sort((a, b) => (a.startedAt! < b.startedAt! ? -1 : 1));
    seen += changed.length;
    for (const [index, { host, startedAt }] of changed.entries()) {
      const before = changed[index - 1];
      if (before && startedAt! < before.endedAt!)
        throw new Error(`${host} begins at ${startedAt}, before ${before.host} has ended at ${before.endedAt}`);
    }
  }
  if (seen < PLANES.length) throw new Error(`only ${seen} control planes were changed`);
}

export default defineMatrixCase({
  title:
    'kubeadm with 3 control planes and stacked etcd: they join one after the other, change one at a time, two leave and join again',
  hosts: { 'control-plane': 3, worker: 1 },
  with: ['kubeadm'],
  spec: (draft) => {
    draft.controlPlane = { engine: 'kubeadm', etcd: 'stacked' };
  },
  change: (draft) => {
    draft.phases['master'] = { apiServer: { logLevel: 2 } };
  },
  // Two at once: etcd has an odd number of members.
  removes: ['cp-2', 'cp-3'],
  returns: true,
  checks: [
    ...kubeadmChecks({ etcdPods: 3 }),
    { title: 'etcd has three members that vote', run: (kit) => expectVoters(kit, PLANES) },
    { title: 'control planes were made and changed one at a time', run: oneAtATime },
  ],
  afterRemoval: [
    { title: 'the members of the hosts that left are no members any more', run: (kit) => expectVoters(kit, ['cp-1']) },
    {
      title: 'the control plane that stays is built, and again without a change',
      run: async (kit) => {
        await build(kit);
        await buildsWithoutChange(kit);
      },
    },
  ],
});
