import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** The commands of `kubewright` against a whole service: API, worker and Temporal. The hosts of its cluster do not answer. */

let service: ServiceProcess;
const own = mkdtempSync(join(tmpdir(), 'kubewright-cli-'));
beforeAll(async () => {
  service = await startServiceProcess({ ...EMBEDDED, KUBEWRIGHT_LOGIN_PATHS: own });
  writeFileSync(join(own, 'token'), service.adminToken, { mode: 0o600 });
  expect(
    await cli('config', 'set-context', 'test', '--server', service.url, '--token-file', join(own, 'token')),
  ).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await service.close();
  rmSync(own, { recursive: true });
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}
const cli = (...args: string[]): Promise<Ended> => piped('', ...args);
async function piped(input: string, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), ...args], {
    env: { PATH: process.env['PATH'], HOME: own, KUBEWRIGHT_CONFIG: join(own, 'config.yaml') },
    cwd: own,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}
const json = async (...args: string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await cli(...args, '-o', 'json')).out) as Record<string, unknown>;

/** Loopback addresses on which nothing listens at this port. */
const SPEC = `apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: { name: shop }
spec:
  ssh: { user: root, port: 9, credential: { name: ops } }
  hosts:
    - { name: cp-1, address: 127.0.0.1, roles: [control-plane, etcd, registry] }
    - { name: w-1, address: 127.0.0.2, roles: [worker] }
`;

it('a person works with the service from the first login to the end of a build', async () => {
  expect(await piped('secret\n', 'credential', 'set', 'ops', '--password-file', '-')).toMatchObject({
    code: 0,
    out: 'credential/ops stored\n',
  });
  expect((await cli('get', 'credentials')).out).toMatch(/^NAME +KIND +AGE\nops +password/);

  // Of a spec with an error: the place, and nothing is built.
  const wrong = await piped(SPEC.replace('roles: [worker]', 'rolls: [worker]'), 'apply', '-f', '-');
  expect(wrong).toMatchObject({ code: 3, out: '' });
  expect(wrong.err).toMatch(/spec\.hosts.*rolls/s);
  expect(await cli('get', 'clusters', '-o', 'name')).toMatchObject({ code: 0, out: '' });

  const dry = await piped(SPEC, 'plan', '-f', '-');
  expect(dry.code).toBe(3);
  expect(dry.out).toContain('phase preflight: ');
  expect(dry.out).toMatch(/error on cp-1: .*\(SSH_\w+\)\n {2}what to do: /);

  // The class of what went wrong is the exit code.
  const built = await piped(SPEC, 'apply', '-f', '-', '--wait', '--timeout', '5m');
  expect(built.err).toContain('what to do: ');
  expect(built.out).toMatch(/^operation\/\w+ of cluster\/shop accepted\n/);
  expect(built.out).toMatch(/^cp-1 +preflight +blocked/m);
  expect(built.err).toContain('what to do: ');
  expect(built.code).toBe(21);

  const cluster = await json('get', 'cluster', 'shop');
  expect(cluster).toMatchObject({ name: 'shop', state: 'blocked' });
  expect((await cli('get', 'clusters')).out).toMatch(/^NAME +STATE +HEALTH +VERSION +HOSTS +AGE\nshop +blocked/);
  expect((await cli('get', 'clusters', '--no-headers', '-o', 'name')).out).toBe('cluster/shop\n');
  expect((await cli('get', 'cl/shop', '-o', 'yaml')).out).toMatch(/^name: shop$/m);
  expect((await cli('get', 'cluster', 'absent')).code).toBe(5);
  const described = (await cli('describe', 'cluster/shop')).out;
  for (const part of ['State:', 'Blocked: preflight on cp-1', 'what to do: ', 'kubewright retry shop cp-1'])
    expect(described).toContain(part);
  const operation = String(cluster['operation']);
  expect((await cli('get', 'op', operation, '-c', 'shop', '-o', 'name')).out).toBe(`operation/${operation}\n`);
  expect((await cli('operations', 'show', 'shop', operation, '--state', 'blocked')).out).toContain(
    'preflight on w-1: blocked',
  );
  expect((await json('history', 'shop', '--host', 'cp-1', '--order', 'oldest'))['items']).toEqual(expect.any(Array));
  expect((await cli('logs', 'shop', '--host', 'cp-1')).code).toBe(0);

  // What a person says of it.
  expect((await cli('retry', 'shop', 'w-1', '--reason', 'cable')).out).toBe(
    `operation/${operation} of cluster/shop: accepted\n`,
  );
  expect((await cli('watch', 'shop', '--timeout', '5m')).code).toBe(21);
  expect((await cli('skip', 'shop', 'w-9')).code).toBeGreaterThan(2);
  expect((await cli('skip', 'shop', 'w-1')).code).toBe(0);
  expect((await cli('pause', 'shop', '--mode', 'interrupt')).code).toBe(0);
  await expect.poll(async () => (await json('get', 'cluster', 'shop'))['state'], { timeout: 60_000 }).toBe('paused');
  expect(await cli('watch', 'shop')).toMatchObject({ code: 0, err: expect.stringContaining('is paused') });
  expect((await cli('resume', 'shop')).code).toBe(0);
  expect((await cli('replace', 'shop', 'cp-1', '--address', '127.0.0.3')).code).toBe(0);
  expect((await cli('watch', 'shop', '--timeout', '5m')).code).toBe(21);
  expect((await cli('abort', 'shop', 'cp-1')).code).toBe(0);
  expect((await cli('watch', 'shop', '--timeout', '2m')).code).toBe(21);
  expect((await cli('cancel', 'shop')).code).toBe(3);
  expect((await cli('heal', 'shop', 'cp-1')).code).toBe(3);
  expect((await cli('kubeconfig', 'shop')).out).toContain('kind: Config');
  const to = join(own, 'kubeconfig');
  expect(await cli('kubeconfig', 'shop', '--admin', '--to', to)).toMatchObject({ code: 0, out: '' });
  expect(statSync(to).mode & 0o777).toBe(0o600);
  expect((await cli('delete', 'host', 'cp-1', '-c', 'shop', '--confirm', 'cp-1')).code).toBe(3);
}, 400_000);

it('tokens are made, limited and revoked', async () => {
  const made = await cli('token', 'create', 'ci', '--role', 'viewer', '--cluster', 'shop');
  expect(made.out).toMatch(/^kw_\S+\n$/);
  const [, id] = /^token\/(\w+) of role viewer/.exec(made.err)!;
  writeFileSync(join(own, 'ci'), made.out);
  const asCi = (...args: string[]) => cli(...args, '--server', service.url, '--token-file', join(own, 'ci'));
  expect((await asCi('get', 'clusters')).code).toBe(0);
  expect((await asCi('get', 'tokens')).code).toBe(4);
  expect((await asCi('pause', 'shop')).code).toBe(4);
  expect(await cli('token', 'revoke', id!)).toMatchObject({ code: 0, out: `token/${id!} revoked\n` });
  expect((await asCi('get', 'clusters')).code).toBe(4);
  expect((await cli('get', 'tokens')).out).toContain(id);
  expect((await cli('get', 'phases', '-o', 'name')).out).toContain('phase/preflight\n');
  expect(readFileSync(join(own, 'config.yaml'), 'utf8')).not.toContain('kw_');
  expect(statSync(join(own, 'config.yaml')).mode & 0o777).toBe(0o600);
});
