import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { externalEtcd } from '../etcd/public.ts';
import { etcdSubnetsOf, type FlannelOptions } from './options.ts';

const AT = 'spec.phases.flannel';

/** What of the options does not go together, or not with the rest of the spec. Pure. */
export function flannelIssues({ cluster, options }: { cluster: ClusterSpec; options: FlannelOptions }): FieldIssue[] {
  return [...backendIssues(options), ...subnetIssues(cluster, options)];
}

const backendIssues = ({ backend, wireguard }: FlannelOptions): FieldIssue[] =>
  wireguard && backend !== 'wireguard'
    ? [
        {
          path: `${AT}.wireguard`,
          message: `are settings of the backend wireguard, and the backend is ${backend}: remove them, or set backend: wireguard`,
        },
      ]
    : [];

function subnetIssues(cluster: ClusterSpec, options: FlannelOptions): FieldIssue[] {
  const etcd = etcdSubnetsOf(options);
  if (!etcd) {
    return (['etcdPrefix', 'etcdCredential'] as const)
      .filter((option) => options[option] !== undefined)
      .map((option) => ({
        path: `${AT}.${option}`,
        message: 'belongs to subnetManager: etcd: set that, or remove it',
      }));
  }
  const external = externalEtcd(cluster);
  const issue = (option: string, message: string): FieldIssue[] => [{ path: `${AT}.${option}`, message }];
  const inside = (one: string, other: string) => one === other || one.startsWith(`${other}/`);
  const keysOfCluster = external?.prefix ?? '/registry';
  return [
    ...(inside(etcd.prefix, keysOfCluster) || inside(keysOfCluster, etcd.prefix)
      ? issue('etcdPrefix', `${etcd.prefix} and the keys of the cluster, ${keysOfCluster}, are one inside the other`)
      : []),
    ...(options.wireguard?.presharedKey
      ? issue('wireguard.presharedKey', 'does not go with subnetManager: etcd: the key would be readable in etcd')
      : []),
    ...(external && etcd.credential === null
      ? issue(
          'subnetManager',
          'etcd needs etcdCredential where the etcd is yours: nodes show it, and that of the API servers would give every node all Secrets',
        )
      : []),
    ...(external && etcd.credential === external.credential.name
      ? issue(
          'etcdCredential',
          `${etcd.credential} is the credential of the API servers: every node would have all Secrets. Make one for flannel alone`,
        )
      : []),
    ...(!external && etcd.credential !== null
      ? issue('etcdCredential', 'is for an etcd of yours (spec.phases.etcd.bootstrap.mode: external): remove it')
      : []),
    ...(!external && cluster.spec.controlPlane?.engine === 'kubeadm'
      ? issue(
          'subnetManager',
          'etcd does not go with the etcd that kubeadm runs, whose users kubeadm does not know: use kubernetes, or an etcd of yours',
        )
      : []),
  ];
}
