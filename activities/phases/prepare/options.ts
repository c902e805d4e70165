import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { cidr } from '../../../contracts/primitives.ts';
import { rawPhaseOptions } from '../options.ts';

/** The options of phase prepare. */
export const prepareOptions = z.strictObject({
  hostname: z.boolean().default(true).describe('True: set the host name to the name in the spec'),
  packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]{0,99}$/, 'must be the name of a package'))
    .max(50)
    .default([])
    .describe('More packages of the distribution, by the names of Debian or of the distribution itself'),
  sysctls: z
    .record(
      z.string().regex(/^[a-z0-9_][a-zA-Z0-9_./-]{0,199}$/, 'must be the name of a kernel setting'),
      z
        .string()
        .max(200)
        .regex(/^[\w .:,+-]*$/, 'must be the value of a kernel setting'),
    )
    .default({})
    .describe('More kernel settings; they override those of Kubewright'),
  firewall: z
    .strictObject({
      mode: z
        .enum(['open', 'leave'])
        .default('open')
        .describe(
          'open: Kubewright adds rules for the cluster to an active ufw or firewalld; leave: firewalls stay as they are, and preflight reports what they block',
        ),
      apiFrom: z
        .array(cidr)
        .max(64)
        .default([])
        .describe('Networks outside the cluster that may reach the API servers; only an active firewall enforces this'),
      nodePortsFrom: z
        .array(cidr)
        .max(64)
        .default([])
        .describe(
          'Networks outside the cluster that may reach services of type NodePort; only an active firewall enforces this',
        ),
    })
    .prefault({}),
});
/** The options of phase prepare on a host, of a spec that was checked. */
export const preparedWith = (cluster: ClusterSpec, host: Host): z.output<typeof prepareOptions> =>
  prepareOptions.parse(rawPhaseOptions(cluster, 'prepare', host));
