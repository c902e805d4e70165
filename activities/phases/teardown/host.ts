import type { Change } from '../../../contracts/operation.ts';
import { UNMARK } from '../../host/ownership.ts';
import { OWNERSHIP_MARKER } from '../../host/ownership-marker.ts';
import { KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import { baselineIn } from '../../resources/baseline.ts';
import { kindOf } from '../../resources/engine/resource-kinds.ts';
import { previewUndo, undo } from '../../resources/engine/undo.ts';
import { entryKey, type LedgerEntry, readLedger } from '../../resources/ledger.ts';
import { STATE_DIR } from '../../resources/paths.ts';
import { contextOf, isPlaced } from '../desired.ts';
import type { PhaseRun } from '../phase.ts';
import { touchedPhases } from '../touched.ts';

/**
 * Take back everything that Kubewright placed on a host, as its ledger says: units first, then what phases left beside
 * their resources (pods, links, rules), then files, packages and settings in the reverse order of placing, what was
 * there before last, and our own state at the very end. Returns what was removed, what was restored, and what was kept
 * and why. Safe to repeat at any point; on a host without a trace of ours it does nothing.
 * Mode `check` changes nothing and returns what would be taken back.
 */
export async function tearDownHost(run: PhaseRun<unknown>): Promise<Change[]> {
  const { remote, facts, mode } = run;
  const ledger = await readLedger(remote);
  const older = ledger.complete ? { entries: [], changes: [] } : await entriesBeforeLedger(run, ledger.entries);
  const entries = [...older.entries, ...ledger.entries].filter((entry) => !LAST.includes(entryKey(entry)));
  if (mode === 'check') {
    const { code } = await remote.exec(['test', '-e', OWNERSHIP_MARKER], { okCodes: [0, 1] });
    const marker: Change = { resource: LAST[0]!, action: 'remove', detail: 'says whose host it is' };
    const preview = await previewUndo(remote, entries, { facts });
    const placed = ({ phase, ...entry }: LedgerEntry): readonly Change[] =>
      preview.get(entryKey(entry)) ?? [{ resource: entryKey(entry), action: 'remove', detail: `placed by ${phase}` }];
    return keptFirst([...(code === 0 ? [marker] : []), ...entries.flatMap(placed)]);
  }

  const changes = [...older.changes, ...(await undo(remote, entries, { stage: 'first', facts }))];
  const touched = touchedPhases(entries);
  for (const phase of [...run.phases.values()].reverse()) {
    if (!touched.has(phase.name) || !phase.hooks?.teardown) continue;
    run.signal.throwIfAborted();
    const baselineOf = (id: string) => baselineIn(entries, id);
    changes.push(...(await phase.hooks.teardown({ ...run, ...contextOf(run, phase), baselineOf })));
  }
  for (const stage of ['middle', 'last'] as const) {
    run.signal.throwIfAborted();
    changes.push(...(await undo(remote, entries, { stage, facts })));
  }
  const { stdout } = await remote.script(FORGET);
  // On a host without a trace of ours it was there for this task alone.
  for (const line of entries.length === 0 ? [] : stdout.split('\n').filter((each) => each !== '')) {
    const resource = line === OWNERSHIP_MARKER ? LAST[0]! : LAST[1]!;
    const [, kept] = /^kept (.*?) *$/.exec(line) ?? [];
    if (kept === undefined) changes.push({ resource, action: 'remove', detail: line });
    else changes.push({ resource, action: 'keep', detail: `it holds what Kubewright did not place: ${kept}` });
  }
  return keptFirst(changes);
}

/** What was kept needs a look by an operator. */
const keptFirst = (changes: readonly Change[]): Change[] => [
  ...changes.filter(({ action }) => action === 'keep'),
  ...changes.filter(({ action }) => action !== 'keep'),
];

/** Our own state, and what killed commands of ours left on /run. */
const FORGET = `# A link to another disk stays, empty: what lies there is ours.
if [ -L ${STATE_DIR} ]; then [ ! -d ${STATE_DIR} ] || find -H ${STATE_DIR} -xdev -mindepth 1 -delete; else rm -rf -- ${STATE_DIR}; fi
rm -rf -- /run/kubewright /run/kubewright.* /run/kubewright-*\n${UNMARK}`;

/** The mark, and the folder that it lies in: no other cluster may begin here before our own state is gone. */
const LAST: readonly string[] = [`file:${OWNERSHIP_MARKER}`, `directory:${KUBEWRIGHT_DIR}`];

/**
 * What a version without a ledger may have placed: all that the host's phases would place, without a word on what was
 * there before. A phase that cannot list its files (its mirror is down, say) is kept and reported.
 */
async function entriesBeforeLedger(
  run: PhaseRun<unknown>,
  known: readonly LedgerEntry[],
): Promise<{ entries: LedgerEntry[]; changes: Change[] }> {
  const keys = new Set(known.map(entryKey));
  const entries: LedgerEntry[] = [];
  const changes: Change[] = [];
  const add = (entry: LedgerEntry) => {
    if (keys.has(entryKey(entry))) return;
    keys.add(entryKey(entry));
    entries.push(entry);
  };
  for (const phase of run.phases.values()) {
    if (!isPlaced(run.cluster, phase, run.host) || !phase.resources || phase.onDemand) continue;
    try {
      for (const resource of await phase.resources(contextOf(run, phase))) {
        for (const { kind = resource.kind, id = resource.id, fills = [] } of kindOf(resource).ledgerEntries?.(
          resource,
          null,
        ) ?? []) {
          for (const path of fills) add({ kind: 'leftover', id: path, phase: phase.name, prior: null });
          add({ kind, id, phase: phase.name, prior: null });
        }
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      changes.push({
        resource: `phase:${phase.name}`,
        action: 'keep',
        detail: `what it placed cannot be listed: ${why}`,
      });
    }
  }
  return { entries, changes };
}
