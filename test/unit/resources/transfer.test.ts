import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ResolvedFile } from '../../../activities/artifacts/source.ts';
import { archive } from '../../../activities/resources/archive.ts';
import { artifact } from '../../../activities/resources/artifact.ts';
import { sha256 } from '../../../activities/resources/digest.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { file } from '../../../activities/resources/file.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
let server: Server;
let requests: string[];
const files = new Map<string, Buffer>();

beforeEach(async () => {
  host = new LocalHost();
  requests = [];
  files.clear();
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const body = files.get(request.url ?? '');
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  host.dispose();
});

const run = (resources: readonly Resource[]) =>
  converge({
    remote: host,
    resources,
    facts: FACTS,
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });

function serve(path: string, body: Buffer, more: Partial<ResolvedFile> = {}): ResolvedFile {
  files.set(path, body);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  return { name: 'tool', version: '1.0.0', url, sha256: sha256(body), size: body.length, kind: 'binary', ...more };
}

function tarGz(members: Record<string, string>): Buffer {
  const folder = host.path('tar');
  for (const [name, content] of Object.entries(members)) {
    mkdirSync(`${folder}/${name.split('/').slice(0, -1).join('/')}`, { recursive: true });
    writeFileSync(`${folder}/${name}`, content);
    chmodSync(`${folder}/${name}`, 0o755);
  }
  return execFileSync('tar', ['-cz', '-C', folder, ...readdirSync(folder)]);
}

describe.skipIf(!RUNS_HERE)('artifact', () => {
  it('is pulled once, checked, and hashed again only when size, mtime or inode differ', async () => {
    const path = host.path('usr/tool');
    const resources = [artifact(serve('/tool', Buffer.from('binary 1')), { path })];
    expect((await run(resources)).changes).toMatchObject([{ action: 'create', detail: 'tool 1.0.0' }]);
    expect(readFileSync(path, 'utf8')).toBe('binary 1');
    expect(statSync(path).mode & 0o777).toBe(0o755);
    expect(readdirSync(host.path('usr'))).toEqual(['tool']);

    // A sum that can only come from the stamp.
    const stamp = host.path(`state/kubewright/artifacts/${readdirSync(host.path('state/kubewright/artifacts'))[0]}`);
    const real = readFileSync(stamp, 'utf8');
    writeFileSync(stamp, real.replace(/^[0-9a-f]{64}/, 'f'.repeat(64)));
    expect((await run(resources)).changes[0]?.detail).toContain('content ffffffffffff');
    expect((await run(resources)).changes).toEqual([]);
    expect(requests).toHaveLength(2);

    utimesSync(path, 1, 1);
    expect((await run(resources)).changes).toEqual([]);
    writeFileSync(path, 'binary 2');
    expect((await run(resources)).changes).toHaveLength(1);
    expect(readFileSync(path, 'utf8')).toBe('binary 1');
    expect(requests).toHaveLength(3);

    chmodSync(path, 0o777);
    expect((await run(resources)).changes).toMatchObject([{ action: 'update' }]);
    expect((await run(resources)).changes).toEqual([]);
    expect(requests).toHaveLength(3);
  });

  it('refuses other content, keeps the old file, and reports both checksums', async () => {
    const path = host.path('tool');
    const good = serve('/tool', Buffer.from('good'));
    await run([artifact(good, { path })]);
    const bad = { ...serve('/bad', Buffer.from('evil')), sha256: sha256('newer'), size: 5 };
    await expect(run([artifact(bad, { path })])).rejects.toMatchObject({
      code: 'ARTIFACT_CHECKSUM_MISMATCH',
      evidence: expect.stringMatching(new RegExp(`${sha256('newer')}, 5 bytes\n.*${sha256('evil')}, 4 bytes`)),
    });
    expect(readFileSync(path, 'utf8')).toBe('good');
    expect(readdirSync(host.root).filter((name) => name.includes('kubewright-new'))).toEqual([]);
  });

  it('reports the message of curl when a mirror cannot be reached', async () => {
    const lost = { ...serve('/x', Buffer.from('x')), url: `${serve('/x', Buffer.from('x')).url}-not-there` };
    await expect(run([artifact(lost, { path: host.path('x') })])).rejects.toMatchObject({
      code: 'ARTIFACT_UNREACHABLE',
      message: expect.stringContaining('tool 1.0.0 cannot be downloaded'),
      evidence: expect.stringContaining('404'),
    });
  });

  it('asks for room before it downloads', async () => {
    const huge = { ...serve('/huge', Buffer.from('x')), size: 2 ** 50 };
    await expect(run([artifact(huge, { path: host.path('x') })])).rejects.toMatchObject({
      code: 'DISK_FULL',
      evidence: expect.stringContaining('Avail'),
    });
    expect(requests).toEqual([]);
  });

  it('pulls adjacent files in one round trip, keeps completed ones, and throws the first failure', async () => {
    const good = artifact(serve('/good', Buffer.from('good')), { path: host.path('good') });
    const bad = artifact({ ...serve('/bad', Buffer.from('bad')), sha256: sha256('?') }, { path: host.path('bad') });
    await expect(run([bad, good])).rejects.toMatchObject({ code: 'ARTIFACT_CHECKSUM_MISMATCH' });
    expect(readFileSync(host.path('good'), 'utf8')).toBe('good');
    expect(existsSync(host.path('bad'))).toBe(false);
    host.ran.length = 0;
    await expect(run([good, bad])).rejects.toMatchObject({ code: 'ARTIFACT_CHECKSUM_MISMATCH' });
    // probe, stamps, transfers
    expect(host.ran).toHaveLength(3);
    expect(requests.filter((url) => url === '/good')).toHaveLength(1);
  });
});

