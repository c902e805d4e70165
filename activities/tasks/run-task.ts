import { createHash } from 'node:crypto';
import { type ClusterSpec, hostsWithRole, sshTarget } from '../../contracts/cluster.ts';
import { effectOf } from '../../contracts/earlier-kinds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/host.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { Change, TaskInput, TaskResult } from '../../contracts/operation.ts';
import type { ClusterStateStore } from '../../store/cluster-state.ts';
import type { ArtifactSource } from '../artifacts/source.ts';
import { ownershipOf } from '../host/cluster-mark.ts';
import { fenceToken } from '../host/fence.ts';
import { KnownSecrets } from '../host/known-secrets.ts';
import { redactError } from '../host/redact-error.ts';
import { shownChange } from '../host/shown-change.ts';
import type { HostFacts, HostOpener, RemoteHost } from '../host/types.ts';
import type { ProxyUrls } from '../kube/proxy.ts';
import { type ActivityMetrics, counted } from '../metrics.ts';
import { clusterStateOf } from '../phases/cluster-state.ts';
import { ownedBy } from '../phases/desired.ts';
import { offerOf } from '../phases/offers.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Phase, PhaseContext } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';
import { markSettled } from '../phases/settled.ts';
import type { Pki } from '../pki/types.ts';
import { type Convergence, converge, markVerified } from '../resources/engine/engine.ts';
import { phaseRun } from './phase-run.ts';
import { type AttemptRef, type TaskJournal, TaskRecorder } from './recorder.ts';
import { stoppable, type TaskStop } from './task-stop.ts';

/** What tasks need from the outside world. */
export interface TaskDeps {
  phases: ReadonlyMap<string, Phase>;
  hosts: HostOpener;
  journal: TaskJournal;
  spec(ref: string): Promise<ClusterSpec>;
  pki(cluster: string, mode: 'apply' | 'check', onSecret: (value: string) => void): Pki;
  artifacts(cluster: ClusterSpec, proxy: ProxyUrls | null): ArtifactSource;
  /** The proxies of the cluster's spec; their login goes to `onSecret`. Throws SSH_CREDENTIAL_UNUSABLE. */
  proxy?(cluster: ClusterSpec, onSecret: (value: string) => void): Promise<ProxyUrls | null>;
  clusterState: ClusterStateStore;
  metrics?: ActivityMetrics | undefined;
  purgeSecrets(
    cluster: string,
    what: { hosts: readonly string[] | null; dryRun: boolean },
  ): Promise<{ secrets: number; hostKeys: number }>;
}

/** What the activity around a task gives it. */
export interface TaskRuntime extends AttemptRef {
  signal: AbortSignal;
  /** The step in words, for heartbeats: `probe`, `apply file:/etc/hosts`, `verify`. */
  step(text: string): void;
  /** Ends the task for a pause; its signal is part of `signal`. */
  stop?: TaskStop | undefined;
}

/** Facts of no machine: what a worker-process phase sees. */
const NO_FACTS: HostFacts = {
  hostname: CONTROLLER_HOST,
  machineId: '',
  bootId: '',
  arch: 'amd64',
  kernel: '',
  os: { id: '', idLike: [], versionId: '', name: '' },
  packageManager: 'none',
  initSystem: '',
  cgroup: 2,
  cpus: 0,
  memoryMiB: 0,
  virtualization: '',
};

const NO_REMOTE: RemoteHost = {
  name: CONTROLLER_HOST,
  exec: () => Promise.reject(new Error('a worker-process phase has no host')),
  script: () => Promise.reject(new Error('a worker-process phase has no host')),
  upload: () => Promise.reject(new Error('a worker-process phase has no host')),
};

/**
 * One phase on one host, from connection to verified: opens the host, converges the phase's resources, runs its hooks,
 * verifies. Safe to repeat at any point: everything observes before it acts.
 * Throws KubewrightError with host and phase on it.
 */
