import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { packages } from '../../../activities/resources/packages.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

const AT_WORK = 'state/kubewright/packages-at-work';
const ROOT = 'root:x:0:0:root:/root:/bin/bash\n';
/** What comes with the package: an account with its group, a group, an account of a person, and one that others made meanwhile. */
const BROUGHT = {
  passwd:
    'timesync:x:997:997::/:/usr/sbin/nologin\nothers:x:996:996::/:/usr/sbin/nologin\nanna:x:1001:1001::/home/anna:/bin/bash\n',
  group: 'timesync:x:997:\nothers:x:996:\nrender:x:106:\nanna:x:1001:\n',
};

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  mkdirSync(host.path('dpkg'));
  writeFileSync(host.path('lists/mirror_Packages'), '');
  writeFileSync(host.path('passwd'), ROOT);
  writeFileSync(host.path('group'), 'root:x:0:\n');
  const installed = host.path('dpkg/timesyncd');
  const accounts = ['passwd', 'group'].map((map) => `cat ${host.path(`brought.${map}`)} >>${host.path(map)}`);
  writeFileSync(host.path('brought.passwd'), BROUGHT.passwd);
  writeFileSync(host.path('brought.group'), BROUGHT.group);
  const bring = `[ -e ${installed} ] || { ${accounts.join('; ')}; }; : >${installed}`;
  const state = host.path('state/kubewright');
  const line = String.raw`printf 'packages:timesyncd\ttest\t{"installed":true}\n'`;
  // As the hook of apt does.
  const hook = `mkdir -p ${state}/ledger/kept; ${line} >>${state}/ledger/placed`;
  host.program('apt-get', `${hook}; ${bring}; [ ! -e ${host.path('kill')} ] || { kill -KILL $PPID; sleep 1; }`);
  host.program('dnf', `${bring}`);
  const script = 'adduser --system timesync; addgroup --system render';
  mkdirSync(host.path('info'));
  writeFileSync(host.path('info/timesyncd.postinst'), script);
  writeFileSync(host.path('status'), 'installed');
  host.program(
    'dpkg-query',
    `[ -e ${installed} ] || exit 1; case "$*" in *db:Status-Status*) cat ${host.path('status')} ;; *) echo "ii |timesyncd 1.0" ;; esac`,
  );
  host.program(
    'rpm',
    `case "$*" in *--scripts*) echo '${script}'; exit 0 ;; *-qa*) [ ! -e ${installed} ] || echo timesyncd; exit 0 ;; esac
[ -e ${installed} ] && echo "timesyncd 1.0" || { echo "package timesyncd is not installed"; exit 1; }`,
  );
  host.program('getent', `for last; do :; done; grep "^$last:" ${host.root}/$1 || exit 2`);
  host.program('userdel', `sed -i "/^$2:/d" ${host.path('passwd')} ${host.path('group')}`);
  host.program('groupdel', `sed -i "/^$2:/d" ${host.path('group')}`);
});
afterEach(() => host.dispose());

const install = (packageManager: 'apt' | 'dnf') =>
  converge({
    remote: host,
    resources: [packages(['timesyncd'], [])],
    facts: { ...FACTS, packageManager },
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });
const noted = async () =>
  (await readLedger(host)).entries.filter(({ kind }) => kind === 'package-account').map(({ id }) => id);
const takeBack = async (packageManager: 'apt' | 'dnf') =>
  undo(host, (await readLedger(host)).entries, { stage: 'last', facts: { ...FACTS, packageManager } });
const accounts = () => readFileSync(host.path('passwd'), 'utf8') + readFileSync(host.path('group'), 'utf8');

describe.skipIf(!RUNS_HERE).each(['apt', 'dnf'] as const)('accounts that packages bring: %s', (tool) => {
  it('go when the packages are gone, and those of persons and of other packages stay', async () => {
    await install(tool);
    expect(await noted()).toEqual(['user/timesync', 'group/timesync', 'group/render']);
    rmSync(host.path('dpkg/timesyncd'));
    expect((await takeBack(tool)).map(({ resource, action }) => `${action} ${resource}`)).toEqual([
      'remove package-account:user/timesync',
      'remove package-account:group/render',
    ]);
    expect(accounts()).toBe(
      `${ROOT}others:x:996:996::/:/usr/sbin/nologin\nanna:x:1001:1001::/home/anna:/bin/bash\nroot:x:0:\nothers:x:996:\nanna:x:1001:\n`,
    );
    expect(await noted()).toEqual([]);
    expect(existsSync(host.path(AT_WORK))).toBe(false);
  });

  it('stay as long as the package that makes them is there, and are tried again', async () => {
    await install(tool);
    const before = accounts();
    const changes = await takeBack(tool);
    expect(changes.map(({ action }) => action)).toEqual(['keep', 'keep', 'keep']);
    expect(changes[0]).toMatchObject({ detail: 'the package timesyncd, which makes it, is there still' });
    expect(accounts()).toBe(before);
    expect(await noted()).toHaveLength(3);
  });
});

describe.skipIf(!RUNS_HERE)('accounts that packages bring', () => {
  it.each(['unpacked', 'half-configured', 'triggers-pending'])(
    'stay while an upgrade has the package %s',
    async (status) => {
      await install('apt');
      writeFileSync(host.path('status'), status);
      expect((await takeBack('apt')).map(({ action }) => action)).toEqual(['keep', 'keep', 'keep']);
      writeFileSync(host.path('status'), 'config-files');
      expect((await takeBack('apt')).map(({ action }) => action)).toEqual(['remove', 'remove']);
    },
  );

  it('are known also when the package manager was killed', async () => {
    writeFileSync(host.path('kill'), '');
    await expect(install('apt')).rejects.toBeDefined();
    rmSync(host.path('kill'));
    host.program('dpkg', ':');
    await install('apt');
    expect(await noted()).toEqual(['user/timesync', 'group/timesync', 'group/render']);
  });

  it('are not those of a resource of ours', async () => {
    mkdirSync(host.path('state/kubewright/ledger/kept'), { recursive: true });
    writeFileSync(host.path('state/kubewright/ledger/placed'), 'user:timesync\tetcd\t{"made":true}\n');
    await install('dnf');
    expect(await noted()).toEqual(['group/render']);
  });
});
