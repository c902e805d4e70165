import type { Registry } from '@prometheus-io/client';
import type { PayloadCodec } from '@temporalio/common';
import type { OperationKinds } from '../activities/operations/operation-kind.ts';
import type { Phase } from '../activities/phases/phase.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import type { Store } from '../store/index.ts';
import type { BundleBuilder } from './bundle-builder.ts';
import type { ApiLimits } from './limits.ts';
import type { Readiness } from './readiness/readiness.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

/** What the API needs of the world. Tests give fakes. */
export interface ApiDeps {
  store: Store;
  temporal: TemporalGateway;
  readiness: Readiness;
  bundleBuilder: Pick<BundleBuilder, 'bundle' | 'signer'>;
  /** In the order of the plan. */
  phases: readonly Phase[];
  kinds: OperationKinds;
  /** The admin kubeconfig of a built cluster; null when there is none yet. */
  kubeconfig(cluster: string, spec: ClusterSpec): Promise<string | null>;
  /** A kubeconfig of one person, with an end; null when the cluster has no certificates yet. */
  personalKubeconfig(
    cluster: string,
    spec: ClusterSpec,
    wish: { person: string; group: string; lifeMs: number },
  ): Promise<{ text: string; serial: string; expiresAt: string } | null>;
  /** Opens and seals what Temporal keeps of us. */
  codec: Pick<PayloadCodec, 'encode' | 'decode'>;
  /** Whose pages may call /codec from a browser: scheme, host and port of Temporal's UI. */
  temporalUiOrigin?: string | undefined;
  /** Of this process: see telemetry/registry.ts. */
  metrics: Registry;
  /** Where the worker that this process runs serves its own; undefined: it runs none, or none that does. */
  workerMetricsUrl?: (() => string | undefined) | undefined;
  /** A busybox image as the cluster's hosts name it. Reads nothing: viewers ask for it. */
  smokeImage(spec: ClusterSpec): string;
  /** Folders and paths of the worker's machine whose keys and agents every operator may name. */
  loginPaths?: readonly string[] | undefined;
  /** Default: DEFAULT_LIMITS. */
  limits?: ApiLimits | undefined;
  /** How long a dry run is waited for, ms. */
  dryRunWaitMs?: number | undefined;
}
