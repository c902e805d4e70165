import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { previewUndo, undo } from '../../../activities/resources/engine/undo.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { service } from '../../../activities/resources/service.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  host.program(
    'systemctl',
    `case "$*" in show*) printf 'ActiveState=inactive\\nUnitFileState=\\n' ;; is-active*) echo inactive; exit 3 ;; esac`,
  );
});
afterEach(() => host.dispose());
// Accounts are this machine's own.
beforeEach(() => ['userdel', 'usermod', 'groupdel'].forEach((name) => host.program(name, 'exit 1')));

/** A daemon's folder is noted, as before its first start. */
const build = (...fills: string[]) =>
  converge({
    remote: host,
    resources: [service('ours', { unit: '[Service]\n', fills: fills.map((name) => host.path(name)) })],
    facts: FACTS,
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });
const words = (changes: readonly { resource: string; action: string; detail: string }[]) =>
  changes
    .filter(({ resource }) => resource.startsWith('leftover:'))
    .map(({ resource, action, detail }) => `${action} ${resource} ${detail}`.replaceAll(host.root, ''));
const dryRun = async () => {
  const { entries } = await readLedger(host);
  const reports = await previewUndo(host, entries, { facts: FACTS });
  return words([...entries].reverse().flatMap(({ kind, id }) => reports.get(`${kind}:${id}`) ?? []));
};
/** The dry run says the same, and changes nothing. */
const takeBack = async (): Promise<string[]> => {
  const preview = await dryRun();
  expect(await dryRun()).toEqual(preview);
  // Not what a test only pretends to have made.
  const entries = (await readLedger(host)).entries.filter(({ kind }) => kind === 'leftover' || kind === 'service');
  await undo(host, entries, { stage: 'first', facts: FACTS });
  const changes = await undo(host, entries, { stage: 'middle', facts: FACTS });
  expect(words(changes)).toEqual(preview);
  return preview;
};
const put = (path: string, content = 'tls.key') => {
  mkdirSync(host.path(path.slice(0, path.lastIndexOf('/'))), { recursive: true });
  writeFileSync(host.path(path), content);
};

