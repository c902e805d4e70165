import type { Change } from '../../../contracts/operation.ts';
import { baselineIn } from '../../resources/baseline.ts';
import { noLongerDesired } from '../../resources/engine/no-longer-desired.ts';
import { undoingOf } from '../../resources/engine/resource-kinds.ts';
import { previewTogether, undo } from '../../resources/engine/undo.ts';
import { type LedgerEntry, readLedger } from '../../resources/ledger.ts';
import { builds, contextOf, desiredOnHost, isEnabled, isPlaced } from '../desired.ts';
import type { Phase, PhaseRun } from '../phase.ts';
import { touchedPhases } from '../touched.ts';

/**
 * Take back what the ledger of the task's host has and no phase desires there any more: units first, then what phases that
 * were switched off left beside their resources, then files, packages and settings, the newest first. What two phases share
 * stays as long as one desires it. Returns what was removed, restored, or kept and why. Safe to repeat at any point.
 * Mode `check` changes nothing and returns what would be taken back.
 */
export async function cleanUpHost(run: PhaseRun<unknown>): Promise<Change[]> {
  const { remote, facts, mode, signal } = run;
  const ledger = await readLedger(remote);
  if (ledger.entries.length === 0) return [];
  const leaving = ledger.entries.filter((entry) => !isOfLostRole(run, entry));
  const entries = noLongerDesired(leaving, await desiredOnHost(run));
  if (entries.length === 0) return [];
  if (mode === 'check') return shown(await previewTogether(remote, entries, { facts }));

  const changes = [...(await undo(remote, entries, { stage: 'first', facts }))];
  for (const phase of switchedOff(run, entries)) {
    signal.throwIfAborted();
    const baselineOf = (id: string) => baselineIn(ledger.entries, id);
    changes.push(...((await phase.hooks?.teardown?.({ ...run, ...contextOf(run, phase), baselineOf })) ?? []));
  }
  for (const stage of ['middle', 'last'] as const) {
    signal.throwIfAborted();
    changes.push(...(await undo(remote, entries, { stage, facts })));
  }
  return shown(changes);
}

/**
 * What serves others is not taken from a host that lost the role (REMOVAL_REFUSED; earlier versions took such specs): its etcd
 * data and its pods are more than state that shrinks. It goes with a teardown of the host. What was handed over to others is.
 */
function isOfLostRole({ phases, cluster, host }: PhaseRun<unknown>, { phase: name }: LedgerEntry): boolean {
  const phase = phases.get(name);
  return (
    phase?.disrupts !== undefined &&
    !phase.hooks?.handOver &&
    builds(phase) &&
    isEnabled(cluster, phase) &&
    !isPlaced(cluster, phase, host)
  );
}

/** Phases that these entries are of and that are switched off, or have left the host, the last of the plan first. */
function switchedOff({ phases, cluster, host }: PhaseRun<unknown>, entries: readonly LedgerEntry[]): Phase[] {
  const touched = touchedPhases(entries);
  return [...phases.values()]
    .reverse()
    .filter(
      (phase) =>
        touched.has(phase.name) && builds(phase) && !(isEnabled(cluster, phase) && isPlaced(cluster, phase, host)),
    );
}

/** What stays because others need it is not reported: it is tried again at each change. */
const shown = (changes: readonly Change[]): Change[] =>
  changes.filter(({ resource, action }) => action !== 'keep' || !undoingOf(kindName(resource))?.keptStays);

const kindName = (resource: string): string => resource.slice(0, resource.indexOf(':'));
