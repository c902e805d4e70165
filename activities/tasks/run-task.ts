import { type ClusterSpec, hostsWithRole, sshTarget, withoutHosts } from '../../contracts/cluster.ts';
import type { CredentialUse } from '../../contracts/credential-use.ts';
import { effectOf } from '../../contracts/earlier-kinds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/host.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { TaskInput, TaskResult } from '../../contracts/operation.ts';
import type { ClusterStateStore } from '../../store/cluster-state.ts';
import type { ArtifactSource } from '../artifacts/source.ts';
import type { ClientCertificate } from '../host/client-certificate.ts';
import type { RegistryLogin } from '../host/credentials.ts';
import { fenceToken } from '../host/fence.ts';
import { KnownSecrets } from '../host/known-secrets.ts';
import { scriptOnOwn } from '../host/ownership.ts';
import { ownershipOf } from '../host/ownership-marker.ts';
import { redactError } from '../host/redact-error.ts';
import { shownChange } from '../host/shown-change.ts';
import type { HostFacts, HostOpener } from '../host/types.ts';
import type { ProxyUrls } from '../kube/proxy.ts';
import { type ActivityMetrics, counted } from '../metrics.ts';
import { recordCleanup } from '../phases/cleanup-state.ts';
import { clusterStateOf } from '../phases/cluster-state.ts';
import { offerOf } from '../phases/offers.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Phase, PhaseContext } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';
import type { Pki } from '../pki/types.ts';
import { applyPhase, NO_REMOTE } from './apply-phase.ts';
import { checkStateOf, recordChanged } from './check-answers.ts';
import { openControlPlane, planesInTurn, scopeFor } from './control-plane.ts';
import { openedCertificate } from './opened-certificate.ts';
import { openedLogin } from './opened-login.ts';
import { type AttemptRef, type TaskJournal, TaskRecorder } from './recorder.ts';
import { rootCause } from './root-cause.ts';
import { stoppable, type TaskStop } from './task-stop.ts';

