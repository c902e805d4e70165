import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { type Artifact, type ArtifactFile, isArch } from './artifact.ts';
import { boundedGet, OutsideError } from './bounded-get.ts';
import { fetchMirrorManifest, type MirrorManifest } from './mirror-manifest.ts';
import type { ArtifactSource, ResolvedFile } from './source.ts';

/** How long one read of a mirror's manifest serves, ms: tasks that run together share it, and a retry sees what was put right. */
const MANIFEST_TTL_MS = 2_000;

/** Resolves artifacts for clusters: through their mirror where the spec names one, else from the official releases. */
export class ArtifactResolver {
  readonly #manifests = new Map<string, { at: number; manifest: Promise<MirrorManifest> }>();
  readonly #sums = new Map<string, Promise<string>>();

  /** The source of one cluster's artifacts. `proxy`: on the way to published checksums, never to a mirror. */
  sourceFor(cluster: ClusterSpec, proxy?: string | null): ArtifactSource {
    const { mirror } = cluster.spec.artifacts;
    return {
      file: async (artifact, version, arch) => {
        const file = fileOf(artifact, version, arch);
        if (mirror === undefined) return this.#released(file, proxy ?? undefined);
        return this.#mirrored(mirror, file.mirrorPath, { name: artifact.name, version, kind: file.format });
      },
      imageFile: async (image, arch) => {
        if (mirror === undefined || !isArch(arch)) return null;
        const { name, version, mirrorPath } = image.file(arch);
        const manifest = await this.#manifest(mirror);
        if (!Object.hasOwn(manifest.files, mirrorPath)) return null;
        return this.#mirrored(mirror, mirrorPath, { name: `image/${name}`, version, kind: 'oci-tar' });
      },
    };
  }

  async #mirrored(
    mirror: string,
    path: string,
    what: Pick<ResolvedFile, 'name' | 'version' | 'kind'>,
  ): Promise<ResolvedFile> {
    const entry = (await this.#manifest(mirror)).files[path];
    if (!entry) {
      throw new KubewrightError('ARTIFACT_UNKNOWN', `the mirror ${mirror} has no ${what.name} ${what.version}`, {
        evidence: `looked for ${path} in its manifest.json`,
      });
    }
    return { ...what, url: `${mirror.replace(/\/$/, '')}/${path}`, sha256: entry.sha256, size: entry.size };
  }

  #manifest(mirror: string): Promise<MirrorManifest> {
    const known = this.#manifests.get(mirror);
    if (known && Date.now() - known.at < MANIFEST_TTL_MS) return known.manifest;
    const manifest = fetchMirrorManifest(mirror);
    this.#manifests.set(mirror, { at: Date.now(), manifest });
    // A failed read must not be remembered as the answer.
    manifest.catch(() => this.#manifests.delete(mirror));
    return manifest;
  }

  /** An official release file; its sum is the published one, from the catalogue or the checksum file beside it. */
  async #released(file: ArtifactFile, proxy: string | undefined): Promise<ResolvedFile> {
    const { artifact: name, version, url, format: kind, digest } = file;
    if (digest.kind === 'unpublished') {
      throw new KubewrightError('ARTIFACT_UNKNOWN', `no checksum is published for ${name} ${version}`, {
        evidence: `${url} cannot be trusted without one; name an artifact mirror under spec.artifacts.mirror`,
      });
    }
    const sha256 = digest.kind === 'known' ? digest.sha256 : await this.#sumBeside(digest.url, proxy);
    return { name, version, url, sha256, size: 0, kind };
  }

  #sumBeside(url: string, proxy: string | undefined): Promise<string> {
    const known = this.#sums.get(url);
    if (known) return known;
    const sum = fetchSum(url, proxy);
    this.#sums.set(url, sum);
    sum.catch(() => this.#sums.delete(url));
    return sum;
  }
}

/** A checksum file has one line, or one per file of the release. */
const MAX_SUM_BYTES = 256 * 1024;

async function fetchSum(url: string, proxy: string | undefined): Promise<string> {
  try {
    // Addresses of the catalogue, which publishers redirect to their own networks.
    const bounds = { maxBytes: MAX_SUM_BYTES, timeoutMs: 10_000, redirects: 'https' as const };
    // The proxy is that of the hosts: where the worker does not reach it, it may reach the publisher itself.
    const text = await (proxy === undefined
      ? boundedGet(url, bounds)
      : boundedGet(url, { ...bounds, proxy }).catch(() => boundedGet(url, bounds)));
    const sum = /\b[0-9a-f]{64}\b/.exec(text.slice(0, 1000))?.[0];
    if (!sum) throw new OutsideError('the answer holds no sha256');
    return sum;
  } catch (cause) {
    throw new KubewrightError('ARTIFACT_UNREACHABLE', `the published checksum at ${url} cannot be read`, {
      cause,
      evidence: cause instanceof OutsideError ? cause.message : 'it cannot be read',
    });
  }
}

function fileOf(artifact: Artifact, version: string, arch: string): ArtifactFile {
  if (!isArch(arch)) throw new KubewrightError('ARTIFACT_UNKNOWN', `no ${artifact.name} for the architecture ${arch}`);
  return artifact.file(version, arch);
}