describe.skipIf(!RUNS_HERE)('archive', () => {
  it('extracts the chosen members, and again when one of them was changed', async () => {
    const resolved = serve('/a.tgz', tarGz({ 'v1/etcd': 'etcd', 'v1/etcdctl': 'ctl', 'v1/README': 'no' }));
    const into = host.path('bin2');
    const members = { 'v1/etcd': 'etcd', 'v1/etcdctl': 'etcdctl' };
    const resources = [archive(resolved, { into, members }), file(host.path('after'), '')];
    expect((await run(resources)).changes).toHaveLength(2);
    expect(readdirSync(into).sort()).toEqual(['etcd', 'etcdctl']);
    expect(statSync(`${into}/etcd`).mode & 0o777).toBe(0o755);
    expect((await run(resources)).changes).toEqual([]);
    writeFileSync(`${into}/etcd`, 'tampered');
    expect((await run(resources)).changes[0]?.detail).toContain('a file was changed');
    expect(readFileSync(`${into}/etcd`, 'utf8')).toBe('etcd');
    expect((await run([archive(resolved, { into, members: { 'v1/etcd': 'etcd' } })])).changes).toHaveLength(1);
  });

  it('extracts everything below a prefix, with or without a leading ./', async () => {
    const body = tarGz({ 'top/bin/ctr': 'c', 'top/lib/x y': 'd' });
    const into = host.path('opt');
    const resources = [archive(serve('/a.tgz', body), { into, stripComponents: 1 })];
    await run(resources);
    expect(readFileSync(`${into}/lib/x y`, 'utf8')).toBe('d');
    expect((await run(resources)).changes).toEqual([]);
    const dotted = execFileSync('tar', ['-cz', '-C', host.path('tar'), './top']);
    const chosen = archive(serve('/b.tgz', dotted), { into: host.path('o2'), members: { 'top/bin/ctr': 'ctr' } });
    await run([chosen]);
    expect(readFileSync(host.path('o2/ctr'), 'utf8')).toBe('c');
  });

  it('names a member that is not there', async () => {
    const resolved = serve('/a.tgz', tarGz({ 'v1/etcd': 'etcd' }));
    const error = await run([archive(resolved, { into: host.path('b'), members: { 'v1/nope': 'x' } })]).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'COMMAND_FAILED', evidence: expect.stringContaining('v1/nope') });
  });
});