export async function runTask(deps: TaskDeps, input: TaskInput, runtime: TaskRuntime): Promise<TaskResult> {
  const started = Date.now();
  const secrets = new KnownSecrets();
  const guarded: TaskRuntime = { ...runtime, step: (text) => runtime.step(secrets.redactor.text(text)) };
  try {
    const cluster = await deps.spec(input.specRef);
    const phase = deps.phases.get(input.phase);
    if (!phase) throw new KubewrightError('INTERNAL', `no phase named ${input.phase} in this worker`);
    const host = findHost(cluster, input.host);
    const recorder = new TaskRecorder(deps.journal, {
      namespace: runtime.namespace,
      workflowId: runtime.workflowId,
      runId: runtime.runId,
      activityId: runtime.activityId,
      attempt: runtime.attempt,
      cluster: input.cluster,
      operation: input.operationId,
      actor: input.actor,
      actorId: input.actorId,
      requestId: input.requestId,
      phase: input.phase,
    });

    const removes = effectOf(input) === 'removes';
    // What removes hosts makes no certificates.
    const pki = deps.pki(input.cluster, removes ? 'check' : input.mode, (value) => secrets.add(value));
    // It needs no proxy either, and must not fail for a login that is gone already.
    const proxy = removes ? null : ((await deps.proxy?.(cluster, (value) => secrets.add(value))) ?? null);
    const clusterState = clusterStateOf(deps.clusterState, input.cluster, input.mode);
    let remote = NO_REMOTE;
    let facts = NO_FACTS;
    if (input.host !== CONTROLLER_HOST) {
      runtime.step('connect');
      const session = await deps.hosts.open(sshTarget(cluster, host), {
        cluster: input.cluster,
        signal: runtime.signal,
        recorder: counted(runtime.stop ? stoppable(recorder, runtime.stop) : recorder, deps.metrics),
        secrets,
        owner: await ownershipOf(cluster, { pki, clusterState, removes, mode: input.mode }),
        // A dry run looks beside whatever runs; everything else has the phase on this host to itself.
        ...(input.mode === 'check'
          ? {}
          : {
              fence: { scope: input.phase, token: fenceToken(input.operationId, input.round, runtime.attempt) },
              claims: 'with-first-command' as const,
            }),
      });
      remote = session.host;
      facts = session.facts;
    }

    const context: PhaseContext<unknown> = {
      cluster,
      operation: input.operationId,
      host,
      peers: phase.hosts === 'one-control-plane' ? [host] : placementOf(cluster, phase.hosts),
      options: phaseOptions(cluster, phase, host),
      offer: (capability, other = host) => offerOf({ cluster, phases: deps.phases.values() }, capability, other),
      facts,
      pki,
      phases: deps.phases,
      purgeSecrets: (what) => deps.purgeSecrets(input.cluster, what),
      artifacts: deps.artifacts(cluster, proxy),
      proxy,
      quarantined: input.quarantined ?? [],
      targetHosts: input.focus ?? null,
      clusterState,
      mode: input.mode,
    };
    const { changes, restarts, hookChanges, held } = await walk(phase, context, remote, guarded, input.probe);
    if (phase.closing && !held) await markSettled(clusterState, phase.name, input.host);
    if (hookChanges.length > 0) {
      await recorder.recordChanges(
        input.host,
        hookChanges.map((change) => shownChange(change, secrets.redactor)),
      );
    }

    return {
      changes: changes.slice(0, LIMITS.changesPerTask).map((change) => shownChange(change, secrets.redactor)),
      changeCount: changes.length,
      restarts,
      commands: recorder.commands,
      commandMs: recorder.commandMs,
      durationMs: Date.now() - started,
      ...(held ? { held } : {}),
      ...(recorder.head ? { chainHead: `${recorder.head.n}:${recorder.head.hash}` } : {}),
    };
  } catch (thrown) {
    throw redactError(stopped(thrown, runtime.signal), secrets.redactor, input);
  }
}

/**
 * The fixed order within a task: before, probe + diff + apply, after, verify. `probe`: goes on behind the diff only where
 * nothing differs and the phase was verified.
 */
async function walk(
  phase: Phase,
  context: PhaseContext<unknown>,
  remote: RemoteHost,
  runtime: TaskRuntime,
  probe = false,
): Promise<{ changes: Change[]; restarts: string[]; hookChanges: Change[]; held?: true }> {
  const run = (changes: readonly Change[], verified = false) =>
    phaseRun(context, { phase: phase.name, remote, changes, verified, signal: runtime.signal });

  if (phase.run) {
    runtime.step(phase.name);
    const changes = await phase.run(run([]));
    return { changes, restarts: [], hookChanges: context.mode === 'check' ? [] : changes };
  }
  if (phase.hooks?.before) {
    runtime.step('before');
    await phase.hooks.before(run([]));
  }
  const resources = ownedBy(context.cluster, phase.name, (await phase.resources?.(context)) ?? []);
  let outcome: Convergence = { changes: [], restarts: [], verified: false, desiredDigest: '' };
  const local = remote === NO_REMOTE;
  // A phase without resources still carries a stamp: what it verified is then its options and its peers.
  const identity = digestOf({ options: context.options, peers: context.peers.map((peer) => peer.name) });
  if (!local && (resources.length > 0 || phase.verify)) {
    outcome = await converge({
      remote,
      resources,
      facts: context.facts,
      mode: probe ? 'check' : context.mode,
      phase: phase.name,
      identity,
      onStep: (step) => runtime.step(step),
      signal: runtime.signal,
    });
  }
  const changes = [...outcome.changes];
  if (context.mode === 'check') return { changes, restarts: [], hookChanges: [] };
  if (probe && (changes.length > 0 || (phase.verify !== undefined && !outcome.verified)))
    return { changes: [], restarts: [], hookChanges: [], held: true };

  // Commands say what they change; what a hook did is known only when it says so.
  const hookChanges: Change[] = [];
  if (phase.hooks?.after) {
    runtime.step('after');
    hookChanges.push(...(await phase.hooks.after(run(changes, outcome.verified && changes.length === 0))));
    changes.push(...hookChanges);
  }
  if (phase.verify && !(outcome.verified && changes.length === 0)) {
    runtime.step('verify');
    await phase.verify(run(changes));
    if (!local) await markVerified(remote, phase.name, outcome.desiredDigest);
  }
  return { changes, restarts: outcome.restarts, hookChanges };
}

function findHost(cluster: ClusterSpec, name: string): Host {
  if (name === CONTROLLER_HOST) return hostsWithRole(cluster, 'control-plane')[0]!;
  const found = cluster.spec.hosts.find((each) => each.name === name);
  if (!found) throw new KubewrightError('NOT_FOUND', `the spec has no host named ${name}`);
  return found;
}

/** What waits and engine steps throw when the signal fires, as the error that commands throw then. */
function stopped(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (!aborted || KubewrightError.is(error)) return error;
  if (error !== reason && !(error instanceof Error && error.name === 'AbortError')) return error;
  return new KubewrightError('COMMAND_ABORTED', 'the task was stopped', { cause: error });
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
