import { randomBytes } from 'node:crypto';
import { keepEnds } from '../../../contracts/cut.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Change } from '../../../contracts/operation.ts';
import { makeTemporary } from '../../host/fence.ts';
import { HOST_PATH } from '../../host/host-path.ts';
import { quote } from '../../host/quote.ts';
import type { HostFacts, RemoteHost } from '../../host/types.ts';
import { entryKey, type LedgerEntry, pathsOf, undoFunctions } from '../ledger.ts';
import { isOfOthers } from '../leftover.ts';
import { LEDGER } from '../paths.ts';
import { undoingOf } from './resource-kinds.ts';

/** Purging packages and stopping units takes its time; a single step is bounded by the activity. */
const UNDO_TIMEOUT_MS = 25 * 60_000;

export type UndoStage = 'first' | 'middle' | 'last';

/** Entries of a stage, the newest first. */
export function entriesOf(entries: readonly LedgerEntry[], stage: UndoStage): LedgerEntry[] {
  return entries.filter(({ kind }) => (undoingOf(kind)?.undoWhen ?? 'middle') === stage).reverse();
}

/**
 * Undo what the entries of one stage placed, and strike them off the host's ledger. Returns what was removed,
 * restored, or kept and why; nothing for what is gone already. Safe to repeat. One round trip.
 * Throws COMMAND_FAILED with what could not be taken back; everything else was.
 */
export async function undo(
  remote: RemoteHost,
  entries: readonly LedgerEntry[],
  options: { stage: UndoStage; facts: HostFacts },
): Promise<Change[]> {
  const chosen = entriesOf(entries, options.stage);
  if (chosen.length === 0) return [];
  const nonce = `kw-${randomBytes(12).toString('hex')}`;
  const { stdout } = await remote.script(undoScript(chosen, options.facts, nonce), [], {
    okCodes: 'any',
    timeoutMs: UNDO_TIMEOUT_MS,
    maxOutputBytes: 4 * 1024 * 1024,
  });
  const reports = parseReports(stdout, nonce);
  if (reports.failures.length > 0 || !reports.ended) {
    throw new KubewrightError('COMMAND_FAILED', failed(reports.failures), {
      host: remote.name,
      evidence: reports.failures.join('\n') || stdout,
    });
  }
  return reports.changes;
}

/**
 * What `undo` would report on entries whose kinds heed a dry run, by the key of the entry; the others are not asked. Changes
 * nothing. One round trip, none without such entries. Throws COMMAND_FAILED where the host cannot report it.
 */
export async function previewUndo(
  remote: RemoteHost,
  entries: readonly LedgerEntry[],
  { facts }: { facts: HostFacts },
): Promise<ReadonlyMap<string, readonly Change[]>> {
  const queried = entries.filter(({ kind }) => undoingOf(kind)?.dry === true);
  const reports = new Map<string, Change[]>(queried.map((entry) => [entryKey(entry), []]));
  if (queried.length === 0) return reports;
  const steps = queried.flatMap((entry) =>
    (undoingOf(entry.kind)?.undo?.([entry], { facts, quote }) ?? []).map(
      ({ key, script }) => `( KW_KEY=${quote(key)}\n${script}\n) </dev/null || exit 1`,
    ),
  );
  for (const change of await undoByScript(remote, [dryHead([]), ...steps].join('\n'))) {
    reports.get(change.resource)?.push(change);
  }
  return reports;
}

/**
 * What `undo` of all these entries would report, in its order. Changes nothing. Of kinds without a dry run each entry is
 * listed as removed. One round trip, none without entries that have a dry run. Throws COMMAND_FAILED where the host cannot
 * tell.
 */
export async function previewTogether(
  remote: RemoteHost,
  entries: readonly LedgerEntry[],
  { facts }: { facts: HostFacts },
): Promise<Change[]> {
  const groups = (['first', 'middle', 'last'] as const).flatMap((stage) => groupAdjacent(entriesOf(entries, stage)));
  const queried = groups.filter(([first]) => undoingOf(first!.kind)?.dry !== undefined);
  const steps = queried.flatMap((group) =>
    (undoingOf(group[0]!.kind)?.undo?.(group, { facts, quote }) ?? []).map(
      ({ key, script }) => `( KW_KEY=${quote(key)}\n${script}\n) </dev/null || exit 1`,
    ),
  );
  const reports = steps.length > 0 ? await undoByScript(remote, [dryHead(entries), ...steps].join('\n')) : [];
  const others = groups
    .filter((group) => !queried.includes(group))
    .flat()
    .map((entry): Change => ({ resource: entryKey(entry), action: 'remove', detail: `placed by ${entry.phase}` }));
  return [...others, ...reports];
}

