import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterSpec, hostsWithRole, internalAddress, sshTarget } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { HealthCode, HealthInput, HealthResult } from '../../contracts/health.ts';
import type { Host } from '../../contracts/host.ts';
import { KnownSecrets } from '../host/known-secrets.ts';
import { scriptOnOwn } from '../host/ownership.ts';
import { type Ownership, ownershipOf } from '../host/ownership-marker.ts';
import type { CommandRecorder, RemoteHost } from '../host/types.ts';
import { kubeletLimits } from '../kube/eviction.ts';
import { KUBECTL_ENV } from '../kube/kubectl.ts';
import * as paths from '../kube/paths.ts';
import { counted } from '../metrics.ts';
import { clusterStateOf } from '../phases/cluster-state.ts';
import { isEnabled, isPlaced, keptRunning } from '../phases/desired.ts';
import { externalEtcd } from '../phases/etcd/public.ts';
import { imageFolder } from '../phases/image-folder.ts';
import { phaseOptions, rawPhaseOptions } from '../phases/options.ts';
import type { Phase } from '../phases/phase.ts';
import { type AttemptRef, TaskRecorder } from '../tasks/recorder.ts';
import type { TaskDeps } from '../tasks/run-task.ts';
import { CLUSTER_HEALTH_SCRIPT } from './cluster-script.ts';
import { hostHealthScript } from './host-script.ts';
import { healthOf } from './index.ts';
import type { HostView, Rows } from './view.ts';

/** Hosts that are looked at side by side. */
const SIDE_BY_SIDE = 50;
/** A script whose host hangs ends after this long, ms; kubectl and curl in it have shorter times of their own. */
const SCRIPT_MS = 20_000;
/** What has just been started may take this long before it counts as a fault, ms. */
const SETTLE_MS = 20_000;
const AGAIN_MS = 1_000;
/** Reasons that pass by themselves soon after a change, unless they have held for longer than OLD_MS. */
const SETTLES: ReadonlySet<HealthCode> = new Set([
  ...(['NODE_NOT_READY', 'NETWORK_UNAVAILABLE', 'WORKLOAD_UNAVAILABLE', 'API_SERVER_NOT_READY'] as const),
  ...(['TIME_UNSYNCHRONIZED', 'TIME_OFFSET'] as const),
  ...(['API_SERVICE_UNAVAILABLE', 'LEADER_LOST', 'ETCD_UNHEALTHY', 'UNIT_NOT_RUNNING'] as const),
  ...(['ETCD_QUORUM_LOST', 'BALANCER_SKIPS_SERVER', 'VIRTUAL_ADDRESS_LOST', 'VIRTUAL_ADDRESS_TWICE'] as const),
]);
const OLD_MS = 120_000;

/** What the activity around it gives. */
export interface HealthRuntime extends AttemptRef {
  signal: AbortSignal;
  step(text: string): void;
}

/**
 * The health of a cluster now: one script through a control plane and one on each host, all side by side. Changes
 * nothing, and fails for nothing that it finds: a host that cannot be reached is a reason.
 */
export async function checkHealth(deps: TaskDeps, input: HealthInput, runtime: HealthRuntime): Promise<HealthResult> {
  const cluster = await deps.spec(input.specRef);
  const { namespace, workflowId, runId, activityId, attempt } = runtime;
  const { actor, actorId, requestId } = input;
  const recorder = new TaskRecorder(deps.journal, {
    ...{ namespace, workflowId, runId, activityId, attempt },
    ...{ cluster: input.cluster, operation: input.operationId, actor, actorId, requestId, phase: 'health' },
  });
  const open = await opener(deps, cluster, input, { runtime, recorder });
  const until = Date.now() + (input.settle ? SETTLE_MS : 0);
  for (;;) {
    const health = await readHealth(deps, cluster, input, open);
    runtime.signal.throwIfAborted();
    const passing = health.reasons.filter(
      ({ code, since }) => SETTLES.has(code) && (since === undefined || Date.now() - Date.parse(since) < OLD_MS),
    );
    if (passing.length === 0 || passing.length < health.reasons.length || Date.now() >= until) {
      const { head, commands } = recorder;
      return { health, commands, ...(head ? { chainHead: `${head.n}:${head.hash}` } : {}) };
    }
    await sleep(AGAIN_MS, undefined, { signal: runtime.signal });
  }
}

async function readHealth(
  deps: TaskDeps,
  cluster: ClusterSpec,
  input: HealthInput,
  open: Open,
): Promise<HealthResult['health']> {
  const out = new Set([...input.quarantined.map(({ host }) => host), ...input.gone]);
  const wanted = new Set(input.hosts.filter((name) => !out.has(name)));
  const hosts = cluster.spec.hosts.filter(({ name }) => wanted.has(name));
  const [rows, views] = await Promise.all([
    askControlPlanes(cluster, out, hosts, open, deps.phases),
    inTurns(hosts, (host) => viewOf(cluster, host, open, deps.phases)),
  ]);
  const objects = [...deps.phases.values()].flatMap((phase) =>
    isEnabled(cluster, phase) ? (keptRunning(cluster, phase).objects ?? []) : [],
  );
  const now = Date.now();
  const { operationId, quarantined } = input;
  return healthOf(
    { cluster, out, rows, hosts: views, objects, now },
    { at: new Date(now).toISOString(), operationId, quarantined },
  );
}

type Open = (host: Host) => Promise<{ remote: RemoteHost; owner: Ownership }>;

