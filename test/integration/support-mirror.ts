import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Artifact } from '../../activities/artifacts/artifact.ts';
import { CNI_PLUGIN_NAMES, CNI_PLUGINS } from '../../activities/kube/artifacts.ts';
import { CATALOGUE } from '../../activities/phases/catalogue.ts';
import { CONTAINERD } from '../../activities/phases/runtime/artifacts.ts';

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** An artifact's path in a mirror, for hosts of this machine. */
export const pathOf = ({ file, version }: Artifact): string => file(version, ARCH).mirrorPath;

export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** An artifact mirror in memory, with what the manifest says and what is served set apart. */
export class SmallMirror {
  readonly files = new Map<string, Buffer>();
  /** Manifest entries; undefined = what the file really is. */
  readonly says = new Map<string, { sha256: string; size: number }>();
  /** Paths that the manifest names and the server does not have. */
  readonly lost = new Set<string>();
  url = '';
  #server: Server | undefined;

  /** `port` 0 takes a free one. */
  async start(address: string, port = 0): Promise<void> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '').slice(1);
      const body = path === 'manifest.json' ? Buffer.from(JSON.stringify(this.#manifest())) : this.#file(path);
      response.writeHead(body ? 200 : 404, { 'content-length': body?.length ?? 0 }).end(body);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    this.#server = server;
    this.url = `http://${address}:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }

  #file(path: string): Buffer | undefined {
    return this.lost.has(path) ? undefined : this.files.get(path);
  }

  #manifest(): unknown {
    const files = Object.fromEntries(
      [...this.files].map(([path, body]) => [
        path,
        { sha256: sha256(body), size: body.length, ...this.says.get(path), origin: 'lab', source: 'test' },
      ]),
    );
    return { formatVersion: 1, files };
  }
}

/** Serves every artifact of the catalogue: scripts in place of binaries, and a containerd that systemd finds ready. */
export function fillMirror(mirror: SmallMirror, folder: string): void {
  for (const artifact of CATALOGUE.artifacts)
    mirror.files.set(pathOf(artifact), Buffer.from(`#!/bin/sh\necho ${artifact.name}\n`));
  const archive = (artifact: Artifact, root: string, members: Record<string, string>): void => {
    const base = join(folder, `archive-${artifact.name}`);
    for (const [path, content] of Object.entries(members)) {
      mkdirSync(dirname(join(base, path)), { recursive: true });
      writeFileSync(join(base, path), content, { mode: 0o755 });
    }
    mirror.files.set(pathOf(artifact), execFileSync('tar', ['-cz', '-C', base, root]));
  };
  archive(CONTAINERD, 'bin', {
    'bin/containerd': '#!/bin/sh\nsystemd-notify --ready\nexec sleep infinity\n',
    'bin/containerd-shim-runc-v2': '#!/bin/sh\n',
    'bin/ctr': "#!/bin/sh\necho 'io.containerd.grpc.v1    cri    linux/amd64    ok'\n",
  });
  archive(CNI_PLUGINS, '.', Object.fromEntries(CNI_PLUGIN_NAMES.map((name) => [name, '#!/bin/sh\n'])));
}
