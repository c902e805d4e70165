import { entryKey, type LedgerEntry, pathsOf, type Trace } from '../ledger.ts';
import type { Resource } from '../resource.ts';
import { kindOf, undoingOf } from './resource-kinds.ts';

/**
 * The entries of a host's ledger that no desired resource of the host owns: what an earlier desired state placed there.
 * Left out are entries that only a teardown takes back, entries of kinds that this version does not know, and folders
 * above something that is desired. `desired` is everything that is to be on the host, of every phase. Pure.
 */
export function noLongerDesired(entries: readonly LedgerEntry[], desired: readonly Resource[]): LedgerEntry[] {
  const traces = desired.flatMap(tracesOf);
  const keys = new Set(traces.map(({ key }) => key));
  const paths = new Set(traces.flatMap(({ paths }) => paths));
  const isOwned = (entry: LedgerEntry) => desired.some((resource) => kindOf(resource).owns?.(resource, entry) ?? false);
  const isWanted = (entry: LedgerEntry) => keys.has(entryKey(entry)) || isOwned(entry);
  const left = entries.filter((entry) => {
    const undoing = undoingOf(entry.kind);
    return undoing?.undo !== undefined && !undoing.outlives?.(entry) && !isWanted(entry);
  });
  const kept = new Set(left.map(entryKey));
  for (const entry of entries)
    if (!kept.has(entryKey(entry))) if (entry.kind !== 'directory') for (const path of pathsOf(entry)) paths.add(path);
  const ownsFileIn = (folder: string) => [...paths].some((path) => path === folder || path.startsWith(`${folder}/`));
  return left.filter(({ kind, id }) => kind !== 'directory' || !ownsFileIn(id));
}

/** What a resource leaves in the ledger of a host that is as desired: keys of entries, and paths. */
function tracesOf(resource: Resource): { key: string; paths: string[] }[] {
  const kind = kindOf(resource);
  const own = { key: `${resource.kind}:${resource.id}`, paths: kind.provides?.(resource) ?? [resource.id] };
  return [
    own,
    ...(kind.ledgerEntries?.(resource, null) ?? []).map((trace) => ({
      key: keyOf(resource, trace),
      paths: [...(trace.makes ?? []), ...(trace.replaces ?? []), ...(trace.fills ?? [])],
    })),
  ];
}

const keyOf = (resource: Resource, { kind = resource.kind, id = resource.id }: Trace): string => `${kind}:${id}`;