/** What tasks need from the outside world. */
export interface TaskDeps {
  phases: ReadonlyMap<string, Phase>;
  hosts: HostOpener;
  journal: TaskJournal;
  spec(ref: string): Promise<ClusterSpec>;
  pki(cluster: string, mode: 'apply' | 'check', onSecret: (value: string) => void): Pki;
  artifacts(cluster: ClusterSpec, proxy: ProxyUrls | null): ArtifactSource;
  /** A stored client certificate, for one use. Throws SSH_CREDENTIAL_UNUSABLE, CLIENT_CERTIFICATE_UNUSABLE. */
  clientCertificate?(cluster: string, use: CredentialUse): Promise<ClientCertificate>;
  /** The stored login to a registry, for one use. Throws SSH_CREDENTIAL_UNUSABLE. */
  registryLogin?(cluster: string, use: CredentialUse): Promise<RegistryLogin>;
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

/** How long one host is looked at for the cause of an error, ms. */
const CAUSE_MS = 20_000;

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

/**
 * One phase on one host, from connection to verified: opens the host, converges the phase's resources, runs its hooks,
 * verifies. Safe to repeat at any point: everything observes before it acts.
 * Throws KubewrightError with host and phase on it.
 */
export async function runTask(deps: TaskDeps, input: TaskInput, runtime: TaskRuntime): Promise<TaskResult> {
  const started = Date.now();
  const secrets = new KnownSecrets();
  let explained = (error: unknown): Promise<unknown> => Promise.resolve(error);
  const guarded: TaskRuntime = { ...runtime, step: (text) => runtime.step(secrets.redactor.text(text)) };
  try {
    const cluster = withoutHosts(await deps.spec(input.specRef), input.without ?? []);
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

    // Hosts that stay go on as in a build when others are removed.
    const removes = effectOf(input) === 'removes' && input.without === undefined;
    // What removes hosts makes no certificates.
    const pki = deps.pki(input.cluster, removes ? 'check' : input.mode, (value) => secrets.add(value));
    // It needs no proxy either, and must not fail for a login that is gone already.
    const proxy = removes ? null : ((await deps.proxy?.(cluster, (value) => secrets.add(value))) ?? null);
    const clusterState = clusterStateOf(deps.clusterState, input.cluster, input.mode);
    const options = phaseOptions(cluster, phase, host);
    const quarantined = input.quarantined ?? [];
    const attempt = fenceToken(input.operationId, input.round, runtime.attempt);
    const task = { cluster, phases: deps.phases, phase, host, clusterState };
    const checkState = phase.check ? await checkStateOf(task, { options, quarantined }) : null;
    // What holds, and depends on nothing that changed since, costs no host anything; a dry run asks nothing either.
    if (checkState && (checkState.holds || input.mode === 'check')) return nothingDone(started);
    const open = async (target: Host, scope: string) =>
      deps.hosts.open(sshTarget(cluster, target), {
        cluster: input.cluster,
        signal: runtime.signal,
        recorder: counted(runtime.stop ? stoppable(recorder, runtime.stop) : recorder, deps.metrics),
        secrets,
        owner: await ownershipOf(cluster, { pki, clusterState, removes, mode: input.mode }),
        // A dry run looks beside whatever runs; everything else has the phase on this host to itself.
        ...(input.mode === 'check' ? {} : { fence: { scope, token: attempt }, claims: 'with-first-command' as const }),
      });
    /** Beside whatever runs there, without a claim. */
    const ask = async (target: Host, script: string, args: readonly string[]): Promise<string> => {
      const session = await deps.hosts.open(sshTarget(cluster, target), {
        cluster: input.cluster,
        signal: runtime.signal,
        recorder: counted(recorder, deps.metrics),
        secrets,
        owner: null,
      });
      const owner = await ownershipOf(cluster, { pki, clusterState, removes: false, mode: 'check' });
      return scriptOnOwn(session.host, owner, { script, args }, { timeoutMs: CAUSE_MS });
    };
    explained = (error) => {
      if (runtime.signal.aborted) return Promise.resolve(error);
      runtime.step('look for the cause');
      const look = { cluster, clusterState, ask, signal: runtime.signal };
      return rootCause(error, { phases: [...deps.phases.values()], phase, look });
    };
    let remote = NO_REMOTE;
    let facts = NO_FACTS;
    if (input.host !== CONTROLLER_HOST) {
      runtime.step('connect');
      const session = await open(host, input.phase);
      remote = session.host;
      facts = session.facts;
    }
    const controlPlane = () =>
      openControlPlane({
        planes: planesInTurn(cluster, host, quarantined),
        open: async (plane) => (await open(plane, scopeFor(phase.name, input.host))).host,
        mode: input.mode,
      });

    const context: PhaseContext<unknown> = {
      cluster,
      operation: input.operationId,
      host,
      peers: phase.hosts === 'one-control-plane' ? [host] : placementOf(cluster, phase.hosts),
      options,
      offer: (capability, other = host) => offerOf({ cluster, phases: deps.phases.values() }, capability, other),
      facts,
      pki,
      phases: deps.phases,
      purgeSecrets: (what) => deps.purgeSecrets(input.cluster, what),
      artifacts: deps.artifacts(cluster, proxy),
      proxy,
      clientCertificate: (use) => openedCertificate(deps, input.cluster, use, secrets),
      registryLogin: (registry) => openedLogin(deps, input.cluster, registry, secrets),
      quarantined,
      targetHosts: input.focus ?? null,
      clusterState,
      mode: input.mode,
      ...(input.window ? { window: { excluded: input.window.excluded, served: input.window.served } } : {}),
    };
    const { changes, restarts, hookChanges, held, turn, deferred } = await applyPhase(phase, context, {
      remote,
      controlPlane,
      runtime: guarded,
      probe: input.probe ?? false,
      yields: input.window?.yields ?? false,
      heldBefore: checkState?.heldBefore ?? false,
      changed: () => recordChanged(task, attempt),
    });
    if (!deferred) await checkState?.record();
    if (phase.closing && !held) await recordCleanup(clusterState, phase.name, input.host);
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
      ...(turn ? { turn } : {}),
      ...(recorder.head ? { chainHead: `${recorder.head.n}:${recorder.head.hash}` } : {}),
    };
  } catch (thrown) {
    throw redactError(await explained(stopped(thrown, runtime.signal)), secrets.redactor, input);
  }
}

const nothingDone = (started: number): TaskResult => ({
  changes: [],
  changeCount: 0,
  restarts: [],
  commands: 0,
  commandMs: 0,
  durationMs: Date.now() - started,
});

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
