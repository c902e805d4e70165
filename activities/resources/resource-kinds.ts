import { etcdMemberKind } from '../phases/etcd/member-resource.ts';
import { registryImageKind } from '../phases/registry/image-resource.ts';
import { absentKind } from './absent.ts';
import { archiveKind } from './archive.ts';
import { artifactKind } from './artifact.ts';
import { baselineKind } from './baseline.ts';
import { directoryKind } from './directory.ts';
import { fileKind } from './file.ts';
import { firewalldRulesKind } from './firewalld-rules.ts';
import { foreignLeftoversKind } from './foreign-leftovers.ts';
import { hostnameKind } from './hostname.ts';
import { hostsEntriesKind } from './hosts-entries.ts';
import { kernelModulesKind } from './kernel-modules.ts';
import { leftover } from './leftover.ts';
import { manifestsKind } from './manifests.ts';
import { packagesKind } from './packages.ts';
import { residueKind } from './residue.ts';
import type { Resource, ResourceKind, Undoing } from './resource.ts';
import { serviceKind } from './service.ts';
import { swapOffKind } from './swap-off.ts';
import { swapUnitsKind } from './swap-units.ts';
import { symlinkKind } from './symlink.ts';
import { sysctlsKind } from './sysctls.ts';
import { ufwRulesKind } from './ufw-rules.ts';
import { unitState } from './unit-state.ts';
import { userKind } from './user.ts';

/** A kind with its types erased: the engine hands each resource back to its own kind only. */
export type AnyKind = ResourceKind<Resource, unknown>;

/** Every resource kind, one file each. */
export const RESOURCE_KINDS: readonly AnyKind[] = [
  absentKind,
  archiveKind,
  artifactKind,
  directoryKind,
  etcdMemberKind,
  fileKind,
  foreignLeftoversKind,
  firewalldRulesKind,
  hostnameKind,
  hostsEntriesKind,
  kernelModulesKind,
  manifestsKind,
  packagesKind,
  registryImageKind,
  residueKind,
  serviceKind,
  swapOffKind,
  swapUnitsKind,
  symlinkKind,
  sysctlsKind,
  ufwRulesKind,
  userKind,
  baselineKind,
] as unknown as readonly AnyKind[];

const byName: ReadonlyMap<string, AnyKind> = new Map(RESOURCE_KINDS.map((kind) => [kind.kind, kind]));

const undoings: ReadonlyMap<string, Undoing> = new Map(
  [...RESOURCE_KINDS, leftover, unitState].map((each) => [each.kind, each]),
);

/** How entries of a kind are taken back; nothing for a kind that this version does not know. */
export const undoingOf = (kind: string): Undoing | undefined => undoings.get(kind);

/** The kind of a resource. Throws an Error for one that is not registered. */
export function kindOf(resource: Resource): AnyKind {
  const kind = byName.get(resource.kind);
  if (!kind) throw new Error(`no resource kind named ${resource.kind}`);
  return kind;
}
