import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostFacts } from '../../../activities/host/types.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { file } from '../../../activities/resources/file.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { selinuxBooleans } from '../../../activities/resources/selinux-booleans.ts';
import selinuxFoldersKind, { selinuxFolders } from '../../../activities/resources/selinux-folders.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const run = (resources: readonly Resource[], facts: Partial<HostFacts> = { selinux: 'enforcing' }) =>
  converge({
    remote: host,
    resources,
    facts: { ...FACTS, ...facts },
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });
const log = () => readFileSync(host.path('log'), 'utf8').trim().split('\n');

describe.skipIf(!RUNS_HERE)('on a host with SELinux', () => {
  it('what is placed gets the labels of the policy, in the batch that placed it', async () => {
    host.program('restorecon', 'echo "restorecon $*" >>"$LOG"');
    const resources = [directory(host.path('etc')), file(host.path('etc/x'), 'content')];
    await run(resources);
    expect(log()).toEqual([`restorecon -F -- ${host.path('etc')}`, `restorecon -F -- ${host.path('etc/x')}`]);
    expect((await run(resources)).changes).toEqual([]);
    expect(log()).toHaveLength(2);
  });

  it('and without it nothing is labelled', async () => {
    host.program('restorecon', 'echo "restorecon $*" >>"$LOG"');
    await run([file(host.path('y'), 'content')], {});
    expect(() => log()).toThrow();
  });

  it('booleans are set once, and a policy that lacks one is left alone', async () => {
    writeFileSync(host.path('haproxy_connect_any'), 'off');
    host.program('selinuxenabled', ':');
    host.program('getsebool', `[ -e ${host.path('')}/$1 ] && echo "$1 --> $(cat ${host.path('')}/$1)"`);
    host.program('setsebool', `echo "setsebool $*" >>"$LOG"; printf on >${host.path('haproxy_connect_any')}`);
    const resource = selinuxBooleans(['haproxy_connect_any', 'no_such']);
    expect((await run([resource])).changes).toMatchObject([{ detail: 'on: haproxy_connect_any' }]);
    expect(log()).toEqual(['setsebool -P haproxy_connect_any=on']);
    expect((await run([resource])).changes).toEqual([]);
  });
});

describe('folders in other places', () => {
  const kind = selinuxFoldersKind;
  const resource = selinuxFolders([{ path: '/data/containerd', like: '/var/lib/containerd' }]);
  const quote = (word: string) => `'${word}'`;

  it('are labelled as the usual ones, once', () => {
    const missing = kind.parse('/srv /var/www\non\n', resource);
    expect(kind.diff(resource, missing, null as never)).toMatchObject([
      { detail: '/data/containerd as /var/lib/containerd' },
    ]);
    expect(kind.fragment?.(resource, missing, { quote } as never).script).toBe(
      "semanage fcontext -a -e '/var/lib/containerd' '/data/containerd'\n[ ! -e '/data/containerd' ] || restorecon -R -- '/data/containerd'",
    );
    expect(kind.parse('/data/containerd /var/lib/containerd\non\n', resource)).toEqual([]);
    expect(kind.parse('off\n', resource)).toEqual([]);
    expect(() => kind.parse('something\n', resource)).toThrow('broke off');
  });

  it('lose their rule with the option, and in a teardown', () => {
    const [entry] = kind.ledgerEntries?.(resource, resource.folders) ?? [];
    expect(entry).toEqual({ id: '/data/containerd', prior: { like: '/var/lib/containerd' } });
    const recorded = { kind: 'selinux-folders', phase: 'prepare', ...entry! } as never;
    expect(kind.owns?.(resource, recorded)).toBe(true);
    const [step] = kind.undo?.([recorded], { quote } as never) ?? [];
    expect(step?.script).toContain("semanage fcontext -d -e '/var/lib/containerd' '/data/containerd'");
  });
});

describe.skipIf(!RUNS_HERE)('the probe of folders', () => {
  it('cannot be answered where SELinux is on and semanage is not there yet', async () => {
    mkdirSync(host.path('empty'));
    host.program('selinuxenabled', ':');
    host.program('semanage', 'echo "semanage $*" >>"$LOG"');
    host.program('restorecon', ':');
    const resource = selinuxFolders([{ path: host.path('empty'), like: '/var/lib/containerd' }]);
    expect((await run([resource])).changes).toHaveLength(1);
    expect(log()).toEqual([`semanage fcontext -a -e /var/lib/containerd ${host.path('empty')}`]);
  });
});
