/** Machine architectures, in Go's and Debian's spelling. */
export const ARCHES = ['amd64', 'arm64'] as const;
export type Arch = (typeof ARCHES)[number];

/** True when the text is an architecture that artifacts exist for. */
export const isArch = (text: string): text is Arch => ARCHES.some((arch) => arch === text);

/** How the official release of a file can be checked. */
export type PublishedDigest =
  /** The sum is known here. */
  | { readonly kind: 'known'; readonly sha256: string }
  /** The project puts a checksum file next to the release file. */
  | { readonly kind: 'beside'; readonly url: string }
  /** Upstream publishes no sum, so a download cannot be trusted: build it or bring it. */
  | { readonly kind: 'unpublished' };

/** One file inside an artifact that hosts install. */
export interface ArtifactMember {
  /** Path inside the archive; empty for a plain binary. */
  readonly path: string;
  /** File name once installed. */
  readonly name: string;
}

/** One file of the mirror. */
export interface ArtifactFile {
  readonly artifact: string;
  readonly version: string;
  readonly arch: Arch;
  /** Path under the mirror's root; the same name as the official release file. */
  readonly mirrorPath: string;
  /** The official release file. */
  readonly url: string;
  readonly digest: PublishedDigest;
  readonly format: 'binary' | 'tar.gz';
  readonly members: readonly ArtifactMember[];
}

/** A release of a project that hosts install, at any version. */
export interface Artifact {
  readonly kind: 'artifact';
  /** Unique among all artifacts. */
  readonly name: string;
  /** Bare, such as 1.36.3: what is installed where no option names another one. */
  readonly version: string;
  /** Its version is the cluster's version of Kubernetes. */
  readonly followsKubernetes: boolean;
  /** Only a choice that is not the default needs it: our mirrors have it when it is asked for (`npm run mirror -- --with PHASE`). */
  readonly onDemand: boolean;
  readonly file: (version: string, arch: Arch) => ArtifactFile;
}

/** An artifact that a phase installs on a host. */
export interface RequiredArtifact {
  readonly artifact: Artifact;
  readonly version: string;
  /** Folder for its files; default: /usr/local/bin. */
  readonly into?: string;
}

/** What `defineArtifact` is given. */
export interface ArtifactDefinition {
  readonly name: string;
  readonly version: string;
  readonly followsKubernetes?: true;
  readonly onDemand?: true;
  readonly format: ArtifactFile['format'];
  /** Path under the mirror's root. */
  readonly path: (version: string, arch: Arch) => string;
  readonly url: (version: string, arch: Arch) => string;
  readonly members: (version: string, arch: Arch) => readonly ArtifactMember[];
  /** Published sums (sha256, hex), by version and architecture, as the project's own checksum files state them. */
  readonly published?: Readonly<Record<string, Readonly<Record<Arch, string>>>>;
  /** How a version is checked whose sum is not in `published`. */
  readonly otherwise: 'beside' | 'unpublished';
}

/** An artifact of the catalogue: exported from the `artifacts.ts` of the phase that installs it. */
export function defineArtifact(definition: ArtifactDefinition): Artifact {
  const { name, version, followsKubernetes = false, onDemand = false } = definition;
  const { format, path, url, members, published, otherwise } = definition;
  const digestOf = (asked: string, arch: Arch): PublishedDigest => {
    const sha256 = published?.[asked]?.[arch];
    if (sha256 !== undefined) return { kind: 'known', sha256 };
    return otherwise === 'beside' ? { kind: 'beside', url: `${url(asked, arch)}.sha256` } : { kind: 'unpublished' };
  };
  return {
    kind: 'artifact',
    name,
    version,
    followsKubernetes,
    onDemand,
    file: (asked, arch) => ({
      artifact: name,
      version: asked,
      arch,
      mirrorPath: path(asked, arch),
      url: url(asked, arch),
      digest: digestOf(asked, arch),
      format,
      members: members(asked, arch),
    }),
  };
}

/** Members of an archive that all lie in one folder of it (with its slash), installed under their own names. */
export const within = (folder: string, names: readonly string[]): ArtifactMember[] =>
  names.map((name) => ({ path: `${folder}${name}`, name }));

/** Where projects on GitHub put their releases: `<project>/releases/download/v<version>/<file>`. */
export const githubRelease = (project: string, version: string, file: string): string =>
  `https://github.com/${project}/releases/download/v${version}/${file}`;
