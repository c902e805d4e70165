import type { ClusterSpec } from '../../contracts/cluster.ts';
import { clientCertificateUses, type NamedCredentialUse } from '../../contracts/credential-use.ts';
import { formatPath } from '../../contracts/issues.ts';
import { phaseOptions } from './options.ts';
import type { Phase } from './phase.ts';

/**
 * Every use of a credential that options of phases name: those of the cluster, and those of hosts with options of their own
 * for the phase. Throws SPEC_INVALID on wrong options. Pure.
 */
export function phaseCredentialUses(cluster: ClusterSpec, phases: readonly Phase[]): NamedCredentialUse[] {
  return phases.flatMap((phase) => {
    if (!phase.clientCertificates) return [];
    const { name } = phase;
    const within = (path: readonly PropertyKey[], host?: ClusterSpec['spec']['hosts'][number]) =>
      (phase.clientCertificates?.(phaseOptions(cluster, phase, host), cluster) ?? []).flatMap(({ option, ...named }) =>
        clientCertificateUses(named).map((use) => ({
          path: formatPath([...path, name, ...option]),
          use,
          purpose: 'client-certificate' as const,
        })),
      );
    const hosts = cluster.spec.hosts.flatMap((host, index) =>
      Object.hasOwn(host.phases, name) ? within(['spec', 'hosts', index, 'phases'], host) : [],
    );
    return [...within(['spec', 'phases']), ...hosts];
  });
}
