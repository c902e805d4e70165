import type { Change } from '../../../contracts/operation.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import type { TeardownRun } from '../phase.ts';
import { FLANNEL_SUBNET_ENV } from './config.ts';
import { callEtcd } from './etcd-calls.ts';
import { CALLS, deleteKeys } from './etcd-requests.ts';
import { etcdSubnetsOf, type FlannelOptions } from './options.ts';
import { ETCD_FILES } from './paths.ts';

/**
 * The lease of a host that is torn down is removed from etcd, by the host itself: its flanneld has stopped, and would take another one
 * before. Where the whole cluster goes and the etcd stays, all keys below the prefix are.
 */
export async function forgetLease(run: TeardownRun<FlannelOptions>): Promise<Change[]> {
  const etcd = etcdSubnetsOf(run.options);
  if (!etcd) return [];
  const { prefix } = etcd;
  const { servers, clientCertificate } = run.offer(kubernetesStore);
  const goesAsAWhole = run.targetHosts === null;
  // Its own etcd goes with the cluster.
  if (goesAsAWhole && clientCertificate === null) return [];
  const lease = `${prefix}/subnets/${await subnetOf(run)}`;
  const [what, message] = goesAsAWhole
    ? [`${prefix}/`, deleteKeys(`${prefix}/`, `${prefix}0`)]
    : [lease, deleteKeys(lease)];
  const calls = [{ path: CALLS.deleteRange, message }];
  const [result] = await callEtcd(run.remote, { access: ETCD_FILES, endpoints: servers, calls });
  const change = { resource: `etcd-key:${what}` };
  if (result && 'message' in result) return [{ ...change, action: 'remove', detail: 'in etcd' }];
  const why = result?.why ?? 'no endpoint answers';
  return [{ ...change, action: 'keep', detail: `etcd did not remove it: ${why}; a lease ends by itself after a day` }];
}

/** As flannel writes it into keys: `10.244.5.0-24`. */
async function subnetOf({ remote }: TeardownRun<FlannelOptions>): Promise<string> {
  const { stdout } = await remote.script(SUBNET, [], { okCodes: 'any' });
  return stdout.trim() || 'unknown';
}

/** Of 10.244.5.1/24, the address of the gateway and the length. */
const SUBNET = `
[ -r ${FLANNEL_SUBNET_ENV} ] || exit 0
. ${FLANNEL_SUBNET_ENV}
echo "\${FLANNEL_SUBNET%.*}.0-\${FLANNEL_SUBNET#*/}"
`;
