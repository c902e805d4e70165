import type { ErrorReport } from './errors.ts';

/** Hosts of which a cluster must keep at least `least`. Zod-free. */
export interface QuorumGroup {
  /** In words, plural: `etcd members`. */
  what: string;
  hosts: string[];
  least: number;
}

/** Members that decide among `size`: more than half. 0 of 0. */
export const majority = (size: number): number => (size === 0 ? 0 : Math.floor(size / 2) + 1);

/**
 * Why a cluster cannot be without these hosts, with the numbers; null when it can. Pure. A group that has too few hosts
 * with none of them out is not this rule's business.
 */
export function quorumProblem(groups: readonly QuorumGroup[], out: ReadonlySet<string>): ErrorReport | null {
  const broken = groups.flatMap(({ what, hosts, least }) => {
    const lost = hosts.filter((host) => out.has(host));
    const left = hosts.length - lost.length;
    if (lost.length === 0 || left >= least) return [];
    return [`${left} of ${hosts.length} ${what} would be left without ${lost.join(', ')}; at least ${least} must be`];
  });
  return broken.length === 0 ? null : { code: 'QUORUM_WOULD_BREAK', message: broken.join('; ') };
}
