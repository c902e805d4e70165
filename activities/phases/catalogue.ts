import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Arch, Artifact, ArtifactFile } from '../artifacts/artifact.ts';
import type { Image } from '../artifacts/image.ts';
import * as shared from '../kube/artifacts.ts';

/** All artifacts and images that phases declare, each list sorted by name. */
export interface Catalogue {
  readonly artifacts: readonly Artifact[];
  readonly images: readonly Image[];
  /** The phase that declares an entry; null: several phases share it. */
  readonly phaseOf: (entry: Artifact | Image) => string | null;
}

/** Exports of one module, and who declares them, for messages. */
interface Declared {
  readonly owner: string;
  /** The phase; absent: several share it. */
  readonly phase?: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/**
 * What the folders of phases declare in their `artifacts.ts`, in each of `folders` (default: this one), and what several phases share. Those
 * files import no phase, so this loads none. Throws INTERNAL with both phases when a name is declared twice.
 */
export async function scanCatalogue(folders: readonly URL[] = [new URL('./', import.meta.url)]): Promise<Catalogue> {
  const declared: Declared[] = [{ owner: 'what phases share', exports: shared }];
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true });
    const phases = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    for (const phase of phases.sort()) {
      const file = new URL(`${phase}/artifacts.ts`, folder);
      if (existsSync(file)) declared.push({ owner: `phase ${phase}`, phase, exports: await import(file.href) });
    }
  }
  return catalogueOf(declared);
}

/** Throws INTERNAL as `scanCatalogue` does. Pure. */
export function catalogueOf(declared: readonly Declared[]): Catalogue {
  const owners = new Map<string, string>();
  const artifacts: Artifact[] = [];
  const images: Image[] = [];
  const phases = new Map<Artifact | Image, string>();
  for (const { owner, phase, exports } of declared) {
    for (const entry of Object.values(exports).flatMap(entriesOf)) {
      const key = `${entry.kind} ${entry.name}`;
      const other = owners.get(key);
      if (other !== undefined) throw new KubewrightError('INTERNAL', `${key} is declared by ${other} and by ${owner}`);
      owners.set(key, owner);
      if (phase !== undefined) phases.set(entry, phase);
      if (entry.kind === 'artifact') artifacts.push(entry);
      else images.push(entry);
    }
  }
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  const phaseOf = (entry: Artifact | Image) => phases.get(entry) ?? null;
  return { artifacts: artifacts.sort(byName), images: images.sort(byName), phaseOf };
}

/** Every file that the hosts of a cluster of that Kubernetes version may ask for; all else at the catalogue's version. */
export const artifactFiles = (
  { artifacts }: Catalogue,
  { arch, kubernetesVersion }: { arch: Arch; kubernetesVersion?: string | undefined },
): ArtifactFile[] =>
  artifacts.map(({ followsKubernetes, version, file }) =>
    file(followsKubernetes ? (kubernetesVersion ?? version) : version, arch),
  );

/** An export is an entry, or holds some (the binaries of Kubernetes). */
function entriesOf(value: unknown): (Artifact | Image)[] {
  if (isEntry(value)) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).filter(isEntry) : [];
}

const isEntry = (value: unknown): value is Artifact | Image =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  (value.kind === 'artifact' || value.kind === 'image') &&
  'name' in value &&
  'file' in value;

/** The catalogue of our own phases, read once when the process starts. */
export const CATALOGUE: Catalogue = await scanCatalogue();
