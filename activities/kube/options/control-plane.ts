import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import { internalIpv4 } from '../network.ts';
import { admissionPluginFlags, admissionPlugins, OUR_PLUGINS } from './admission-plugins.ts';
import { featureGates, featureGatesFlag } from './feature-gates.ts';

/**
 * Typed options of the daemons of a control plane, whichever engine starts them. None has a default: a spec without them has the
 * same digest, and the same flags, as before they existed.
 */

/** `--v`: more is logged with each step; from 6 on, bodies of requests, and Secrets in them. */
export const logLevel = z
  .int()
  .min(0)
  .max(10)
  .optional()
  .describe('Verbosity of the log, 0 to 10; from 6 on it has bodies of requests, and only admins may set it');

/** The range that kube-apiserver takes by default. */
const DEFAULT_NODE_PORTS = { from: 30_000, to: 32_767 };

const nodePortRange = z
  .string()
  .regex(/^[1-9]\d{0,4}-[1-9]\d{0,4}$/, 'must be a range of ports such as 30000-32767')
  .refine((text) => {
    const [from = 0, to = 0] = text.split('-').map(Number);
    return from <= to && to <= 65_535;
  }, 'must rise, up to 65535')
  .optional()
  .describe('Ports of services of type NodePort; default 30000-32767');

/** What else kube-apiserver takes as options, beside `extraArgs`. */
export const apiServerOptions = {
  admissionPlugins,
  allowPrivileged: z.boolean().optional().describe('false: no pod may be privileged; default true'),
  bindAddress: z
    .union([z.literal('internal'), ipv4])
    .optional()
    .describe(
      'Address on which the API server listens: `internal`, that of the host inside the cluster, or 0.0.0.0 (default), all of them',
    ),
  nodePortRange,
  featureGates,
  logLevel,
};

/** The same of kube-controller-manager and kube-scheduler. */
export const controllerOptions = {
  bindAddress: z
    .enum(['127.0.0.1', '0.0.0.0'])
    .optional()
    .describe('0.0.0.0: other hosts reach /metrics, with a token; default 127.0.0.1'),
  featureGates,
  logLevel,
};

const apiServerSchema = z.object(apiServerOptions);
const controllerSchema = z.object(controllerOptions);
export type ApiServerOptions = z.output<typeof apiServerSchema>;
type ControllerOptions = z.output<typeof controllerSchema>;

type FlagValues = Record<string, string | number | boolean | undefined>;

/** Only those that are defined: they go over the flags of an engine without moving them. */
const given = (values: FlagValues): FlagValues =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Flags of kube-apiserver for its typed options. `ours`: plugins that the engine adds to the default ones. Pure. */
export function apiServerFlags(
  options: ApiServerOptions,
  host: Host,
  ours: readonly string[] = OUR_PLUGINS,
): FlagValues {
  const plugins = options.admissionPlugins ? admissionPluginFlags(options.admissionPlugins, ours) : undefined;
  return {
    // Undefined too: nothing of ours is left when all of it is disabled.
    ...plugins,
    ...given({
      'allow-privileged': options.allowPrivileged,
      'bind-address': options.bindAddress === 'internal' ? internalIpv4(host) : options.bindAddress,
      'service-node-port-range': options.nodePortRange,
      'feature-gates': featureGatesFlag(options.featureGates),
      v: options.logLevel,
    }),
  };
}

/** Flags of kube-controller-manager or kube-scheduler for their typed options. Pure. */
export const controllerFlags = (options: ControllerOptions): FlagValues =>
  given({
    'bind-address': options.bindAddress,
    'feature-gates': featureGatesFlag(options.featureGates),
    v: options.logLevel,
  });

/** Where clients on the host itself reach its API server. Pure. */
export function localApiServer({ bindAddress }: Pick<ApiServerOptions, 'bindAddress'>, host: Host): string {
  if (bindAddress === undefined || bindAddress === '0.0.0.0') return '127.0.0.1';
  return bindAddress === 'internal' ? (internalIpv4(host) ?? '127.0.0.1') : bindAddress;
}

/** The phase whose options say how the API servers are started, with each engine. */
const OPTIONS_PHASE = 'master';

function rawApiServer(cluster: ClusterSpec): Record<string, unknown> {
  const options = cluster.spec.phases[OPTIONS_PHASE]?.['apiServer'];
  return typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : {};
}

/** Ports of services of type NodePort; `given`: the spec says so. Of a spec whose options are valid. Pure. */
export function nodePorts(cluster: ClusterSpec): { from: number; to: number; given: boolean } {
  const range = nodePortRange.safeParse(rawApiServer(cluster)['nodePortRange']);
  if (!range.success || range.data === undefined) return { ...DEFAULT_NODE_PORTS, given: false };
  const [from = 0, to = 0] = range.data.split('-').map(Number);
  return { from, to, given: true };
}
