import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Temporal is, and how one gets in. */
export interface TemporalTarget {
  /** host:port; undefined when nothing names one. */
  address: string | undefined;
  /** Undefined: ours. */
  namespace: string | undefined;
  /** For the connections of clients and of workers alike. */
  connect: { tls?: NonNullable<ConnectionOptions['tls']>; apiKey?: string; metadata?: Record<string, string> };
}

/** Names of ours from before the SDK read its environment itself. */
const EARLIER = {
  KUBEWRIGHT_TEMPORAL_TLS_CA: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  KUBEWRIGHT_TEMPORAL_TLS_CERT: 'TEMPORAL_TLS_CLIENT_CERT_PATH',
  KUBEWRIGHT_TEMPORAL_TLS_KEY: 'TEMPORAL_TLS_CLIENT_KEY_PATH',
} as const;

const ADDRESS = /^[A-Za-z0-9.:[\]_-]{1,253}:\d{1,5}$/;

/**
 * The SDK's own environment configuration: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`,
 * `TEMPORAL_GRPC_META_*`, and a profile (`TEMPORAL_PROFILE`) of a TOML file (`TEMPORAL_CONFIG_FILE`, default
 * `~/.config/temporalio/temporal.toml`). `ownServer`: the process can start a Temporal itself, so only what this
 * environment names counts. Never throws: one sentence per problem, without any value that may be secret.
 */
export function temporalTarget(
  given: Environment,
  { ownServer = false }: { ownServer?: boolean } = {},
): { target: TemporalTarget; problems: string[] } {
  const env = ownEnvironment(given);
  const none: TemporalTarget = { address: undefined, namespace: undefined, connect: {} };
  const disableFile = ownServer && !env['TEMPORAL_CONFIG_FILE'] && !env['TEMPORAL_PROFILE'];
  try {
    const profile = loadClientConfigProfile({ overrideEnvVars: env, disableFile });
    if (profile.address !== undefined && !ADDRESS.test(profile.address)) {
      return { target: none, problems: ['TEMPORAL_ADDRESS: must be host:port'] };
    }
    if ((profile.tls?.clientCert === undefined) !== (profile.tls?.clientKey === undefined)) {
      return {
        target: none,
        problems: [
          'the client certificate for Temporal and its key must both be set: TEMPORAL_TLS_CLIENT_CERT_*, _KEY_*',
        ],
      };
    }
    const { connectionOptions, namespace } = toClientOptions(profile);
    const { tls, apiKey, metadata } = connectionOptions;
    const connect = {
      ...(tls ? { tls } : {}),
      ...(typeof apiKey === 'string' ? { apiKey } : {}),
      ...(metadata && Object.keys(metadata).length > 0 ? { metadata: metadata as Record<string, string> } : {}),
    };
    return { target: { address: profile.address, namespace, connect }, problems: [] };
  } catch (error) {
    const words =
      error instanceof TypeError
        ? 'its file has no such profile: [profile.default], or that of TEMPORAL_PROFILE'
        : error instanceof Error
          ? error.message.split('\n')[0]
          : String(error);
    return { target: none, problems: [`the configuration of Temporal (TEMPORAL_*): ${words}`] };
  }
}

/** Without empty variables, and with the earlier names where the SDK's are not given. */
function ownEnvironment(given: Environment): Record<string, string> {
  const set = Object.entries(given).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '');
  const env: Record<string, string> = Object.fromEntries(set);
  for (const [earlier, name] of Object.entries(EARLIER)) {
    const data = name.replace(/_PATH$/, '_DATA');
    if (env[earlier] !== undefined && env[name] === undefined && env[data] === undefined) env[name] = env[earlier];
  }
  return env;
}
