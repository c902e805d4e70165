import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { absent } from '../../../activities/resources/absent.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { noLongerDesired } from '../../../activities/resources/engine/no-longer-desired.ts';
import { previewTogether, undo } from '../../../activities/resources/engine/undo.ts';
import { file } from '../../../activities/resources/file.ts';
import { hostnameIs } from '../../../activities/resources/hostname.ts';
import { kernelModules } from '../../../activities/resources/kernel-modules.ts';
import { entryKey, type LedgerEntry, readLedger } from '../../../activities/resources/ledger.ts';
import { packages } from '../../../activities/resources/packages.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { swapUnitsMasked } from '../../../activities/resources/swap-units.ts';
import { sysctls } from '../../../activities/resources/sysctls.ts';
import { user } from '../../../activities/resources/user.ts';
import type { Change } from '../../../contracts/operation.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

const entry = (key: string, prior: LedgerEntry['prior'] = {}, phase = 'test'): LedgerEntry => {
  const colon = key.indexOf(':');
  return { kind: key.slice(0, colon), id: key.slice(colon + 1), phase, prior };
};
const leaving = (keys: readonly (string | LedgerEntry)[], desired: readonly Resource[]) =>
  noLongerDesired(
    keys.map((each) => (typeof each === 'string' ? entry(each) : each)),
    desired,
  ).map(entryKey);

describe('what no desired resource owns', () => {
  it('is found for every kind, each by its own keys', () => {
    const unit = service('toy', { unit: '[Service]\nExecStart=/bin/true\n', fills: ['/var/lib/toy'] });
    const desired = [
      packages(['curl', 'iptables'], []),
      sysctls({ 'net.ipv4.ip_forward': 1 }, { file: '/etc/sysctl.d/a.conf' }),
      kernelModules(['overlay'], { file: '/etc/modules-load.d/a.conf' }),
      unit,
      user('toy', { home: '/var/lib/toy' }),
      hostnameIs('a'),
      swapUnitsMasked(),
      file('/etc/toy/a', 'x'),
      absent('/etc/toy/old'),
    ];
    const wanted = [
      'packages:curl',
      'packages:iptables-nft',
      'sysctls:net.ipv4.ip_forward',
      'file:/etc/sysctl.d/a.conf',
      'kernel-modules:overlay',
      'file:/etc/modules-load.d/a.conf',
      'service:toy.service',
      'service:toy.service#/etc/systemd/system/toy.service',
      'unit-state:toy.service',
      'leftover:/var/lib/toy',
      'leftover:/var/lib/toy/mounted',
      'user:toy',
      'hostname:hostname',
      'file:/etc/hostname',
      'swap-units:swap.img.swap',
      'file:/etc/toy/a',
      'file:/etc/toy/old',
    ];
    expect(leaving(wanted, desired)).toEqual([]);
    const gone = [
      'packages:tree',
      'sysctls:vm.swappiness',
      'kernel-modules:dummy',
      'service:other.service',
      'leftover:/var/lib/toys',
      'user:other',
      'file:/etc/toy/b',
    ];
    expect(leaving([...wanted, ...gone], desired)).toEqual(gone);
    expect(leaving(wanted, [])).toEqual(wanted);
  });

  it('is no folder above something that is desired, or that is kept', () => {
    const folders = ['directory:/etc/a', 'directory:/etc/a/b', 'directory:/etc/c'];
    expect(leaving(folders, [file('/etc/a/b/x', '')])).toEqual(['directory:/etc/c']);
    // A witness is kept until a teardown; it is no path.
    expect(leaving(['directory:/etc/c', 'witness:x'], [])).toEqual(['directory:/etc/c']);
  });

  it('is neither what belongs to others and was only removed, nor an entry that this version cannot read', () => {
    const cni = '/etc/cni/net.d/10-calico.conflist';
    const dropIn = '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf';
    expect(
      leaving([entry(`file:${cni}`, {}, 'prepare'), entry(`file:${dropIn}`, { foreign: true }), 'later:x'], []),
    ).toEqual([]);
  });
});

describe.skipIf(!RUNS_HERE)('taking it back on a host', () => {
  let host: LocalHost;
  beforeEach(() => {
    host = new LocalHost();
  });
  afterEach(() => host.dispose());
  const apply = (resources: readonly Resource[]) =>
    converge({
      remote: host,
      resources,
      facts: FACTS,
      mode: 'apply',
      phase: 't',
      signal: new AbortController().signal,
    });
  const left = async (desired: readonly Resource[]) => noLongerDesired((await readLedger(host)).entries, desired);

  it('a dry run lists exactly the later changes, and earlier files are restored', async () => {
    const at = (path: string) => host.path(path);
    mkdirSync(at('etc'), { recursive: true });
    writeFileSync(at('etc/theirs'), 'before us');
    const stays = [directory(at('etc/toy')), file(at('etc/toy/a'), 'a')];
    await apply([...stays, file(at('etc/toy/sub/b'), 'b'), file(at('etc/theirs'), 'ours')]);

    const entries = await left(stays);
    const preview = await previewTogether(host, entries, { facts: FACTS });
    expect(existsSync(at('etc/toy/sub/b'))).toBe(true);
    const done: Change[] = [];
    for (const stage of ['first', 'middle', 'last'] as const) {
      done.push(...(await undo(host, entries, { stage, facts: FACTS })));
    }
    const short = (changes: typeof done) => changes.map(({ resource, action }) => `${action} ${resource}`).sort();
    expect(short(done)).toEqual(
      [
        `remove directory:${at('etc/toy/sub')}`,
        `remove file:${at('etc/toy/sub/b')}`,
        `update file:${at('etc/theirs')}`,
      ].sort(),
    );
    // A folder is empty only once its files are gone: a dry run does not know that of it.
    expect(short(preview)).toEqual(expect.arrayContaining(short(done).filter((each) => !each.includes('directory'))));
    expect(readFileSync(at('etc/theirs'), 'utf8')).toBe('before us');
    expect(readFileSync(at('etc/toy/a'), 'utf8')).toBe('a');
    expect(await left(stays)).toEqual([]);
    // Placed once more, what was before us is what is there now.
    await apply([...stays, file(at('etc/theirs'), 'ours')]);
    expect((await left(stays)).map(entryKey)).toEqual([`file:${at('etc/theirs')}`]);
  });

  it('a folder with something of others in it stays in the ledger, and goes when it is empty', async () => {
    await apply([directory(host.path('toy'))]);
    writeFileSync(host.path('toy/theirs'), '');
    const entries = await left([]);
    expect(await undo(host, entries, { stage: 'middle', facts: FACTS })).toMatchObject([{ action: 'keep' }]);
    expect((await left([])).map(entryKey)).toEqual([`directory:${host.path('toy')}`]);
  });
});
