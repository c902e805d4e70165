import { KIND_ALIASES } from '../../contracts/earlier-kinds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { OperationTraits } from '../../contracts/operation-traits.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { scanFolder } from '../../store/scan-folder.ts';
import type { Phase } from '../phases/phase.ts';
import { kindTraits, type OperationKind, type OperationKinds, STARTERS, type Starter } from './operation-kind.ts';

/** Every kind of operation by its name. Throws INTERNAL when they do not fit together, or name phases that are not there. */
export async function loadKinds(phases: readonly Phase[]): Promise<OperationKinds> {
  const kinds = await scanKinds();
  checkKinds(kinds);
  const names = new Set(phases.map(({ name }) => name));
  for (const kind of kinds) {
    const unknown = kind.phases?.find((name) => !names.has(name));
    if (unknown !== undefined) throw new KubewrightError('INTERNAL', `kind ${kind.name}: there is no phase ${unknown}`);
  }
  return byName(kinds);
}

/** The kinds of a folder (default: kinds/): the default exports of its files. Adding a kind is adding a file. */
export const scanKinds = (folder: URL = new URL('./kinds/', import.meta.url)): Promise<OperationKind[]> =>
  scanFolder(folder, isKind);

const isKind = (value: unknown): value is OperationKind =>
  typeof value === 'object' &&
  value !== null &&
  ['name', 'title', 'role', 'modes', 'request', 'effect', 'clusterStates', 'plan'].every((key) => key in value);

export const byName = (kinds: readonly OperationKind[]): OperationKinds =>
  new Map(kinds.map((kind) => [kind.name, kind]));

/** Throws INTERNAL when two kinds have one name, or a request would start none or two of them. */
export function checkKinds(kinds: readonly OperationKind[]): void {
  const wrong = (message: string) => {
    throw new KubewrightError('INTERNAL', message);
  };
  const names = new Set<string>();
  for (const { name, modes } of kinds) {
    if (!dnsLabel.safeParse(name).success) wrong(`kind ${name}: the name must be lower-case letters, digits and -`);
    if (names.has(name)) wrong(`two kinds are named ${name}`);
    if (KIND_ALIASES.has(name)) wrong(`kind ${name}: the name stands for a kind of an earlier version`);
    if (modes.length === 0) wrong(`kind ${name} has no mode`);
    names.add(name);
  }
  for (const starter of STARTERS) {
    const started = kinds.filter(({ startedBy }) => startedBy?.includes(starter)).map(({ name }) => name);
    if (started.length !== 1) wrong(`a request \`${starter}\` starts one kind, not ${started.join(' and ') || 'none'}`);
  }
}

/** The kind by that name, or the one that an earlier version called so. Null: there is none. */
export const findKind = (kinds: OperationKinds, name: string): OperationKind | null =>
  kinds.get(name) ?? kinds.get(KIND_ALIASES.get(name)?.kind ?? '') ?? null;

/** The same. Throws INTERNAL: a worker of an older version has an operation of a newer one. */
export function requireKind(kinds: OperationKinds, name: string): OperationKind {
  const kind = findKind(kinds, name);
  if (!kind) throw new KubewrightError('INTERNAL', `no kind of operation is named ${name} in this process`);
  return kind;
}

/** The traits of the kind by that name; undefined: there is none. */
export function findTraits(kinds: OperationKinds, name: string): OperationTraits | undefined {
  const kind = findKind(kinds, name);
  return kind ? kindTraits(kind) : undefined;
}

/** The kind that such a request starts. */
export const startedKind = (kinds: OperationKinds, starter: Starter): OperationKind =>
  [...kinds.values()].find(({ startedBy }) => startedBy?.includes(starter))!;
