import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { packages } from '../../../activities/resources/packages.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  mkdirSync(host.path('dpkg'));
  writeFileSync(host.path('lists/mirror_Packages'), '');
});
afterEach(() => host.dispose());

const run = (packageManager: 'apt' | 'dnf' | 'none' = 'apt', names = ['chrony', 'socat']) =>
  converge({
    remote: host,
    resources: [packages(names, ['mirror.example'])],
    facts: { ...FACTS, packageManager },
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });
const log = () => readFileSync(host.path('log'), 'utf8').trim().split('\n');

/** apt-get that logs its verb and its packages; `steps` says what each call prints and returns. */
function apt(...steps: string[]): void {
  host.program('dpkg-query', `for p in chrony socat; do [ ! -e ${host.path('dpkg')}/$p ] || echo "ii |$p 1.0"; done`);
  host.program('dpkg', 'echo "dpkg $1" >>"$LOG"');
  const cases = steps.map((body, index) => `${index + 1}) ${body} ;;`).join('\n');
  host.program(
    'apt-get',
    `verb=; names=; for w; do case $w in install|update) verb=$w ;; chrony|socat) names="$names $w" ;; esac; done
echo "$verb$names" >>"$LOG"
n=$(grep -c -v dpkg "$LOG")
case $n in
${cases}
esac`,
  );
}
const ok = () => `for p in $names; do : >${host.path('dpkg')}/$p; done`;

describe.skipIf(!RUNS_HERE)('apt', () => {
  it('installs what is missing in one transaction, and reads lists only when it has to', async () => {
    apt(ok());
    expect((await run()).changes).toMatchObject([{ action: 'create', detail: 'chrony socat' }]);
    expect(log()).toEqual(['install chrony socat']);
    expect((await run()).changes).toEqual([]);
  });

  it('reads the lists when a package cannot be found, and tries again', async () => {
    apt('echo "E: Unable to locate package socat" >&2; exit 100', ':', ok());
    await run();
    expect(log()).toEqual(['install chrony socat', 'update', 'install chrony socat']);
  });

  it('reads the lists first when there are none', async () => {
    rmSync(host.path('lists/mirror_Packages'));
    apt(':', ok());
    await run();
    expect(log()).toEqual(['update', 'install chrony socat']);
  });

  it('repairs an interrupted dpkg before it installs', async () => {
    mkdirSync(host.path('updates'));
    writeFileSync(host.path('updates/0001'), '');
    apt(ok());
    await run();
    expect(log()).toEqual(['dpkg --configure', 'install chrony socat']);
  });

  it('repairs an interrupted dpkg when apt reports one', async () => {
    apt('echo "E: dpkg was interrupted, you must manually run \'dpkg --configure -a\'" >&2; exit 100', ok());
    await run();
    expect(log()).toEqual(['install chrony socat', 'dpkg --configure', 'install chrony socat']);
  });

  it('that was killed is completed, also when every package looks installed', async () => {
    const kill = 'kill -KILL $PPID; sleep 1';
    apt(`${ok()}; ${kill}`, ok());
    await expect(run()).rejects.toBeDefined();
    expect((await run()).changes).toMatchObject([{ action: 'update', detail: 'finish what was interrupted' }]);
    expect(log()).toEqual(['install chrony socat', 'dpkg --configure']);
    expect((await run()).changes).toEqual([]);
  });

  it('distinguishes a held lock from a failure, with the output of apt', async () => {
    const lock = 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 77';
    apt(`echo "${lock}" >&2; exit 100`);
    await expect(run()).rejects.toMatchObject({
      code: 'PACKAGE_MANAGER_BUSY',
      evidence: expect.stringContaining('77'),
    });
    host.program('apt-get', 'echo "E: Sub-process /usr/bin/dpkg returned an error code (1)" >&2; exit 100');
    await expect(run()).rejects.toMatchObject({
      code: 'PACKAGE_INSTALL_FAILED',
      message: 'apt could not install chrony, socat',
      evidence: expect.stringContaining('Sub-process'),
    });
    host.program('apt-get', 'echo "E: You don\'t have enough free space in /var/cache/apt/archives/." >&2; exit 100');
    await expect(run()).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});

describe.skipIf(!RUNS_HERE)('dnf', () => {
  it('installs the names of the family, with fresh metadata when one is not found', async () => {
    host.program('rpm', `[ ! -e ${host.path('dpkg')}/done ] || printf '%s\\n' "conntrack-tools 1.4-1" "socat 1.7-1"`);
    host.program(
      'dnf',
      `echo "$*" >>"$LOG"; case "$*" in *--refresh*) : >${host.path('dpkg')}/done ;; *) echo "Error: Unable to find a match: conntrack-tools" >&2; exit 1 ;; esac`,
    );
    await run('dnf', ['conntrack', 'socat', 'curl']);
    expect(log()).toEqual([
      '-y -q --setopt=install_weak_deps=False install conntrack-tools socat',
      '-y -q --setopt=install_weak_deps=False install --refresh conntrack-tools socat',
    ]);
    expect((await run('dnf', ['conntrack', 'socat', 'curl'])).changes).toEqual([]);
  });

  it('that was killed: everything wanted is installed once more, and then nothing is left to do', async () => {
    host.program('rpm', `printf '%s\\n' "chrony 4.5-1" "socat 1.7-1"`);
    host.program('dnf', 'echo "$*" >>"$LOG"');
    mkdirSync(host.path('state/kubewright'));
    writeFileSync(host.path('state/kubewright/packages-at-work'), '');
    expect((await run('dnf')).changes).toMatchObject([{ action: 'update', detail: 'finish what was interrupted' }]);
    expect(log()).toEqual([
      '-y -q --setopt=install_weak_deps=False install --refresh chrony socat',
      '-y -q --setopt=install_weak_deps=False reinstall chrony socat',
    ]);
    expect((await run('dnf')).changes).toEqual([]);
  });
});

it.skipIf(!RUNS_HERE)('refuses a host without a package manager', async () => {
  apt(':');
  await expect(run('none')).rejects.toMatchObject({ code: 'OS_UNSUPPORTED' });
});
