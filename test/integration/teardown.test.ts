import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Change } from '../../contracts/operation.ts';
import { rebootHost } from '../../lab/faults.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import { differences, HOST_SNAPSHOT } from '../support/host-snapshot.ts';
import { makeBare, onHost, packageNames, type SpecDraft, Workbench } from './support.ts';
import { fillMirror, SmallMirror } from './support-mirror.ts';

/** What phases place on a bare host, taken back: as a user with sudo, repeated, cut off, after a reboot, without a ledger. */

const HOST = 'cp-1';
/** A build and a teardown or two: seconds, and minutes where many work. */
const SLOW = { timeout: 600_000 };
/** A lab of its own: the shared hosts have seen other tests, and what was there before a build is what this is about. */
const lab = await labUp({ name: inject('lab').name.replace('kwt', 'kwh'), hosts: 2, mirror: false });
const bench = new Workbench(lab);
const mirror = new SmallMirror();
let packages: string[] = [];
let before = '';

const change = (spec: SpecDraft) => {
  spec.ssh['user'] = 'admin';
  spec.artifacts = { mirror: mirror.url };
  // Its account is one that a purge leaves.
  spec.phases['prepare'] = { packages: ['uuid-runtime'] };
};
const build = async (): Promise<void> => {
  for (const phase of ['preflight', 'prepare', 'chrony']) await bench.run({ phase, host: HOST, change });
};
const tearDown = (more: { mode?: 'check'; signal?: AbortSignal } = {}) =>
  bench.run({ phase: 'teardown', kind: 'teardown', host: HOST, change, ...more });
const snapshot = () => onHost(lab, HOST, HOST_SNAPSHOT);
const kept = (changes: readonly Change[]) => changes.filter(({ action }) => action === 'keep');

beforeAll(async () => {
  await bench.open();
  fillMirror(mirror, bench.folder);
  await mirror.start(lab.gateway);
  packages = await packageNames(lab, HOST);
  await makeBare(lab, HOST, packages);
  // Of others: a file that we overwrite, another name, another setting.
  await onHost(
    lab,
    HOST,
    `printf 'theirs = 1\\n' >/etc/sysctl.d/zz-kubewright.conf; chmod 600 /etc/sysctl.d/zz-kubewright.conf
    hostname theirs; echo theirs >/etc/hostname
    sysctl -q -w net.ipv4.conf.all.rp_filter=1`,
  );
  before = await snapshot();
});
afterAll(async () => {
  await mirror.stop();
  await bench.close();
  await labDown(lab.name);
});

describe('a teardown', () => {
  test('restores the host and lists what it did; a second teardown finds nothing', SLOW, async () => {
    await build();
    expect(differences(before, await snapshot()).length).toBeGreaterThan(20);
    const preview = await tearDown({ mode: 'check' });
    expect(preview.changes).toContainEqual(expect.objectContaining({ resource: 'packages:chrony', action: 'remove' }));
    const { changes } = await tearDown();
    expect(kept(changes)).toEqual([]);
    for (const [resource, action] of [
      ['packages:chrony', 'remove'],
      ['file:/etc/sysctl.d/zz-kubewright.conf', 'update'],
      ['hosts-entries:/etc/hosts', 'update'],
      ['hostname:hostname', 'update'],
    ]) {
      expect(changes).toContainEqual(expect.objectContaining({ resource, action }));
    }
    expect(differences(before, await snapshot())).toEqual([]);
    expect(await tearDown()).toMatchObject({ changes: [], changeCount: 0 });
  });

  test('keeps what others placed there or changed since, with the reason', SLOW, async () => {
    await build();
    await onHost(
      lab,
      HOST,
      `touch /etc/kubewright/theirs
      sysctl -q -w net.ipv4.conf.all.rp_filter=0
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends tree >/dev/null 2>&1`,
    );
    const { changes } = await tearDown();
    expect(kept(changes).map(({ resource, detail }) => `${resource} ${detail}`)).toEqual([
      'sysctls:net.ipv4.conf.all.rp_filter it was set to 0 since',
      'directory:/etc/kubewright it holds what Kubewright did not place: theirs',
    ]);
    expect(await onHost(lab, HOST, 'ls /etc/kubewright; command -v tree')).toBe('theirs\n/usr/bin/tree\n');
    await onHost(
      lab,
      HOST,
      'rm -r /etc/kubewright; dpkg --purge tree >/dev/null 2>&1; sysctl -q -w net.ipv4.conf.all.rp_filter=1',
    );
    expect(differences(before, await snapshot())).toEqual([]);
  });

  test('that is cut off continues where it stopped, also after a build', SLOW, async () => {
    await build();
    const abort = new AbortController();
    const cut = bench.stops(
      { phase: 'teardown', kind: 'teardown', host: HOST, change, signal: abort.signal },
      { code: 'COMMAND_ABORTED', retryable: true, cause: /stopped/ },
    );
    const purging = () => onHost(lab, HOST, 'pgrep -x dpkg || :');
    await expect.poll(purging, { timeout: 30_000, interval: 20 }).not.toBe('');
    abort.abort();
    await cut;
    await build();
    await tearDown();
    expect(differences(before, await snapshot())).toEqual([]);
  });

  test('restores after a reboot what there was before the build', SLOW, async () => {
    await build();
    await rebootHost(lab, HOST);
    await onHost(lab, HOST, 'sysctl -q -w net.ipv4.conf.all.rp_filter=2');
    await tearDown();
    expect(differences(before, await snapshot())).toEqual([]);
  });

  test(
    'of a build by a version without a ledger removes what the phases would place, and keeps the rest',
    SLOW,
    async () => {
      await build();
      await onHost(
        lab,
        HOST,
        'rm -rf /var/lib/kubewright/ledger; test -e /var/lib/kubewright/stamps/unit.chrony.service',
      );
      const { changes } = await tearDown();
      const reasons = kept(changes).map(({ resource, detail }) => `${resource} ${detail}`);
      expect(reasons).toContain('hostname:hostname what it was before is not known');
      expect(reasons).toContain('packages:chrony it is not known who installed it');
      expect(
        await onHost(
          lab,
          HOST,
          'ls -d /etc/kubewright /etc/chrony/kubewright.conf /var/lib/kubewright 2>/dev/null || :',
        ),
      ).toBe('');
      expect(await onHost(lab, HOST, 'grep -c kubewright /etc/hosts || :')).toBe('0\n');
    },
  );
});