/** Opens hosts for this look, with one journal for all of them. No claim: nothing is changed. */
async function opener(
  deps: TaskDeps,
  cluster: ClusterSpec,
  input: HealthInput,
  { runtime, recorder }: { runtime: HealthRuntime; recorder: CommandRecorder },
): Promise<Open> {
  const secrets = new KnownSecrets();
  const pki = deps.pki(input.cluster, 'check', (value) => secrets.add(value));
  const clusterState = clusterStateOf(deps.clusterState, input.cluster, 'check');
  const owner = await ownershipOf(cluster, { pki, clusterState, removes: false, mode: 'check' });
  const opened = new Map<string, ReturnType<Open>>();
  const open: Open = async (host) => {
    runtime.step(`health of ${host.name}`);
    const session = await deps.hosts.open(sshTarget(cluster, host), {
      cluster: input.cluster,
      signal: runtime.signal,
      recorder: counted(recorder, deps.metrics),
      secrets,
      // Each script looks at the mark itself.
      owner: null,
    });
    return { remote: session.host, owner };
  };
  return (host) => {
    const known = opened.get(host.name) ?? open(host);
    opened.set(host.name, known);
    return known;
  };
}

/** What the first control plane says through which the API answers; else what the last one said. Null: none could be asked. */
async function askControlPlanes(
  cluster: ClusterSpec,
  out: ReadonlySet<string>,
  hosts: readonly Host[],
  open: Open,
  phases: ReadonlyMap<string, Phase>,
): Promise<Rows | null> {
  const url = (host: Host, port: number) => `${host.name}=https://${internalAddress(host)}:${port}`;
  const inside = (role: 'control-plane' | 'etcd') => hostsWithRole(cluster, role).filter(({ name }) => !out.has(name));
  const servers = inside('control-plane').map((host) => url(host, paths.API_SERVER_PORT));
  const members = phases.has('etcd') ? inside('etcd').map((host) => url(host, paths.ETCD_CLIENT_PORT)) : [];
  const externals = externalEtcd(cluster)?.endpoints ?? [];
  let last: Rows | null = null;
  for (const host of hosts.filter(({ roles }) => roles.includes('control-plane'))) {
    const args = [paths.ADMIN_KUBECONFIG, servers.join(' '), members.join(' '), externals.join(' ')];
    const printed = await ran(open, host, CLUSTER_HEALTH_SCRIPT, args, KUBECTL_ENV);
    if (printed.rows === null) continue;
    last = printed.rows;
    if (!last.some(([kind]) => kind === 'kubectl')) break;
  }
  return last;
}

async function viewOf(
  cluster: ClusterSpec,
  host: Host,
  open: Open,
  phases: ReadonlyMap<string, Phase>,
): Promise<HostView> {
  const limits = kubeletLimits(cluster, host);
  const here = [...phases.values()].filter(
    (phase) => (phase.keepsRunning || phase.healthProbe) && isPlaced(cluster, phase, host) && isEnabled(cluster, phase),
  );
  const units = here.flatMap((phase) => keptRunning(cluster, phase).units ?? []);
  const probes = here.flatMap(
    (phase) => phase.healthProbe?.({ cluster, host, options: phaseOptions(cluster, phase, host) }) ?? [],
  );
  const dataDir = rawPhaseOptions(cluster, 'etcd', host)['dataDir'];
  const etcdFolder = typeof dataDir === 'string' ? dataDir : '/var/lib/etcd';
  const hasMember = host.roles.includes('etcd') && phases.has('etcd');
  const member = hasMember
    ? [host.name, `https://${internalAddress(host)}:${paths.ETCD_CLIENT_PORT}`, etcdFolder]
    : ['', '', ''];
  const folders = [
    ...['nodefs', limits.kubeletRoot, 'imagefs', imageFolder({ cluster, phases: [...phases.values()] }, host)],
    ...(host.roles.includes('etcd') ? ['etcd', etcdFolder] : []),
  ];
  const folderGlobs = [paths.KUBERNETES_PKI, paths.ETCD_PKI, paths.REGISTRY_DIR].map((folder) => `${folder}/*.crt`);
  const registry = `${paths.CONTAINERD_CERTS_D}/${paths.REGISTRY_ENDPOINT}/*.crt`;
  const globs = [...folderGlobs, registry, ...probes.flatMap(({ certificates = [] }) => certificates)];
  const printed = await ran(open, host, hostHealthScript(probes.flatMap(({ script = [] }) => script)), [
    units.join(' '),
    [...new Set(globs)].join(' '),
    `${paths.KUBEWRIGHT_DIR}/*.kubeconfig`,
    ...member,
    ...folders,
  ]);
  return { host, limits, ...printed };
}

/** Lines of a script that came to its end; otherwise why there are none. */
async function ran(
  open: Open,
  host: Host,
  script: string,
  args: readonly string[],
  env?: Record<string, string>,
): Promise<{ rows: Rows | null; why?: string }> {
  try {
    const { remote, owner } = await open(host);
    const stdout = await scriptOnOwn(
      remote,
      owner,
      { script, args },
      {
        timeoutMs: SCRIPT_MS,
        maxOutputBytes: 4 * 1024 * 1024,
        ...(env ? { env } : {}),
      },
    );
    const rows = stdout.split('\n').map((line) => line.split('\t'));
    return rows.some(([kind]) => kind === 'end') ? { rows } : { rows: null, why: 'the script ended early' };
  } catch (error) {
    if (!KubewrightError.is(error) || error.code === 'COMMAND_ABORTED') throw error;
    return { rows: null, why: `${error.code}: ${error.message}` };
  }
}

async function inTurns<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += SIDE_BY_SIDE) {
    results.push(...(await Promise.all(items.slice(from, from + SIDE_BY_SIDE).map(work))));
  }
  return results;
}