describe.skipIf(!RUNS_HERE)('what daemons filled', () => {
  it('behind a link is removed; the link and what was there before stay', async () => {
    mkdirSync(host.path('disk/kubelet/lost+found'), { recursive: true });
    put('disk/kubelet/theirs', 'theirs');
    symlinkSync(host.path('disk/kubelet'), host.path('kubelet'));
    await build('kubelet');
    put('kubelet/pods/a/volumes/tls.key');
    put('kubelet/line\nbreak/x');
    expect(await takeBack()).toEqual([
      'remove leftover:/kubelet what was in /disk/kubelet, where the link leads; the link stays',
    ]);
    expect(lstatSync(host.path('kubelet')).isSymbolicLink()).toBe(true);
    expect(readdirSync(host.path('disk/kubelet')).sort()).toEqual(['lost+found', 'theirs']);
    expect(await takeBack()).toEqual([]);
  });

  it('behind a chain of links, a relative one and one above it', async () => {
    mkdirSync(host.path('disk/lib/etcd'), { recursive: true });
    symlinkSync('disk/lib/etcd', host.path('one'));
    symlinkSync('one', host.path('two'));
    symlinkSync('disk/lib', host.path('lib'));
    await build('two', 'lib/registry');
    put('two/member/wal');
    put('lib/registry/docker/x');
    expect(await takeBack()).toEqual([
      'remove leftover:/lib/registry /lib/registry',
      'remove leftover:/two what was in /disk/lib/etcd, where the link leads; the link stays',
    ]);
    expect(readdirSync(host.path('disk/lib'))).toEqual(['etcd']);
    expect(readdirSync(host.path('disk/lib/etcd'))).toEqual([]);
    expect(existsSync(host.path('two'))).toBe(true);
  });

  it('in a ledger of the version before, which only knew that the folder was there', async () => {
    mkdirSync(host.path('disk'));
    symlinkSync(host.path('disk'), host.path('kubelet'));
    await build('kubelet');
    const ledger = host.path('state/kubewright/ledger/placed');
    writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/,"at":"[^"]*"/, ''));
    put('kubelet/pods/x');
    await takeBack();
    expect(readdirSync(host.path('disk'))).toEqual([]);
  });

  it('in a folder that was moved to another disk after the build, and in the place where it was', async () => {
    await build('moved');
    put('moved/x');
    mkdirSync(host.path('disk'));
    renameSync(host.path('moved'), host.path('disk/moved'));
    symlinkSync('disk/moved', host.path('moved'));
    expect(await takeBack()).toEqual([
      'remove leftover:/moved what was in /disk/moved, where the link leads; the link stays',
    ]);
    expect(readdirSync(host.path('disk/moved'))).toEqual([]);

    mkdirSync(host.path('was'));
    symlinkSync('was', host.path('link'));
    mkdirSync(host.path('is'));
    await build('link');
    put('link/x');
    rmSync(host.path('link'));
    symlinkSync('is', host.path('link'));
    put('link/y');
    await takeBack();
    expect([readdirSync(host.path('was')), readdirSync(host.path('is'))]).toEqual([[], []]);
  });

  it('is kept behind a link to a folder of the system or of a user, or to nothing, and reported as kept', async () => {
    mkdirSync(host.path('home'));
    chownSync(host.path('home'), 54_321, 54_321);
    symlinkSync('home', host.path('a'));
    symlinkSync('/usr/share', host.path('b'));
    symlinkSync('/', host.path('c'));
    symlinkSync('/etc/ssl', host.path('d'));
    mkdirSync(host.path('disk'));
    symlinkSync('disk', host.path('e'));
    await build('a', 'b', 'c', 'd', 'e');
    put('home/x');
    rmSync(host.path('disk'), { recursive: true });
    const reports = await takeBack();
    expect(reports.map((line) => line.slice(0, 160))).toEqual([
      'keep leftover:/e the link leads to /disk, which is not there: on a disk that is not mounted, what was written stays',
      'keep leftover:/d the link leads to /etc/ssl, in a folder of the system: look there yourself',
      'keep leftover:/c the link leads to /, a folder of the system: look there yourself',
      'keep leftover:/b the link leads to /usr/share, in a folder of the system: look there yourself',
      'keep leftover:/a the link leads to /home, which belongs to UNKNOWN: look there yourself',
    ]);
    expect(existsSync(host.path('home/x'))).toBe(true);
    expect(existsSync('/etc/ssl/certs')).toBe(true);
  });

  it('of an account that we made is ours', async () => {
    mkdirSync(host.path('disk'));
    chownSync(host.path('disk'), 65_534, 0);
    symlinkSync('disk', host.path('etcd'));
    await build('etcd');
    const ledger = host.path('state/kubewright/ledger/placed');
    writeFileSync(ledger, `${readFileSync(ledger, 'utf8')}user:nobody\tetcd\t{"made":true}\n`);
    put('etcd/member/x');
    await takeBack();
    expect(readdirSync(host.path('disk'))).toEqual([]);
  });

  describe('with mounts', () => {
    const mount = (...args: string[]) => execFileSync('mount', args);
    const mounts = () =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(host.root));
    afterEach(() => {
      for (const line of mounts().reverse()) execFileSync('umount', ['-l', line.split(' ')[4]!]);
    });

    it('tmpfs of pods below a link are unmounted, and a file mounted over a file', async () => {
      mkdirSync(host.path('disk/kubelet'), { recursive: true });
      symlinkSync(host.path('disk/kubelet'), host.path('kubelet'));
      await build('kubelet');
      const volume = host.path('kubelet/pods/a/volumes/kubernetes.io~secret/tls');
      mkdirSync(volume, { recursive: true });
      mount('-t', 'tmpfs', 'tmpfs', volume);
      put('kubelet/pods/a/volumes/kubernetes.io~secret/tls/tls.key');
      put('kubelet/pods/a/volume-subpaths/x/0', '');
      mount('--bind', `${volume}/tls.key`, host.path('kubelet/pods/a/volume-subpaths/x/0'));
      expect(await takeBack()).toEqual([
        'remove leftover:/kubelet what was in /disk/kubelet, where the link leads; the link stays, 2 mounts',
      ]);
      expect(mounts()).toEqual([]);
      expect(readdirSync(host.path('disk/kubelet'))).toEqual([]);
    });

    it('a disk of its own for a part of it stays mounted, empty but for what was on it', async () => {
      mkdirSync(host.path('etcd/member/wal'), { recursive: true });
      mount('-t', 'tmpfs', 'tmpfs', host.path('etcd/member/wal'));
      mkdirSync(host.path('etcd/member/wal/lost+found'));
      await build('etcd');
      put('etcd/member/wal/0.wal');
      put('etcd/member/snap/db');
      expect(await takeBack()).toEqual([
        'remove leftover:/etcd/member/wal what was in it',
        'remove leftover:/etcd what was in it',
      ]);
      expect(readdirSync(host.path('etcd/member'))).toEqual(['wal']);
      expect(readdirSync(host.path('etcd/member/wal'))).toEqual(['lost+found']);
      expect(mounts()).toHaveLength(1);
    });

    it('keys in volumes are unmounted even behind a link that is not followed', async () => {
      mkdirSync(host.path('home'));
      chownSync(host.path('home'), 54_321, 54_321);
      symlinkSync('home', host.path('kubelet'));
      await build('kubelet');
      mkdirSync(host.path('home/pods/a/volumes/tls'), { recursive: true });
      mkdirSync(host.path('home/theirs'), { recursive: true });
      mount('-t', 'tmpfs', 'tmpfs', host.path('home/pods/a/volumes/tls'));
      mount('-t', 'tmpfs', 'tmpfs', host.path('home/theirs'));
      expect(await takeBack()).toEqual([expect.stringMatching(/^keep .*; 1 volumes of pods unmounted$/)]);
      expect(mounts().map((line) => line.split(' ')[4]!.replace(host.root, ''))).toEqual(['/home/theirs']);
    });
  });
});
