import type { SpecDraft } from './case.ts';

/** Name of the stored client certificate, and the prefix that its user may write to. */
export const EXTERNAL_ETCD_CREDENTIAL = 'matrix-etcd';
export const EXTERNAL_ETCD_PREFIX = '/kube/matrix';

/** The machine's own address on the network of the lab (`lab/subnet.ts`), where the server of a case listens. */
export const externalEtcdAddress = (draft: SpecDraft): string => draft.hosts[0]!.address.replace(/\d+$/, '1');

/** The cluster keeps its objects in an etcd of others, which the runner starts beside the hosts of a case with `externalEtcd`. */
export function useExternalEtcd(draft: SpecDraft): void {
  for (const host of draft.hosts) host.roles = host.roles.filter((role) => role !== 'etcd');
  draft.phases['etcd'] = {
    ...draft.phases['etcd'],
    bootstrap: {
      mode: 'external',
      endpoints: [`https://${externalEtcdAddress(draft)}:2379`],
      credential: { name: EXTERNAL_ETCD_CREDENTIAL },
      prefix: EXTERNAL_ETCD_PREFIX,
    },
  };
}
