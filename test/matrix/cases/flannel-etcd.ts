import { kubeHosts } from '../../../contracts/cluster.ts';
import { defineMatrixCase } from '../kit/case.ts';
import type { MatrixKit } from '../kit/kit.ts';

const PREFIX = '/kubewright/flannel';
const CERTIFICATES = '/etc/kubernetes/pki';
/** etcdctl on the host of the member, with a certificate of that folder. */
const etcdctl = (address: string, name: string, words: string) =>
  `/usr/local/bin/etcdctl --endpoints https://${address}:2379 --cacert ${CERTIFICATES}/etcd-ca.crt --cert ${CERTIFICATES}/${name}.crt --key ${CERTIFICATES}/${name}.key ${words}`;

/** The control plane is a node as well: it has the certificate of flannel beside that of the API server. */
async function keysOfFlannel(kit: MatrixKit): Promise<void> {
  const { spec } = kit.cluster;
  const [first] = spec.hosts;
  const address = first!.internalAddress ?? first!.address;
  const keys = await kit.onHost(first!.name, etcdctl(address, 'flannel-etcd', `get --prefix ${PREFIX}/ --keys-only`));
  const leases = keys.split('\n').filter((key) => key.startsWith(`${PREFIX}/subnets/`));
  if (leases.length !== kubeHosts(kit.cluster).length) throw new Error(`leases of other nodes:\n${keys}`);
  for (const words of [
    'get --prefix /registry/secrets/',
    'put /registry/x y',
    'member remove 1',
    'snapshot save /tmp/x',
  ]) {
    const said = await kit.onHost(first!.name, `${etcdctl(address, 'flannel-etcd', words)} 2>&1 || :`);
    if (!said.includes('permission denied')) throw new Error(`a node may: etcdctl ${words}: ${said.slice(0, 300)}`);
  }
}

/** Subnets by leases in the etcd of the cluster; the certificate of a node reads and writes nothing else there. */
export default defineMatrixCase({
  title: 'flannel with subnets in etcd',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['flannel'] = { subnetManager: 'etcd' };
  },
  change: (draft) => {
    draft.phases['flannel'] = { subnetManager: 'etcd', backend: 'host-gw' };
  },
  checks: [{ title: 'leases of all nodes are in etcd, and nodes read no Secrets there', run: keysOfFlannel }],
});
