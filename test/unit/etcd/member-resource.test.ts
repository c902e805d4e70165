import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RemoteHost } from '../../../activities/host/types.ts';
import kind, { etcdMember } from '../../../activities/phases/etcd/member-resource.ts';

let folder: string;
let log: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-etcd-member-'));
  log = [];
  const systemctl = join(folder, 'systemctl');
  writeFileSync(systemctl, `#!/bin/sh\necho "$*" >>"${folder}/systemctl.log"\n`);
  chmodSync(systemctl, 0o755);
  writeFileSync(join(folder, 'systemctl.log'), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The scripts run here, with a systemctl that only writes down what it is asked. */
const host = {
  name: 'cp-1',
  exec: () => Promise.reject(new Error('nothing is asked of etcdctl')),
  script: (text: string, args: readonly string[] = []) => {
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}` };
    const stdout = execFileSync('sh', ['-eu', '-s', '--', ...args], { input: text, env, encoding: 'utf8' });
    return Promise.resolve({ code: 0, stdout, stderr: '' });
  },
  upload: (path: string, content: string | Uint8Array) => {
    log.push(`upload ${path}`);
    writeFileSync(path, content);
    return Promise.resolve();
  },
} as unknown as RemoteHost;

const founder = (names: readonly string[]) => {
  const peer = (name: string) => ({ name, peerUrl: `https://${name}:2380`, clientUrl: `https://${name}:2379` });
  const tls = { ca: join(folder, 'ca'), cert: join(folder, 'cert'), key: join(folder, 'key') };
  return etcdMember(
    {
      ...{ self: peer('cp-1'), others: names.map(peer), tls },
      ...{ dataDir: join(folder, 'data'), bootstrapFile: join(folder, 'bootstrap.env') },
    },
    { token: 'kube', formed: null, bootstrap: undefined },
  );
};

const apply = (names: readonly string[]): Promise<unknown> => {
  const context = { host, signal: new AbortController().signal, onStep: () => undefined };
  return Promise.resolve(kind.apply!(founder(names), undefined as never, context as never));
};
const stops = (): string => readFileSync(join(folder, 'systemctl.log'), 'utf8');

it('a founder whose first attempt was interrupted after the list finds it and leaves an etcd that waits alone', async () => {
  await apply(['cp-2', 'cp-3']);
  expect(log).toEqual([`upload ${join(folder, 'bootstrap.env')}`]);
  writeFileSync(join(folder, 'systemctl.log'), '');
  await apply(['cp-2', 'cp-3']);
  expect(log).toHaveLength(1);
  expect(stops()).toBe('');
});

it('another list is written after an etcd of the earlier attempt has stopped', async () => {
  await apply(['cp-2', 'cp-3']);
  await apply(['cp-2', 'cp-4']);
  expect(log).toHaveLength(2);
  expect(stops()).toContain('stop etcd.service');
  expect(readFileSync(join(folder, 'bootstrap.env'), 'utf8')).toContain('cp-4=https://cp-4:2380');
});

it('an etcd that has written data keeps the list by which it began', async () => {
  await apply(['cp-2']);
  // It writes its first data while it is being stopped.
  const wal = join(folder, 'data/member/wal');
  writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\nmkdir -p "${wal}"\n: >"${wal}/0.wal"\n`);
  await apply(['cp-3']);
  expect(log).toHaveLength(1);
});
