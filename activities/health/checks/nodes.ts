import { kubeHosts } from '../../../contracts/cluster.ts';
import type { HealthCode, HealthReason } from '../../../contracts/health.ts';
import { bytes, parseFileSystems } from '../../kube/eviction.ts';
import { desiredTaints } from '../../kube/node-taints.ts';
import { defineHealthCheck, type HostView, isBare, rowsOf, shortened, timeOf, unquoted } from '../view.ts';

/** Conditions of a node that are faults while they hold. */
const CONDITIONS: Readonly<Record<string, { code: HealthCode; text: string }>> = {
  Ready: { code: 'NODE_NOT_READY', text: 'is not Ready' },
  DiskPressure: { code: 'DISK_PRESSURE', text: 'has DiskPressure: the kubelet evicts pods and accepts no new ones' },
  MemoryPressure: { code: 'MEMORY_PRESSURE', text: 'has MemoryPressure: the kubelet evicts pods' },
  PIDPressure: { code: 'PID_PRESSURE', text: 'has PIDPressure: the kubelet evicts pods and accepts no new ones' },
  NetworkUnavailable: { code: 'NETWORK_UNAVAILABLE', text: 'has no pod network' },
};

/** What the kubelet says of a node that is not Ready because it has no network configuration. */
const NO_NETWORK = /NetworkPluginNotReady|cni (config uninitialized|plugin not initialized)/i;

/** Taints that Kubernetes sets for a condition of a node: the condition is the reason, not the taint. */
const OF_CONDITIONS = new Set(
  [
    'not-ready',
    'unreachable',
    'disk-pressure',
    'memory-pressure',
    'pid-pressure',
    'network-unavailable',
    'unschedulable',
  ].map((name) => `node.kubernetes.io/${name}`),
);

/** Nodes of the spec: there, Ready, without pressure, open to pods. Nodes that others added are not looked at. */
export default defineHealthCheck(30, ({ cluster, rows, out, hosts }) => {
  const listed = new Map(rowsOf(rows, 'node').map(([name = '', state]) => [name, state]));
  if (listed.size === 0 && rowsOf(rows, 'kubectl').length > 0) return [];
  const bare = new Set(hosts.filter(isBare).map(({ host }) => host.name));
  const wanted = kubeHosts(cluster).filter(({ name }) => !out.has(name));
  return wanted.flatMap((host): HealthReason[] => {
    const { name } = host;
    const subject = `node ${name}`;
    if (!listed.has(name)) {
      if (rows === null || bare.has(name)) return [];
      return [{ code: 'NODE_MISSING', subject, reason: `the host ${name} of the spec is not a node of the cluster` }];
    }
    const conditions = rowsOf(rows, 'condition').flatMap(([node, type = '', status, since, why, message]) => {
      const known =
        type === 'Ready' && NO_NETWORK.test(message ?? '') ? CONDITIONS['NetworkUnavailable'] : CONDITIONS[type];
      if (node !== name || !known) return [];
      const seen = type === 'DiskPressure' ? diskText(hosts.find((each) => each.host.name === name)) : '';
      const evidence = shortened(`${type}=${status} ${why}: ${unquoted(message)}${seen}`);
      return [{ code: known.code, subject, reason: `${name} ${known.text}`, evidence, since: timeOf(since) }];
    });
    const cordoned: HealthReason[] =
      listed.get(name) === 'cordoned'
        ? [{ code: 'NODE_UNSCHEDULABLE', subject, reason: `${name} is cordoned: no new pods are scheduled on it` }]
        : [];
    const own = new Set(desiredTaints(host).map(({ key, effect }) => `${key}:${effect}`));
    const taints = rowsOf(rows, 'taint').flatMap(([node, key = '', value, effect = '', since]): HealthReason[] => {
      if (node !== name || OF_CONDITIONS.has(key) || effect === 'PreferNoSchedule' || own.has(`${key}:${effect}`))
        return [];
      const taint = `${key}${value ? `=${value}` : ''}:${effect}`;
      const reason = `the taint ${taint}, which is not in the spec, keeps pods away from ${name}`;
      return [{ code: 'NODE_TAINTED', subject, reason, evidence: taint, since: timeOf(since) }];
    });
    return [...conditions, ...cordoned, ...taints];
  });
});

/** How full the disks of a node are: the kubelet itself does not say. */
function diskText(view: HostView | undefined): string {
  return parseFileSystems(view?.rows ?? [])
    .fileSystems.filter(({ use, sizeKiB }) => use !== 'etcd' && sizeKiB > 0)
    .map(({ use, device, mountPoint, freeKiB, sizeKiB }) => {
      const share = ((100 * freeKiB) / sizeKiB).toFixed(1);
      return `; ${use} (${device} on ${mountPoint}): ${bytes(freeKiB * 1024)} free, ${share} %`;
    })
    .join('');
}
