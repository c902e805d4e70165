import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import type { HostSession } from '../../activities/host/types.ts';
import { cleanUpHost } from '../../activities/phases/cleanup/host.ts';
import { definePhase, type Phase } from '../../activities/phases/phase.ts';
import { directory } from '../../activities/resources/directory.ts';
import { converge } from '../../activities/resources/engine/engine.ts';
import { file } from '../../activities/resources/file.ts';
import { packages } from '../../activities/resources/packages.ts';
import type { Resource } from '../../activities/resources/resource.ts';
import { service } from '../../activities/resources/service.ts';
import { sysctls } from '../../activities/resources/sysctls.ts';
import { user } from '../../activities/resources/user.ts';
import { phaseRun } from '../../activities/tasks/phase-run.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';
import { sampleCluster, sampleContext } from '../golden/golden.ts';

/** What phases no longer desire on a real host with sshd, by its real ledger: one phase is switched off, another shares with it. */

const ROOT = '/opt/kubewright-shrink-test';
const UNIT = 'kubewright-shrink-test';
const KEY = 'net.ipv4.conf.all.log_martians';

const lab = inject('lab');
const target = lab.hosts.at(-1)!;
let pool: TestPool;
let session: HostSession;
/** The ledger of the other tests of this run is set aside: their phases are none of these. */
const ASIDE = '/var/lib/kubewright/ledger.aside';
const LEDGER = '/var/lib/kubewright/ledger';

const toy = (name: string, resources: () => Resource[]): Phase =>
  definePhase({
    name,
    title: name,
    hosts: 'all',
    optional: true,
    needs: [],
    timeouts: { applyMs: 1, verifyMs: 1 },
    expectedMs: 1,
    options: z.strictObject({}),
    resources,
  });
const shared = () => [packages(['tree'], []), file(`${ROOT}/shared/conf`, 'shared')];
const off = toy('off', () => [
  ...shared(),
  packages(['tree', 'hello'], []),
  user(UNIT, { home: ROOT }),
  directory(`${ROOT}/own`),
  directory(`${ROOT}/empty`),
  file(`${ROOT}/own/conf`, 'own'),
  file('/etc/kubewright-shrink-theirs', 'ours\n'),
  sysctls({ [KEY]: 1 }, { file: `/etc/sysctl.d/90-${UNIT}.conf` }),
  service(UNIT, {
    unit: '[Service]\nExecStart=sleep infinity\nStateDirectory=kubewright-shrink\n[Install]\nWantedBy=multi-user.target\n',
    fills: ['/var/lib/kubewright-shrink'],
  }),
]);
const stays = toy('stays', shared);
const PHASES = new Map([off, stays].map((phase) => [phase.name, phase]));

async function clean(): Promise<void> {
  await session.host.script(
    `systemctl disable --now "$2" 2>/dev/null || :
rm -rf "$1" "/etc/systemd/system/$2.service" /etc/sysctl.d/90-"$2".conf /etc/kubewright-shrink-theirs /var/lib/kubewright-shrink
userdel "$2" 2>/dev/null || :
dpkg --purge tree hello 2>/dev/null || :
sysctl -q -w ${KEY}=0
systemctl daemon-reload`,
    [ROOT, UNIT],
  );
}

beforeAll(async () => {
  pool = testPool(
    { key: { kind: 'key', privateKey: readFileSync(lab.sshKey, 'utf8') } },
    { address: target.address, port: target.port, hostKey: target.hostKey },
  );
  session = await pool.open({ user: 'admin' });
  await clean();
  await session.host.script(
    `rm -rf ${ASIDE}; [ ! -e ${LEDGER} ] || mv ${LEDGER} ${ASIDE}; echo theirs >/etc/kubewright-shrink-theirs`,
  );
});
afterAll(async () => {
  await clean();
  await session.host.script(`rm -rf ${LEDGER}; [ ! -e ${ASIDE} ] || mv ${ASIDE} ${LEDGER}`);
  await pool.pool.close();
});

const signal = new AbortController().signal;
const apply = async (phase: Phase) =>
  await converge({
    remote: session.host,
    resources: (await phase.resources!({} as never)) ?? [],
    facts: session.facts,
    mode: 'apply',
    phase: phase.name,
    signal,
  });
async function cleanUp(options: Record<string, { enabled: boolean }>, mode: 'apply' | 'check') {
  const context = await sampleContext(stays, {});
  const cluster = sampleCluster({ phases: options });
  const changes = await cleanUpHost(
    phaseRun(
      {
        ...context,
        cluster,
        facts: session.facts,
        phases: PHASES,
        mode,
      },
      { phase: 'cleanup', remote: session.host, changes: [], verified: false, signal },
    ),
  );
  return changes.map(({ action, resource }) => `${action} ${resource}`).sort();
}
const state = async () =>
  (
    await session.host.script(
      `for f in ${ROOT}/own ${ROOT}/empty ${ROOT}/own/conf ${ROOT}/shared/conf /etc/systemd/system/${UNIT}.service /var/lib/kubewright-shrink /etc/sysctl.d/90-${UNIT}.conf; do [ ! -e "$f" ] || echo "there $f"; done
cat /etc/kubewright-shrink-theirs /proc/sys/${KEY.replaceAll('.', '/')}
getent passwd ${UNIT} >/dev/null && echo user
systemctl is-active --quiet ${UNIT} && echo running
dpkg-query -W -f '\${Package}\\n' tree hello 2>/dev/null || :`,
    )
  ).stdout
    .trim()
    .split('\n');

test('of a phase that is switched off everything goes that no other phase desires; a dry run lists it first', async () => {
  await apply(off);
  await apply(stays);
  const built = await state();
  expect(built).toEqual(expect.arrayContaining(['ours', '1', 'user', 'running', 'tree', 'hello']));
  expect(await cleanUp({}, 'check')).toEqual([]);
  expect(await cleanUp({}, 'apply')).toEqual([]);

  const preview = await cleanUp({ off: { enabled: false } }, 'check');
  expect(preview).toEqual(
    expect.arrayContaining([
      'remove packages:hello',
      `remove service:${UNIT}.service`,
      `remove user:${UNIT}`,
      `remove file:${ROOT}/own/conf`,
      `remove directory:${ROOT}/own`,
      `remove directory:${ROOT}/empty`,
      `update sysctls:${KEY}`,
      'update file:/etc/kubewright-shrink-theirs',
      'remove leftover:/var/lib/kubewright-shrink',
    ]),
  );
  expect(preview.filter((each) => /tree|shared/.test(each))).toEqual([]);
  expect(await state()).toEqual(built);

  expect(await cleanUp({ off: { enabled: false } }, 'apply')).toEqual(preview);
  expect(await state()).toEqual([`there ${ROOT}/shared/conf`, 'theirs', '0', 'tree']);
  expect(await cleanUp({ off: { enabled: false } }, 'apply')).toEqual([]);

  // The entries of what they share are the first one's; when the second goes as well, so do they.
  await cleanUp({ off: { enabled: false }, stays: { enabled: false } }, 'apply');
  expect(await state()).toEqual(['theirs', '0']);
});
