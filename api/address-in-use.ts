import { type ClusterSpec, internalAddress, sshTarget } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { Host } from '../contracts/host.ts';
import { LIMITS } from '../contracts/limits.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Throws ADDRESS_IN_USE when another host of this cluster has one of the host's addresses, or a host of another cluster
 * is reached at the same address and port. Internal addresses of different clusters may well be the same.
 */
export async function requireFreeAddress(deps: ApiDeps, cluster: ClusterSpec, host: Host): Promise<void> {
  const own = new Set([host.address, internalAddress(host)]);
  const neighbour = cluster.spec.hosts.find(
    (each) => each.name !== host.name && (own.has(each.address) || own.has(internalAddress(each))),
  );
  if (neighbour) throw inUse(host, `host ${neighbour.name} of this cluster`);
  const endpoint = endpointOf(cluster, host);
  for await (const other of otherClusters(deps, cluster.metadata.name)) {
    const holder = other.spec.hosts.find((each) => endpointOf(other, each) === endpoint);
    // Not by name: the caller may not be allowed to see that cluster.
    if (holder) throw inUse(host, 'a host of another cluster');
  }
}

/** Behind a bastion an address means something only to that bastion. */
function endpointOf(cluster: ClusterSpec, host: Host): string {
  const { address, port, jump } = sshTarget(cluster, host);
  return [jump?.address ?? '', address, port].join(' ');
}

function inUse({ name, address }: Host, whose: string): KubewrightError {
  return new KubewrightError('ADDRESS_IN_USE', `${address} for host ${name} is the address of ${whose}`, {
    host: name,
  });
}

async function* otherClusters(deps: ApiDeps, name: string): AsyncGenerator<ClusterSpec> {
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await deps.store.projections.clusters({ limit: LIMITS.pageSize, cursor });
    for (const record of items) if (record.name !== name) yield await deps.store.specs.get(record.specRef);
    if (next === null) return;
    cursor = next;
  }
}
