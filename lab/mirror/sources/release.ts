import { join } from 'node:path';
import type { ArtifactFile } from '../../../activities/artifacts/artifact.ts';
import { type Source, SourceUnavailable, type SuppliedFile } from '../types.ts';
import { download, open, type Web } from './web.ts';

/** The official release files. Each must match its published sum; a project that publishes none is left to the next source. */
export function releaseSource(files: readonly ArtifactFile[], web: Web): Source {
  return {
    name: 'release',
    async supply({ workDir, report }) {
      const unsigned = files.find((file) => file.digest.kind === 'unpublished');
      if (unsigned) throw new SourceUnavailable(`${unsigned.artifact} ${unsigned.version} has no published checksum`);
      const supplied: SuppliedFile[] = [];
      for (const [index, file] of files.entries()) {
        web.gate.check(file.url);
        report('download', { source: file.url });
        const expected = await publishedSum(web, file);
        const path = join(workDir, `${index}`);
        const actual = await download(web, file.url, path);
        if (actual !== expected) {
          throw new SourceUnavailable(`${file.url} has sha256 ${actual}, but ${expected} was published: refused`, {
            loud: true,
          });
        }
        supplied.push({ mirrorPath: file.mirrorPath, path, origin: 'release', source: file.url });
      }
      return supplied;
    },
  };
}

async function publishedSum(web: Web, file: ArtifactFile): Promise<string> {
  if (file.digest.kind === 'known') return file.digest.sha256;
  if (file.digest.kind === 'unpublished') throw new SourceUnavailable(`${file.url} has no published checksum`);
  const { url } = file.digest;
  const response = await open(web, url);
  const sum = /\b[0-9a-f]{64}\b/.exec((await response.text()).slice(0, 4096))?.[0];
  if (sum === undefined) throw new SourceUnavailable(`${url} holds no sha256`, { loud: true });
  return sum;
}
