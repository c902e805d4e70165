import { kubeHosts } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { printableLine } from '../../../contracts/printable.ts';
import { formatMarker, markerOf } from '../../host/ownership-marker.ts';
import { apiServerEtcdClient, etcdHealthClient } from '../../kube/identities.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { KUBERNETES_PKI } from '../../kube/paths.ts';
import { plainText } from '../../resources/resource.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { claimed, claimOf, markerKey, rangeOf } from '../external-etcd/public.ts';
import {
  addRole,
  addUser,
  below,
  CALLS,
  type CallResult,
  callEtcd,
  deleteKeys,
  type EtcdAccess,
  type EtcdCall,
  etcdSubnetsOf,
  FLANNEL_ETCD_USER,
  flannelOptionsOf,
  grantPrefix,
  grantRole,
  isAuthEnabled,
  isDone,
  NOTHING,
  networkConfig,
  put,
} from '../flannel/public.ts';
import type { PhaseRun } from '../phase.ts';

const ROOT = 'root';

/** Brings users, configuration and leases in etcd to what the spec says. Observes before it acts. */
export async function keepNetwork(run: PhaseRun<unknown>): Promise<Change[]> {
  const { cluster, pki, mode, remote } = run;
  const options = flannelOptionsOf(cluster);
  const { prefix, credential } = etcdSubnetsOf(options)!;
  const { servers, clientCertificate } = run.offer(kubernetesStore);
  const access = await accessOf(run, credential);
  const isOwn = clientCertificate === null;
  const ask = (calls: readonly EtcdCall[], changes: readonly Change[] = []) =>
    callEtcd(remote, { access, endpoints: servers, calls, changes });

  const observed = await ask([
    { path: CALLS.range, message: below(prefix) },
    ...(isOwn ? [{ path: CALLS.authStatus, message: NOTHING }] : []),
  ]);
  const [keys, status] = answered(run, observed, isOwn ? 2 : 1);
  const { keys: names, values } = rangeOf(keys!);
  const found = new Map(names.map((name, index) => [name, values[index] ?? '']));

  const changes: Change[] = [];
  const calls: EtcdCall[] = [];
  if (status && !isAuthEnabled(status)) {
    calls.push(...users(run, prefix));
    changes.push({ resource: 'etcd-users', action: 'create', detail: `${FLANNEL_ETCD_USER} may use ${prefix}/ alone` });
  }
  const marker = isOwn ? null : await claimOfPrefix(run, prefix, found);
  if (marker) {
    calls.push(marker);
    changes.push({
      resource: `etcd-prefix:${prefix}`,
      action: 'create',
      detail: 'belongs to this cluster from now on',
    });
  }
  const config = plainText(await networkConfig(cluster, options, pki));
  if (found.get(`${prefix}/config`) !== config) {
    calls.push({ path: CALLS.put, message: put(`${prefix}/config`, config) });
    const action = found.has(`${prefix}/config`) ? 'update' : 'create';
    changes.push({ resource: `etcd-key:${prefix}/config`, action, detail: `backend ${options.backend}` });
  }
  for (const key of leasesOfStrangers(run, prefix, found)) {
    calls.push({ path: CALLS.deleteRange, message: deleteKeys(key) });
    changes.push({
      resource: `etcd-key:${key}`,
      action: 'remove',
      detail: `lease of ${found.get(key)?.slice(0, 100)}`,
    });
  }
  if (calls.length === 0 || mode === 'check') return changes;
  const results = await ask(calls, changes);
  answered(run, results, calls.length);
  if (marker) refuseOthers(run, prefix, results[calls.indexOf(marker)]!);
  return changes;
}

async function accessOf(run: PhaseRun<unknown>, credential: string | null): Promise<EtcdAccess> {
  const { clientCertificate } = run.offer(kubernetesStore);
  if (credential !== null && clientCertificate !== null) {
    const certificate = await run.clientCertificate({
      credential: { name: credential },
      places: clientCertificate.places,
    });
    return { credential, certificate };
  }
  const base = `${KUBERNETES_PKI}/apiserver-etcd-client`;
  return { ca: `${KUBERNETES_PKI}/etcd-ca.crt`, cert: `${base}.crt`, key: `${base}.key` };
}

