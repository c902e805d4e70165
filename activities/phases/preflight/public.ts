/** What others may use of the folder of preflight. */
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { rawPhaseOptions } from '../options.ts';
import { leftoversOption } from './checks/leftovers.ts';

export { scanChecks } from './checks.ts';
export { certificateFunctions } from './client-certificates.ts';
export { MACHINE_KEY } from './machines.ts';

/** Are leftovers of other clusters to be removed from this host? */
export const cleansLeftovers = (cluster: ClusterSpec, host: Host): boolean =>
  leftoversOption.parse(rawPhaseOptions(cluster, 'preflight', host)['leftovers']) === 'clean';
