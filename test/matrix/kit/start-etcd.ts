import { type LabEtcd, startEtcd } from '../../../lab/etcd-server.ts';
import type { Bench } from '../../e2e/support.ts';
import type { SpecDraft } from './case.ts';
import { EXTERNAL_ETCD_CREDENTIAL, EXTERNAL_ETCD_PREFIX, externalEtcdAddress } from './external-etcd.ts';

/** Starts an etcd with users beside the hosts, and stores the certificate of one that may write below the prefix. */
export async function startExternalEtcd({ lab, api }: Bench): Promise<LabEtcd> {
  const readwrite = (prefix: string) => ({ prefix, permission: 'readwrite' as const });
  const etcd = await startEtcd(lab, {
    address: externalEtcdAddress(lab.spec.spec as unknown as SpecDraft),
    users: [{ name: 'kube', grants: [readwrite(`${EXTERNAL_ETCD_PREFIX}/`), readwrite('compact_rev_key')] }],
  });
  const { cert, key } = await etcd.client('kube');
  const body = { kind: 'client-certificate', certificate: cert, privateKey: key, ca: etcd.ca, clusters: ['*'] };
  await api.request('PUT', `/credentials/${EXTERNAL_ETCD_CREDENTIAL}`, body);
  return etcd;
}