/**
 * From here on a certificate of the authority is not enough: its name has to be a user. The API servers and we ourselves are
 * root; users are enabled last, so that an etcd with users has all of them.
 */
function users({ host }: PhaseRun<unknown>, prefix: string): EtcdCall[] {
  const user = (name: string, role: string): EtcdCall[] => [
    { path: CALLS.userAdd, message: addUser(name) },
    { path: CALLS.userGrantRole, message: grantRole(name, role) },
  ];
  return [
    { path: CALLS.roleAdd, message: addRole(FLANNEL_ETCD_USER) },
    { path: CALLS.roleGrant, message: grantPrefix(FLANNEL_ETCD_USER, prefix) },
    ...user(ROOT, ROOT),
    ...user(apiServerEtcdClient(host).commonName, ROOT),
    ...user(etcdHealthClient(host).commonName, ROOT),
    ...user(FLANNEL_ETCD_USER, FLANNEL_ETCD_USER),
    { path: CALLS.authEnable, message: NOTHING },
  ];
}

/** The call that puts our marker; null: it is there. Throws EXTERNAL_ETCD_IN_USE for keys of others. */
async function claimOfPrefix(
  run: PhaseRun<unknown>,
  prefix: string,
  found: ReadonlyMap<string, string>,
): Promise<EtcdCall | null> {
  const marker = formatMarker(await markerOf(run.cluster, run.pki));
  const there = found.get(markerKey(prefix));
  if (there === marker) return null;
  if (there !== undefined || found.size > 0) inUse(run, prefix, there ?? `${found.size} keys without a marker`);
  return { path: '/etcdserverpb.KV/Txn', message: claimOf(prefix, marker) };
}

function refuseOthers(run: PhaseRun<unknown>, prefix: string, result: CallResult): void {
  if (!('message' in result)) return;
  const { made, found } = claimed(result.message);
  if (!made) inUse(run, prefix, found ?? 'keys without a marker');
}

function inUse(run: PhaseRun<unknown>, prefix: string, what: string): never {
  return run.fail(
    'EXTERNAL_ETCD_IN_USE',
    `the keys below ${prefix}/ belong to another cluster: set another spec.phases.flannel.etcdPrefix`,
    `${markerKey(prefix)}: ${printableLine(what)}`,
  );
}

/** Keys of leases of hosts that the cluster does not have. Where nodes are known by names alone, none is judged. */
function leasesOfStrangers(
  { cluster }: PhaseRun<unknown>,
  prefix: string,
  found: ReadonlyMap<string, string>,
): string[] {
  const addresses = kubeHosts(cluster).map(internalIpv4);
  if (addresses.includes(undefined)) return [];
  return [...found].flatMap(([key, value]) => {
    if (!key.startsWith(`${prefix}/subnets/`)) return [];
    const owner = publicAddressOf(value);
    return owner === null || addresses.includes(owner) ? [] : [key];
  });
}

function publicAddressOf(lease: string): string | null {
  try {
    const { PublicIP } = JSON.parse(lease) as { PublicIP?: unknown };
    return typeof PublicIP === 'string' ? PublicIP : null;
  } catch {
    return null;
  }
}

/** The messages of all calls; throws where one was refused, or no endpoint answers. */
function answered(run: PhaseRun<unknown>, results: readonly CallResult[], count: number) {
  const refused = results.find((result) => !isDone(result));
  const own = run.offer(kubernetesStore).clientCertificate === null;
  if (refused && 'why' in refused) {
    const isForbidden = refused.code === 7 || /permission denied/i.test(refused.why);
    const code = own ? 'ETCD_UNHEALTHY' : isForbidden ? 'EXTERNAL_ETCD_FORBIDDEN' : 'EXTERNAL_ETCD_UNREACHABLE';
    run.fail(code, `etcd does not do what flannel needs: ${refused.why}`, refused.why);
  }
  if (results.length < count) run.fail('ETCD_UNHEALTHY', `etcd answered ${results.length} of ${count} calls`, '');
  return results.map((result) => ('message' in result ? result.message : null));
}