/** Makes the functions report without changing anything, as if these entries were taken back one after the other. */
function dryHead(entries: readonly LedgerEntry[]): string {
  const paths = (some: readonly LedgerEntry[]) => quote(some.flatMap(pathsOf).join('\n'));
  const going = entries.filter((entry) => !isOfOthers(entry));
  const trees = going.filter(({ kind }) => kind === 'leftover');
  return `KW_DRY=yes\nKW_GOING=${paths(going)}\nKW_GOING_TREES=${paths(trees)}`;
}

/** Run a script of a phase's teardown: as a step of `undo`, with arguments. Returns its reported changes. */
export async function undoByScript(
  remote: RemoteHost,
  script: string,
  args: readonly string[] = [],
): Promise<Change[]> {
  const nonce = `kw-${randomBytes(12).toString('hex')}`;
  const text = `${undoFunctions(nonce)}\nexport PATH=${HOST_PATH}\nKW_KEY=host\n(\n${script}\n) </dev/null || exit 1\nprintf '%s end\\n' "$KW_N"\n`;
  const { stdout, stderr } = await remote.script(text, args, { okCodes: 'any', timeoutMs: UNDO_TIMEOUT_MS });
  const reports = parseReports(stdout, nonce);
  if (reports.ended) return reports.changes;
  throw new KubewrightError('COMMAND_FAILED', failed([]), {
    host: remote.name,
    evidence: stderr,
  });
}

const failed = ([first]: readonly string[]): string =>
  first === undefined ? 'the teardown of the host broke off' : `could not take back ${first.split(' ')[0]}`;

/** The script that undoes: neighbours of one kind together, each step in a subshell, all steps whatever fails. */
export function undoScript(entries: readonly LedgerEntry[], facts: HostFacts, nonce: string): string {
  const lines = [
    undoFunctions(nonce),
    `export PATH=${HOST_PATH}`,
    'umask 022',
    `KW_TMP=$(${makeTemporary('-d')}) || exit 1`,
    `trap 'rm -rf -- "$KW_TMP"' EXIT`,
    `trap 'exit 143' HUP INT TERM PIPE`,
    ': >"$KW_TMP/done"',
    ': >"$KW_TMP/kept"',
  ];
  for (const group of groupAdjacent(entries)) {
    lines.push('kw_bad=', `KW_KEPT=${undoingOf(group[0]!.kind)?.keptStays ? '$KW_TMP/kept' : ''}`);
    for (const { key, script } of undoingOf(group[0]!.kind)?.undo?.(group, { facts, quote }) ?? []) {
      lines.push(
        `( KW_KEY=${quote(key)}\n${script}\n) </dev/null 2>"$KW_TMP/err"`,
        `[ $? = 0 ] || { kw_bad=yes; printf '%s failed %s\\t%s\\n' "$KW_N" ${quote(key)} "$(tail -c 600 "$KW_TMP/err" | tr '\\n\\t' '  ')"; }`,
      );
    }
    const keys = group.map((entry) => quote(entryKey(entry)));
    lines.push(`[ -n "$kw_bad" ] || printf '%s\\n' ${keys.join(' ')} >>"$KW_TMP/done"`);
  }
  return `${[...lines, STRIKE_OFF].join('\n')}\n`;
}

/** In one move, so that a ledger is never half of itself. */
const STRIKE_OFF = `if [ -f ${LEDGER} ]; then
  kw_done="
$(grep -vxFf "$KW_TMP/kept" "$KW_TMP/done")
"
  kw_tab=$(printf '\\t')
  while IFS= read -r kw_entry; do
    case $kw_done in *"
\${kw_entry%%"$kw_tab"*}
"*) ;; *) printf '%s\\n' "$kw_entry" ;; esac
  done <${LEDGER} >${LEDGER}.new && mv -f -T -- ${LEDGER}.new ${LEDGER}
fi
printf '%s end\\n' "$KW_N"`;

function groupAdjacent(entries: readonly LedgerEntry[]): LedgerEntry[][] {
  const groups: LedgerEntry[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    if (last?.[0]?.kind === entry.kind) last.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

const ACTIONS: Readonly<Record<string, Change['action']>> = { removed: 'remove', restored: 'update', kept: 'keep' };

/** What a script reported with `kw_tell` (ledger.ts). Lines that are not ours are left out. */
export function parseReports(stdout: string, nonce: string): { changes: Change[]; failures: string[]; ended: boolean } {
  const changes: Change[] = [];
  const failures: string[] = [];
  let ended = false;
  for (const line of stdout.split('\n')) {
    const [prefix, verb = ''] = line.split(' ', 2);
    if (prefix !== nonce) continue;
    if (verb === 'end') ended = true;
    const rest = line.slice(nonce.length + verb.length + 2);
    const [key = '', detail = ''] = rest.split('\t');
    const action = ACTIONS[verb];
    if (verb === 'failed') failures.push(`${key} ${detail}`.trim());
    else if (action) changes.push({ resource: key, action, detail: keepEnds(detail.trim(), 500) });
  }
  return { changes, failures, ended };
}
