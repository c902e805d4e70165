import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ImageFile } from '../../../activities/artifacts/image.ts';
import { writeLayout } from '../oci.ts';
import { packTar } from '../tar.ts';
import { type Source, SourceUnavailable } from '../types.ts';
import { download, open, type Web } from './web.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptor = z.object({ mediaType: z.string().max(200), digest, size: z.int().min(0) });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(200) });
const platform = z.object({ os: z.string(), architecture: z.string() });
const indexSchema = z.object({ manifests: z.array(descriptor.extend({ platform: platform.optional() })).max(100) });
const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * The official image from its registry. Only for images that the catalogue pins by digest: every byte is then checked,
 * from the index down to the layers.
 */
export function pullSource(image: ImageFile, web: Web): Source {
  return {
    name: 'pull',
    async supply({ arch, workDir, report }) {
      const { base, pinned } = parseReference(image.upstream);
      report('download', { source: image.upstream });
      const layout = join(workDir, 'layout');
      const blobs = join(layout, 'blobs', 'sha256');
      await mkdir(blobs, { recursive: true });
      const session = new PullSession(web, base);

      const index = indexSchema.safeParse(await session.json(pinned));
      const chosen = index.success
        ? index.data.manifests.find((entry) => entry.platform?.os === 'linux' && entry.platform.architecture === arch)
            ?.digest
        : pinned;
      if (chosen === undefined)
        throw new SourceUnavailable(`${image.upstream} has no image for ${arch}`, { loud: true });
      const bytes = await session.manifest(chosen);
      const manifest = manifestSchema.parse(JSON.parse(bytes.toString()));
      await writeFile(join(blobs, hexOf(chosen)), bytes);
      for (const blob of [manifest.config, ...manifest.layers])
        await session.blob(blob.digest, join(blobs, hexOf(blob.digest)));

      const mediaType = z.object({ mediaType: z.string() }).parse(JSON.parse(bytes.toString())).mediaType;
      await writeLayout(layout, [
        {
          mediaType,
          digest: chosen,
          size: bytes.length,
          platform: { architecture: arch, os: 'linux' },
          annotations: { 'org.opencontainers.image.ref.name': image.version },
        },
      ]);
      const path = join(workDir, 'image.tar');
      await packTar(layout, path, { asRoot: true });
      return [{ mirrorPath: image.mirrorPath, path, origin: 'release', source: image.upstream }];
    },
  };
}

/** Requests to one repository; the anonymous token is fetched when the registry first asks for one. */
class PullSession {
  readonly #web: Web;
  readonly #base: string;
  #authorization: Record<string, string> = {};

  constructor(web: Web, base: string) {
    this.#web = web;
    this.#base = base;
  }

  async json(wanted: string): Promise<unknown> {
    return JSON.parse((await this.manifest(wanted)).toString());
  }

  /** The manifest with that digest, checked. */
  async manifest(wanted: string): Promise<Buffer> {
    const url = `${this.#base}/manifests/${wanted}`;
    let response = await this.#open(url, [401]);
    if (response.status === 401) {
      await this.#login(response.headers.get('www-authenticate') ?? '');
      await response.body?.cancel();
      response = await this.#open(url, []);
    }
    const bytes = Buffer.from(await response.arrayBuffer());
    check(url, `sha256:${createHash('sha256').update(bytes).digest('hex')}`, wanted);
    return bytes;
  }

  /** Streams the blob with that digest into `path`, checked. */
  async blob(wanted: string, path: string): Promise<void> {
    const url = `${this.#base}/blobs/${wanted}`;
    check(url, `sha256:${await download(this.#web, url, path, this.#authorization)}`, wanted);
  }

  #open(url: string, pass: readonly number[]): Promise<Response> {
    return open(this.#web, url, { headers: { accept: MANIFEST_TYPES, ...this.#authorization }, pass });
  }

  /** `Bearer realm="https://...",service="...",scope="..."`, as the distribution specification has it. */
  async #login(challenge: string): Promise<void> {
    const parts = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2] ?? '']));
    const realm = parts.get('realm');
    if (realm === undefined) throw new SourceUnavailable(`${this.#base} asks for a login of an unknown kind`);
    const url = new URL(realm);
    for (const name of ['service', 'scope']) {
      const value = parts.get(name);
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const answer = tokenSchema.parse(await (await open(this.#web, url.href)).json());
    this.#authorization = { authorization: `Bearer ${answer.token ?? answer.access_token ?? ''}` };
  }
}

function parseReference(reference: string): { base: string; pinned: string } {
  const match = /^([^/]+)\/([^@:]+)(?::[^@]+)?@(sha256:[0-9a-f]{64})$/.exec(reference);
  const [, host, repository, pinned] = match ?? [];
  if (host === undefined || repository === undefined || pinned === undefined) {
    throw new SourceUnavailable(`${reference} is not pinned by a digest`);
  }
  return { base: `https://${host}/v2/${repository}`, pinned };
}

function check(url: string, actual: string, wanted: string): void {
  if (actual !== wanted) throw new SourceUnavailable(`${url} has ${actual}, wanted ${wanted}: refused`, { loud: true });
}

const hexOf = (value: string): string => value.replace('sha256:', '');
