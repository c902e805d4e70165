import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../run.ts';
import { sha256Of } from './files.ts';
import { packTar } from './tar.ts';

/** What runs in an image and how. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
  /** `uid:gid`; root when absent. */
  readonly user?: string;
  readonly env?: readonly string[];
  readonly workingDir?: string;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/**
 * Packs a root folder as a one-layer OCI image layout in a plain tar at `target`. `stage` is an empty folder for the
 * parts. Times are fixed, so that the same content keeps its digest.
 */
export async function writeOciTar(options: {
  rootfs: string;
  config: ImageConfig;
  arch: string;
  /** Tag, as the layout's reference name. */
  tag: string;
  stage: string;
  target: string;
}): Promise<void> {
  const { rootfs, config, arch, tag, stage, target } = options;
  const layout = join(stage, 'layout');
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });

  const layerTar = join(stage, 'layer.tar');
  await packTar(rootfs, layerTar, { asRoot: false });
  const diffId = `sha256:${await sha256Of(layerTar)}`;
  // Level 1: hosts are near and the time to pack counts.
  await run(['gzip', '-1', '-n', '-f', layerTar], { timeoutMs: 300_000 });
  const layer = await addFile(blobs, `${layerTar}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip');

  const created = '1970-01-01T00:00:00Z';
  const imageConfig = await addJson(blobs, 'application/vnd.oci.image.config.v1+json', {
    created,
    architecture: arch,
    os: 'linux',
    config: {
      ...(config.user === undefined ? {} : { User: config.user }),
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(config.env ?? [])],
      Entrypoint: config.entrypoint,
      ...(config.cmd === undefined ? {} : { Cmd: config.cmd }),
      WorkingDir: config.workingDir ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: 'kubewright lab' }],
  });
  const manifest = await addJson(blobs, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: imageConfig,
    layers: [layer],
  });
  await writeLayout(layout, [
    {
      ...manifest,
      platform: { architecture: arch, os: 'linux' },
      annotations: { 'org.opencontainers.image.ref.name': tag },
    },
  ]);
  await packTar(layout, target, { asRoot: true });
  await rm(layout, { recursive: true });
}

/** Writes `oci-layout` and `index.json` beside the blobs. */
export async function writeLayout(layout: string, manifests: readonly unknown[]): Promise<void> {
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  await writeFile(join(layout, 'index.json'), JSON.stringify(index));
}

async function addFile(blobs: string, path: string, mediaType: string): Promise<Descriptor> {
  const [sum, { size }] = await Promise.all([sha256Of(path), stat(path)]);
  await rename(path, join(blobs, sum));
  return { mediaType, digest: `sha256:${sum}`, size };
}

async function addJson(blobs: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const sum = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(blobs, sum), bytes);
  return { mediaType, digest: `sha256:${sum}`, size: bytes.length };
}
