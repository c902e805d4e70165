import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { noLongerDesired } from '../../../activities/resources/engine/no-longer-desired.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { packages } from '../../../activities/resources/packages.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  mkdirSync(host.path('dpkg'));
  writeFileSync(host.path('lists/mirror_Packages'), '');
  const installed = host.path('dpkg/haproxy');
  // As systemd-tmpfiles and a unit that starts by itself do, while the package is installed.
  host.program('apt-get', `mkdir -p ${host.path('run/haproxy')}; : >${host.path('run/master.sock')}; : >${installed}`);
  host.program('dpkg-query', `[ ! -e ${installed} ] || echo "ii |haproxy 2.6"`);
});
afterEach(() => host.dispose());

const desired = () => packages(['haproxy'], [], { fills: [host.path('run/haproxy'), host.path('run/master.sock')] });
const install = () =>
  converge({
    remote: host,
    resources: [desired()],
    facts: { ...FACTS, packageManager: 'apt' },
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });
const entries = async () => (await readLedger(host)).entries;
const takeBack = async () =>
  undo(
    host,
    (await entries()).filter(({ kind }) => kind === 'leftover'),
    { stage: 'middle', facts: FACTS },
  );

describe.skipIf(!RUNS_HERE)('what packages make when they are installed', () => {
  it('goes with a teardown, and belongs to the packages until then', async () => {
    await install();
    expect(noLongerDesired(await entries(), [desired()])).toEqual([]);
    await takeBack();
    for (const name of ['run/haproxy', 'run/master.sock']) expect(existsSync(host.path(name)), name).toBe(false);
  });

  it('stays where it was there before', async () => {
    mkdirSync(host.path('run/haproxy'), { recursive: true });
    writeFileSync(host.path('run/haproxy/theirs'), 'x');
    await install();
    await takeBack();
    expect(existsSync(host.path('run/haproxy/theirs'))).toBe(true);
    expect(existsSync(host.path('run/master.sock'))).toBe(false);
  });

  it('stays, a socket of a daemon that was there before too', async () => {
    mkdirSync(host.path('run'), { recursive: true });
    writeFileSync(host.path('run/master.sock'), 'theirs');
    await install();
    // The second build finds nothing new: what it was stays noted.
    await install();
    await takeBack();
    expect(existsSync(host.path('run/master.sock'))).toBe(true);
    expect(existsSync(host.path('run/haproxy'))).toBe(false);
    expect((await entries()).filter(({ kind }) => kind === 'leftover')).toEqual([]);
  });
});
