import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Resource, ResourceKind, Undoing } from '../resource.ts';

/** A kind with its types erased: the engine hands each resource back to its own kind only. */
export type AnyKind = ResourceKind<Resource, unknown>;

/** Kinds of several phases, and those that one phase alone has: in its folder. */
const SOURCES = ['resources/*.ts', 'phases/*/*-resource.ts'];

/**
 * The default exports of the files of `activities` (default: this one) that hold a kind of resource, or how entries of the
 * ledger are taken back, by path. Adding a kind is adding a file; the shared files beside them have no default export.
 * Such a file imports nothing of `engine/`, which waits for it. Throws INTERNAL for two of one name.
 */
export async function scanKinds(activities: string = join(import.meta.dirname, '../..')): Promise<Undoing[]> {
  const files = globSync(SOURCES, { cwd: activities }).sort();
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(join(activities, file)).href) as Promise<{ default?: unknown }>),
  );
  const kinds = modules.flatMap(({ default: kind }) => (isUndoing(kind) ? [kind] : []));
  const names = kinds.map(({ kind }) => kind);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new KubewrightError('INTERNAL', `two kinds of resource are named ${twice}`);
  return kinds;
}

const isUndoing = (value: unknown): value is Undoing => typeof value === 'object' && value !== null && 'kind' in value;
const isKind = (undoing: Undoing): undoing is AnyKind => 'probe' in undoing;

const undoings: ReadonlyMap<string, Undoing> = new Map((await scanKinds()).map((each) => [each.kind, each]));

/** Every resource kind. */
export const RESOURCE_KINDS: readonly AnyKind[] = [...undoings.values()].filter(isKind);

const byName: ReadonlyMap<string, AnyKind> = new Map(RESOURCE_KINDS.map((kind) => [kind.kind, kind]));

/** How entries of a kind are taken back; nothing for a kind that this version does not know. */
export const undoingOf = (kind: string): Undoing | undefined => undoings.get(kind);

/** The kind of a resource. Throws an Error for one that is not registered. */
export function kindOf(resource: Resource): AnyKind {
  const kind = byName.get(resource.kind);
  if (!kind) throw new Error(`no resource kind named ${resource.kind}`);
  return kind;
}
