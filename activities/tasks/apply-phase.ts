import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { Change, Turn } from '../../contracts/operation.ts';
import type { RemoteHost } from '../host/types.ts';
import { isNetworkAwaited } from '../phases/awaited-network.ts';
import { ownedBy } from '../phases/desired.ts';
import type { Phase, PhaseContext } from '../phases/phase.ts';
import { verifiedIdentity } from '../phases/verified-identity.ts';
import { type Convergence, converge, markVerified } from '../resources/engine/engine.ts';
import { phaseRun } from './phase-run.ts';
import type { TaskRuntime } from './run-task.ts';

/** The host of tasks that have none. */
export const NO_REMOTE: RemoteHost = {
  name: CONTROLLER_HOST,
  exec: () => Promise.reject(new Error('a worker-process phase has no host')),
  script: () => Promise.reject(new Error('a worker-process phase has no host')),
  upload: () => Promise.reject(new Error('a worker-process phase has no host')),
};

/**
 * The fixed order within a task: before, probe + diff + apply, after, verify. `probe`: goes on behind the diff only where
 * nothing differs and the phase was verified.
 */
export async function applyPhase(
  phase: Phase,
  context: PhaseContext<unknown>,
  {
    remote,
    controlPlane,
    runtime,
    probe,
    yields,
    heldBefore,
    changed,
  }: {
    remote: RemoteHost;
    controlPlane: () => Promise<RemoteHost>;
    runtime: Pick<TaskRuntime, 'signal' | 'step'>;
    probe: boolean;
    /** Its host enters a window and may leave its place to the others. */
    yields: boolean;
    /** Of a check. */
    heldBefore: boolean;
    /** Called when something changed, or is to be verified anew. */
    changed: () => Promise<void>;
  },
): Promise<{
  changes: Change[];
  restarts: string[];
  hookChanges: Change[];
  held?: true;
  turn?: Turn;
  /** What it waits for is not there: nothing was verified or asked. */
  deferred?: true;
}> {
  const run = (changes: readonly Change[], verified = false) =>
    phaseRun(context, { phase: phase.name, remote, controlPlane, changes, verified, signal: runtime.signal });

  const deferred = { changes: [], restarts: [], hookChanges: [], deferred: true as const };
  if (phase.check) {
    if (phase.waitsForPods && (await isNetworkAwaited(context, run([])))) return deferred;
    runtime.step('check');
    await phase.check({ ...run([]), heldBefore });
    return { changes: [], restarts: [], hookChanges: [] };
  }
  if (phase.run) {
    runtime.step(phase.name);
    const changes = await phase.run(run([]));
    return { changes, restarts: [], hookChanges: context.mode === 'check' ? [] : changes };
  }
  const held = (turn: Turn | null) => ({
    ...{ changes: [], restarts: [], hookChanges: [], held: true as const },
    ...(turn ? { turn } : {}),
  });
  if (yields && phase.hooks?.turn) {
    runtime.step('turn');
    if ((await phase.hooks.turn(run([]))) === 'last') return held('last');
  }
  // Of a phase without `before` only what is not verified yet asks.
  const asksFirst = phase.waitsForPods && phase.hooks?.before !== undefined && context.mode === 'apply';
  if (asksFirst && (await isNetworkAwaited(context, run([])))) return deferred;
  if (phase.hooks?.before) {
    runtime.step('before');
    await phase.hooks.before(run([]));
  }
  const resources = ownedBy(context.cluster, phase.name, (await phase.resources?.(context)) ?? []);
  let outcome: Convergence = { changes: [], restarts: [], verified: false, desiredDigest: '' };
  const local = remote === NO_REMOTE;
  // A phase without resources still carries a stamp: what it verified is then its options and its peers.
  const identity = verifiedIdentity(context);
  if (!local && (resources.length > 0 || phase.verify)) {
    outcome = await converge({
      remote,
      resources,
      facts: context.facts,
      mode: probe ? 'check' : context.mode,
      controlPlane,
      phase: phase.name,
      identity,
      onStep: (step) => runtime.step(step),
      signal: runtime.signal,
    });
  }
  const changes = [...outcome.changes];
  if (context.mode === 'check') return { changes, restarts: [], hookChanges: [] };
  if (probe && (changes.length > 0 || (phase.verify !== undefined && !outcome.verified)))
    return held((await phase.hooks?.turn?.(run([]))) ?? null);

  // Commands say what they change; what a hook did is known only when it says so.
  const hookChanges: Change[] = [];
  if (phase.hooks?.after) {
    runtime.step('after');
    hookChanges.push(...(await phase.hooks.after(run(changes, outcome.verified && changes.length === 0))));
    changes.push(...hookChanges);
  }
  const isAsBefore = changes.length === 0 && (phase.verify === undefined || outcome.verified);
  if (!isAsBefore) await changed();
  if (phase.verify && !isAsBefore) {
    if (phase.waitsForPods && (await isNetworkAwaited(context, run(changes))))
      return { changes, restarts: outcome.restarts, hookChanges, deferred: true };
    runtime.step('verify');
    await phase.verify(run(changes));
    if (!local) await markVerified(remote, phase.name, outcome.desiredDigest);
  }
  return { changes, restarts: outcome.restarts, hookChanges };
}
